/** Reads one item of the table, puts a new one, or updates one on conditions. */
import { type AttributeValue, ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type { z } from 'zod';
import type { Problem } from '../../model/problem.ts';

export type Item = Record<string, unknown>;

interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

export interface ItemsOptions {
  readonly client: DynamoDBDocumentClient;
  readonly tableName: string;
  readonly randomId: () => string;
}

/** The schema number of every item. It grows when an attribute changes its meaning. */
export const ITEM_SCHEMA = 2;

/** Another version of Enlist wrote this item. What it does not say may have happened all the same. */
export class SchemaError extends Error implements Problem {
  override readonly name = 'SchemaError';
  readonly code = 'other_schema';
  readonly fix = 'Use the version of Enlist that wrote the table, or another table.';

  constructor(schema: unknown) {
    const written = typeof schema === 'number' ? `schema ${schema}` : 'no schema number';
    super(
      `This row was written by another version of Enlist (${written}; this one reads schema ${ITEM_SCHEMA}).`,
    );
  }
}

/** @throws SchemaError for an item of another schema, or of none */
const requireSchema = (item: Item): Item => {
  // guard: row-of-another-schema-is-refused
  if (item.schema !== ITEM_SCHEMA) throw new SchemaError(item.schema);
  return item;
};

/** The table's own attributes, which no record carries. */
const TABLE_ATTRIBUTES = new Set(['pk', 'sk', 'schema', 'write_id', 'batch_shard', 'state_key', 'due_shard']);

/**
 * The record that an item holds: the item without the table's own attributes.
 * @throws SchemaError for an item of another schema, or of none
 */
export const toRecord = (item: Item): Item =>
  Object.fromEntries(Object.entries(requireSchema(item)).filter(([name]) => !TABLE_ATTRIBUTES.has(name)));

/** What must hold for an update. Names and values are those that its expression adds. */
export interface Condition {
  readonly expression: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Item;
}

/** Holds when the attribute has one of these values. */
export const isOneOf = (attribute: string, values: readonly unknown[]): Condition => {
  const named = values.map((value, i) => [`:if_${attribute}_${i}`, value] as const);
  return {
    expression: `#${attribute} IN (${named.map(([name]) => name).join(', ')})`,
    names: { [`#${attribute}`]: attribute },
    values: Object.fromEntries(named),
  };
};

/** Holds while the item has no such attribute. */
export const isAbsent = (attribute: string): Condition => ({
  expression: `attribute_not_exists(#if_${attribute})`,
  names: { [`#if_${attribute}`]: attribute },
});

interface ItemUpdate {
  /** Attributes to write; `undefined` removes one. */
  readonly set?: Item;
  /** Members to add to attributes that are sets. */
  readonly add?: Item;
  /** All of these must hold. */
  readonly conditions: readonly Condition[];
}

/** SET for what has a value, REMOVE for what is undefined, ADD for members of sets. */
const toExpressions = ({ set = {}, add = {}, conditions }: ItemUpdate) => {
  const sets = Object.entries(set).filter(([, value]) => value !== undefined);
  const removes = Object.entries(set).filter(([, value]) => value === undefined);
  const adds = Object.entries(add);
  const clauses = [
    ['SET', sets.map(([name]) => `#${name} = :${name}`)],
    ['REMOVE', removes.map(([name]) => `#${name}`)],
    ['ADD', adds.map(([name]) => `#${name} :${name}`)],
  ] as const;
  const names = [...sets, ...removes, ...adds].map(([name]) => [`#${name}`, name]);
  const values = [...sets, ...adds].map(([name, value]) => [`:${name}`, value]);
  return {
    UpdateExpression: clauses
      .filter(([, parts]) => parts.length > 0)
      .map(([verb, parts]) => `${verb} ${parts.join(', ')}`)
      .join(' '),
    ConditionExpression: conditions.map(({ expression }) => expression).join(' AND '),
    ExpressionAttributeNames: Object.assign(
      Object.fromEntries(names),
      ...conditions.map((condition) => condition.names),
    ) as Record<string, string>,
    ExpressionAttributeValues: Object.assign(
      Object.fromEntries(values),
      ...conditions.map((condition) => condition.values),
    ) as Item,
  };
};

/** The place where the next page starts, as an opaque text. */
export const writeCursor = (value: Item) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The place that `writeCursor` wrote; undefined for any other text. */
export const readCursor = <T>(schema: z.ZodType<T>, cursor: string): T | undefined => {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    return undefined;
  }
};

