/**
 * The rows, in DynamoDB. Every write of a bot is a compare-and-set on its revision, and carries an id of its
 * own: when the SDK resends a write whose answer was lost, the second one fails its condition, and the id
 * tells our own success from somebody else's.
 */
import { type AttributeValue, ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Batch, Bot, BotChanges, Problem, RowError } from '../provision/records.ts';
import { type BotState, states } from '../provision/states.ts';
import type { BotQuery, ListRead, Page, Table } from '../services.ts';
import { table as shape } from '../topology.ts';

type Item = Record<string, unknown>;

const BATCH_GET_MAX = 100;
const BATCH_WRITE_MAX = 25;
const shards = Array.from({ length: shape.shards }, (_, shard) => shard);

const botKey = (user_id: string) => ({ pk: `bot#${user_id}`, sk: 'bot' });
const batchKey = (batch_id: string) => ({ pk: `batch#${batch_id}`, sk: 'batch' });
/** The same error of the same row has the same key, whoever writes it and how often. */
const errorSortKey = ({ row, field, code }: RowError) =>
  `error#${String(row).padStart(9, '0')}#${field}#${code}`;

/** User ids are random, so their first digits spread evenly over the index partitions. */
const shardOf = (user_id: string) => Number.parseInt(user_id.slice(0, 2), 16) % shape.shards;

/** The index attributes that follow from a bot's own attributes. */
const indexAttributes = (bot: Pick<Bot, 'user_id' | 'batch_id' | 'state' | 'due_at'>): Item => ({
  batch_shard: `${bot.batch_id}#${shardOf(bot.user_id)}`,
  state_key: `${bot.state}#${bot.user_id}`,
  due_shard: bot.due_at === undefined ? undefined : `due#${shardOf(bot.user_id)}`,
});

const own = new Set(['pk', 'sk', 'write_id', 'batch_shard', 'state_key', 'due_shard']);
const withoutOwn = (item: Item): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => !own.has(name)));

const toBot = (item: Item): Bot => {
  const bot = withoutOwn(item) as unknown as Bot;
  return bot.pin_iterator === undefined ? bot : { ...bot, pin_iterator: BigInt(bot.pin_iterator) };
};

const toBatch = (item: Item): Batch => {
  const done = item.chunks_done instanceof Set ? [...(item.chunks_done as Set<number>)] : [];
  return { ...(withoutOwn(item) as unknown as Batch), chunks_done: done.sort((a, b) => a - b) };
};

interface UpdateParts {
  readonly UpdateExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Item;
}

/** SET for what has a value, REMOVE for what is undefined. */
const updateParts = (attributes: Item): UpdateParts => {
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

const botCursor = z.object({
  shard: z
    .int()
    .min(0)
    .max(shape.shards - 1),
  state_key: z.string(),
  user_id: z.guid(),
});
const errorCursor = z.object({ sk: z.string().startsWith('error#').max(300) });

/** A cursor of ours points at the key that its bot has in the index, and fits the question. */
const fits = ({ shard, state_key, user_id }: z.infer<typeof botCursor>, state: BotState | undefined) => {
  const [its, rest] = [state_key.slice(0, state_key.indexOf('#')), `#${user_id}`];
  const known = (states as readonly string[]).includes(its) && state_key === its + rest;
  return known && shard === shardOf(user_id) && (state === undefined || its === state);
};

const writeCursor = (value: Item) => Buffer.from(JSON.stringify(value)).toString('base64url');
const readCursor = <T>(schema: z.ZodType<T>, cursor: string): T | undefined => {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    return undefined;
  }
};

const isConditionFailure = (error: unknown) => error instanceof ConditionalCheckFailedException;

export interface TableOptions {
  readonly client: DynamoDBDocumentClient;
  readonly tableName: string;
  readonly randomId: () => string;
}

/** Document client options this table needs: numbers beyond 2^53 (PIN iterators) come back as bigint. */
export const translateConfig = {
  marshallOptions: { removeUndefinedValues: true },
  unmarshallOptions: {
    wrapNumbers: (text: string) =>
      Number.isInteger(Number(text)) && !Number.isSafeInteger(Number(text)) ? BigInt(text) : Number(text),
  },
};

