/** One item of the table: reading it, putting it once, and telling our own writes from somebody else's. */
import { type AttributeValue, ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { z } from 'zod';

export type Item = Record<string, unknown>;

export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

export interface ItemsOptions {
  readonly client: DynamoDBDocumentClient;
  readonly tableName: string;
  readonly randomId: () => string;
}

/** The table's own attributes, which no record carries. */
const own = new Set(['pk', 'sk', 'write_id', 'batch_shard', 'state_key', 'due_shard']);
export const withoutOwn = (item: Item): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => !own.has(name)));

export interface UpdateParts {
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Item;
}

/** SET for what has a value, REMOVE for what is undefined. */
export const updateParts = (attributes: Item): UpdateParts => {
  const sets: string[] = [];
  const removes: string[] = [];
  const names: Record<string, string> = {};
  const values: Item = {};
  for (const [name, value] of Object.entries(attributes)) {
    names[`#${name}`] = name;
    if (value === undefined) removes.push(`#${name}`);
    else {
      sets.push(`#${name} = :${name}`);
      values[`:${name}`] = value;
    }
  }
  const remove = removes.length > 0 ? ` REMOVE ${removes.join(', ')}` : '';
  return {
    UpdateExpression: `SET ${sets.join(', ')}${remove}`,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
};

/** An opaque text for whoever reads on; readCursor gives undefined for what is none of ours. */
export const writeCursor = (value: Item) => Buffer.from(JSON.stringify(value)).toString('base64url');
export const readCursor = <T>(schema: z.ZodType<T>, cursor: string): T | undefined => {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    return undefined;
  }
};

export const isConditionFailure = (error: unknown) => error instanceof ConditionalCheckFailedException;

export const createItems = ({ client, tableName: TableName, randomId }: ItemsOptions) => {
  const getItem = async (key: ItemKey): Promise<Item | undefined> => {
    const { Item } = await client.send(new GetCommand({ TableName, Key: key, ConsistentRead: true }));
    return Item;
  };

  /** After a failed condition: the row, if the write that made it was ours after all. */
  const ourOwnWrite = async (key: ItemKey, write_id: string) => {
    const item = await getItem(key);
    return item?.write_id === write_id ? item : undefined;
  };

  /** Puts a new item; undefined when one is there. */
  const putNew = async (key: ItemKey, attributes: Item): Promise<Item | undefined> => {
    const item = { ...attributes, ...key, write_id: randomId() };
    try {
      await client.send(
        new PutCommand({ TableName, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
      );
      return item;
    } catch (error) {
      if (isConditionFailure(error)) return ourOwnWrite(key, item.write_id);
      throw error;
    }
  };

  /** Reads all pages of a query on keys only. */
  const queryAll = async (input: ConstructorParameters<typeof QueryCommand>[0]): Promise<Item[]> => {
    const items: Item[] = [];
    let ExclusiveStartKey: Record<string, AttributeValue> | undefined;
    do {
      const page = await client.send(
        new QueryCommand({ ...input, ...(ExclusiveStartKey && { ExclusiveStartKey }) }),
      );
      items.push(...(page.Items ?? []));
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey);
    return items;
  };

  return { getItem, ourOwnWrite, putNew, queryAll };
};

export type Items = ReturnType<typeof createItems>;