const isConditionFailure = (error: unknown) => error instanceof ConditionalCheckFailedException;

export const createItems = ({ client, tableName: TableName, randomId }: ItemsOptions) => {
  /** @throws SchemaError for an item of another schema, or of none */
  const getItem = async (key: ItemKey): Promise<Item | undefined> => {
    const { Item } = await client.send(new GetCommand({ TableName, Key: key, ConsistentRead: true }));
    return Item && requireSchema(Item);
  };

  /**
   * After a failed condition: the item, if this very write succeeded after all. The SDK sends a write again when the
   * answer was lost, and the second one fails its condition.
   */
  const readOwnWrite = async (key: ItemKey, write_id: string): Promise<Item | undefined> => {
    const item = await getItem(key);
    // guard: write-of-somebody-else-is-not-ours
    if (item?.write_id !== write_id) return undefined;
    // guard: resent-write-is-known
    return item;
  };

  /** Puts a new item; undefined when one is there. */
  const putNew = async (key: ItemKey, attributes: Item): Promise<Item | undefined> => {
    const item = { ...attributes, ...key, schema: ITEM_SCHEMA, write_id: randomId() };
    try {
      await client.send(
        new PutCommand({
          TableName,
          Item: item,
          // guard: row-is-created-once
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      );
      return item;
    } catch (error) {
      if (isConditionFailure(error)) return readOwnWrite(key, item.write_id);
      throw error;
    }
  };

  const sendUpdate = async (Key: ItemKey, update: ItemUpdate): Promise<Item | undefined> => {
    const conditions = [isOneOf('schema', [ITEM_SCHEMA]), ...update.conditions];
    const { Attributes } = await client.send(
      new UpdateCommand({
        TableName,
        Key,
        ...toExpressions({ ...update, conditions }),
        ReturnValues: 'ALL_NEW',
      }),
    );
    return Attributes;
  };

  /**
   * Updates an item on conditions, under a new `write_id`.
   * @returns the item as it now is; undefined when a condition does not hold, or there is no item
   * @throws SchemaError when the item is of another schema, or of none
   */
  const updateIf = async (key: ItemKey, update: ItemUpdate): Promise<Item | undefined> => {
    const write_id = randomId();
    try {
      return await sendUpdate(key, { ...update, set: { ...update.set, write_id } });
    } catch (error) {
      if (isConditionFailure(error)) return readOwnWrite(key, write_id);
      throw error;
    }
  };

  /**
   * The same for an update that may run any number of times: it needs no `write_id`, and leaves the item's as it is.
   */
  const repeatableUpdateIf = async (key: ItemKey, update: ItemUpdate): Promise<Item | undefined> => {
    try {
      return await sendUpdate(key, update);
    } catch (error) {
      if (!isConditionFailure(error)) throw error;
      await getItem(key);
      return undefined;
    }
  };

  /** The items of a query, page by page as they are asked for. Only for queries on keys: it checks no schema number. */
  async function* queryItems(input: ConstructorParameters<typeof QueryCommand>[0]): AsyncGenerator<Item> {
    let ExclusiveStartKey: Record<string, AttributeValue> | undefined;
    do {
      const page = await client.send(
        new QueryCommand({ ...input, ...(ExclusiveStartKey && { ExclusiveStartKey }) }),
      );
      yield* page.Items ?? [];
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey);
  }

  const queryAll = async (input: ConstructorParameters<typeof QueryCommand>[0]): Promise<Item[]> => {
    const all: Item[] = [];
    for await (const item of queryItems(input)) all.push(item);
    return all;
  };

  return { getItem, putNew, updateIf, repeatableUpdateIf, queryItems, queryAll };
};

export type Items = ReturnType<typeof createItems>;