export const createTable = ({ client, tableName, randomId }: TableOptions): Table => {
  const TableName = tableName;

  const getItem = async (key: { pk: string; sk: string }): Promise<Item | undefined> => {
    const { Item } = await client.send(new GetCommand({ TableName, Key: key, ConsistentRead: true }));
    return Item;
  };

  /** After a failed condition: the row, if the write that made it was ours after all. */
  const ourOwnWrite = async (key: { pk: string; sk: string }, write_id: string) => {
    const item = await getItem(key);
    return item?.write_id === write_id ? item : undefined;
  };

  /** Puts a new item; undefined when one is there. */
  const putNew = async (key: { pk: string; sk: string }, attributes: Item): Promise<Item | undefined> => {
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

  const getBots = async (user_ids: readonly string[]): Promise<Bot[]> => {
    const found = new Map<string, Bot>();
    let keys = user_ids.map(botKey) as Item[];
    while (keys.length > 0) {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetCommand({
          RequestItems: { [TableName]: { Keys: keys.slice(0, BATCH_GET_MAX), ConsistentRead: true } },
        }),
      );
      for (const item of Responses?.[TableName] ?? []) found.set(String(item.user_id), toBot(item));
      keys = [...(UnprocessedKeys?.[TableName]?.Keys ?? []), ...keys.slice(BATCH_GET_MAX)];
    }
    return user_ids.flatMap((user_id) => found.get(user_id) ?? []);
  };

  /** One page of a batch's index, going on from shard to shard until the limit is met. */
  const listKeys = async (
    { batch_id, state, limit }: BotQuery,
    start: z.infer<typeof botCursor> | undefined,
  ) => {
    const keys: { shard: number; state_key: string; user_id: string }[] = [];
    for (const shard of shards.slice(start?.shard ?? 0)) {
      const batch_shard = `${batch_id}#${shard}`;
      const from = start?.shard === shard ? start : undefined;
      const page = await client.send(
        new QueryCommand({
          TableName,
          IndexName: 'by_batch',
          KeyConditionExpression: 'batch_shard = :shard AND begins_with(state_key, :prefix)',
          ExpressionAttributeValues: { ':shard': batch_shard, ':prefix': state ? `${state}#` : '' },
          ...(!state && {
            KeyConditionExpression: 'batch_shard = :shard',
            ExpressionAttributeValues: { ':shard': batch_shard },
          }),
          Limit: limit - keys.length + 1,
          ...(from && {
            ExclusiveStartKey: { ...botKey(from.user_id), batch_shard, state_key: from.state_key },
          }),
        }),
      );
      for (const item of page.Items ?? []) {
        keys.push({
          shard,
          state_key: String(item.state_key),
          user_id: String(item.pk).slice('bot#'.length),
        });
      }
      if (keys.length > limit) break;
    }
    return keys;
  };

  return {
    readBot: async (user_id) => {
      const item = await getItem(botKey(user_id));
      return item && toBot(item);
    },

    createBot: async (bot) => {
      const item = await putNew(botKey(bot.user_id), { ...bot, ...indexAttributes(bot) });
      return item && toBot(item);
    },

    updateBot: async (bot: Bot, changes: BotChanges, from?: readonly BotState[]) => {
      const write_id = randomId();
      const next = { ...bot, ...changes } as Bot;
      const parts = updateParts({
        ...changes,
        ...indexAttributes(next),
        revision: bot.revision + 1,
        write_id,
      });
      const conditions = ['#revision = :expected_revision'];
      const values: Item = { ...parts.ExpressionAttributeValues, ':expected_revision': bot.revision };
      const names = { ...parts.ExpressionAttributeNames };
      if (from) {
        names['#state'] = 'state';
        conditions.push(`#state IN (${from.map((_, i) => `:from${i}`).join(', ')})`);
        from.forEach((state, i) => {
          values[`:from${i}`] = state;
        });
      }
      if (changes.public_key !== undefined) {
        conditions.push('(attribute_not_exists(#public_key) OR #public_key = :public_key)');
      }
      if (changes.pin_iterator !== undefined) {
        conditions.push('(attribute_not_exists(#pin_iterator) OR #pin_iterator < :pin_iterator)');
      }
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName,
            Key: botKey(bot.user_id),
            ...parts,
            ExpressionAttributeNames: names,
            ExpressionAttributeValues: values,
            ConditionExpression: conditions.join(' AND '),
            ReturnValues: 'ALL_NEW',
          }),
        );
        return Attributes && toBot(Attributes);
      } catch (error) {
        if (!isConditionFailure(error)) throw error;
        const item = await ourOwnWrite(botKey(bot.user_id), write_id);
        return item && toBot(item);
      }
    },

    dueBots: async (shard, now, limit) => {
      const { Items } = await client.send(
        new QueryCommand({
          TableName,
          IndexName: 'by_due',
          KeyConditionExpression: 'due_shard = :shard AND due_at <= :now',
          ExpressionAttributeValues: { ':shard': `due#${shard}`, ':now': now },
          Limit: limit,
        }),
      );
      return (Items ?? []).map((item) => String(item.pk).slice('bot#'.length));
    },

    listBots: async (query): Promise<Page<Bot> | undefined> => {
      const start = query.cursor === undefined ? undefined : readCursor(botCursor, query.cursor);
      if (query.cursor !== undefined && !(start && fits(start, query.state))) return undefined;
      const keys = await listKeys(query, start);
      const page = keys.slice(0, query.limit);
      const last = page.at(-1);
      const items = await getBots(page.map((key) => key.user_id));
      return keys.length > page.length && last ? { items, cursor: writeCursor({ ...last }) } : { items };
    },

    countBots: async (batch_id) => {
      const counts: Partial<Record<BotState, number>> = {};
      const pages = await Promise.all(
        shards.map((shard) =>
          queryAll({
            TableName,
            IndexName: 'by_batch',
            KeyConditionExpression: 'batch_shard = :shard',
            ExpressionAttributeValues: { ':shard': `${batch_id}#${shard}` },
            ProjectionExpression: 'state_key',
          }),
        ),
      );
      for (const item of pages.flat()) {
        const state = String(item.state_key).split('#')[0] as BotState;
        counts[state] = (counts[state] ?? 0) + 1;
      }
      return counts;
    },

    readBatch: async (batch_id) => {
      const item = await getItem(batchKey(batch_id));
      return item && toBatch(item);
    },

    createBatch: async ({ chunks_done: _, ...batch }) => {
      const item = await putNew(batchKey(batch.batch_id), batch);
      return item && toBatch(item);
    },

    recordListRead: async (batch_id, read: ListRead) => {
      const write_id = randomId();
      const parts = updateParts({ problem: undefined, ...read, write_id });
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName,
            Key: batchKey(batch_id),
            ...parts,
            ExpressionAttributeValues: {
              ...parts.ExpressionAttributeValues,
              ':received': 'received',
              ':stuck': 'stuck',
            },
            ConditionExpression: '#status IN (:received, :stuck)',
            ReturnValues: 'ALL_NEW',
          }),
        );
        return Attributes && toBatch(Attributes);
      } catch (error) {
        if (!isConditionFailure(error)) throw error;
        const item = await ourOwnWrite(batchKey(batch_id), write_id);
        return item && toBatch(item);
      }
    },

    recordChunkDone: async (batch_id, chunk) => {
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName,
          Key: batchKey(batch_id),
          UpdateExpression: 'ADD chunks_done :chunk',
          ExpressionAttributeValues: { ':chunk': new Set([chunk]) },
          ConditionExpression: 'attribute_exists(pk)',
          ReturnValues: 'ALL_NEW',
        }),
      );
      const batch = toBatch(Attributes ?? {});
      if (batch.chunks_done.length < batch.chunks || batch.status === 'taken_in') return batch;
      const finished = await client.send(
        new UpdateCommand({
          TableName,
          Key: batchKey(batch_id),
          UpdateExpression: 'SET #status = :status REMOVE problem',
          ExpressionAttributeNames: { '#status': 'status' },
          ExpressionAttributeValues: { ':status': 'taken_in' },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return toBatch(finished.Attributes ?? {});
    },

    recordStuck: async (batch_id, problem: Problem) => {
      await client
        .send(
          new UpdateCommand({
            TableName,
            Key: batchKey(batch_id),
            UpdateExpression: 'SET #status = :status, problem = :problem',
            ExpressionAttributeNames: { '#status': 'status' },
            ExpressionAttributeValues: { ':status': 'stuck', ':problem': problem, ':taken_in': 'taken_in' },
            ConditionExpression: 'attribute_exists(pk) AND #status <> :taken_in',
          }),
        )
        .catch((error: unknown) => {
          // It was taken in after all: there is nothing left to be stuck on.
          if (!isConditionFailure(error)) throw error;
        });
    },

    putRowErrors: async (batch_id, errors) => {
      const items = new Map(errors.map((error) => [errorSortKey(error), error]));
      let requests = [...items].map(([sk, error]) => ({
        PutRequest: { Item: { ...error, pk: `batch#${batch_id}`, sk } as Item },
      }));
      while (requests.length > 0) {
        const { UnprocessedItems } = await client.send(
          new BatchWriteCommand({ RequestItems: { [TableName]: requests.slice(0, BATCH_WRITE_MAX) } }),
        );
        const again = (UnprocessedItems?.[TableName] ?? []) as typeof requests;
        requests = [...again, ...requests.slice(BATCH_WRITE_MAX)];
      }
    },

    listRowErrors: async (batch_id, limit, cursor): Promise<Page<RowError> | undefined> => {
      const start = cursor === undefined ? undefined : readCursor(errorCursor, cursor);
      if (cursor !== undefined && !start) return undefined;
      const { Items, LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':pk': `batch#${batch_id}`, ':prefix': 'error#' },
          Limit: limit,
          ...(start && { ExclusiveStartKey: { pk: `batch#${batch_id}`, sk: start.sk } }),
        }),
      );
      const items = (Items ?? []).map((item) => withoutOwn(item) as unknown as RowError);
      return LastEvaluatedKey ? { items, cursor: writeCursor({ sk: LastEvaluatedKey.sk }) } : { items };
    },
  };
};
