/** The rows of bots, and the two indexes over them. */
import { BatchGetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Bot, BotChanges } from '../../model/bot.ts';
import { table as shape } from '../../model/deployment.ts';
import type { BotQuery, Page, Table } from '../../model/ports.ts';
import type { BotState } from '../../model/states.ts';
import { sendInParts } from '../unavailable.ts';
import { type BatchKey, followedKey, readKeysInOrder } from './batch-keys.ts';
import {
  type Condition,
  ITEM_SCHEMA,
  type Item,
  type Items,
  type ItemsOptions,
  isOneOf,
  readCursor,
  toRecord,
  writeCursor,
} from './items.ts';
import { deriveIndexAttributes, placeBot, readPlace } from './state-index.ts';

const BATCH_GET_MAX = 100;

const botKey = (bot_id: string) => ({ pk: `bot#${bot_id}`, sk: 'bot' });
const readBotId = ({ pk }: Item) => String(pk).slice('bot#'.length);

const toBot = (item: Item): Bot => {
  const bot = toRecord(item) as unknown as Bot;
  return bot.pin_iterator === undefined ? bot : { ...bot, pin_iterator: BigInt(bot.pin_iterator) };
};

/** The place of the last bot that was looked at, and the query that it belongs to. */
const botCursor = z.object({
  place: z.string().refine((place) => readPlace(place) !== undefined),
  state: z.string().optional(),
  reason: z.string().optional(),
});

/** The most rows that one page looks at for a reason: the index has no reasons. */
const REASON_SCAN = 1_000;
/** Each partition has some more keys of a page than its share. */
const SPARE_KEYS = 8;

/** What must hold for a write of a bot. */
const buildConditions = (bot: Bot, changes: BotChanges, from: readonly BotState[] = []): Condition[] => [
  // guard: of-two-writers-one-wins
  isOneOf('revision', [bot.revision]),
  // guard: move-starts-from-its-states
  ...(from.length > 0 ? [isOneOf('state', from)] : []),
  // guard: row-names-one-key
  ...(changes.public_key === undefined
    ? []
    : [{ expression: '(attribute_not_exists(#public_key) OR #public_key = :public_key)' }]),
  // guard: table-takes-no-smaller-iterator
  ...(changes.pin_iterator === undefined
    ? []
    : [{ expression: '(attribute_not_exists(#pin_iterator) OR #pin_iterator < :pin_iterator)' }]),
];

export type BotRows = Pick<
  Table,
  'readBot' | 'findKnownBots' | 'createBot' | 'updateBot' | 'recordFollowed' | 'listDueBots' | 'listBots'
>;

export const createBotRows = ({ client, tableName: TableName }: ItemsOptions, items: Items): BotRows => {
  const { getItem, putNew, updateIf } = items;
  const getBots = async (bot_ids: readonly string[]): Promise<ReadonlyMap<string, Bot>> => {
    const bots = new Map<string, Bot>();
    await sendInParts<Item>([...new Set(bot_ids)].map(botKey), BATCH_GET_MAX, async (keys) => {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [...keys], ConsistentRead: true } } }),
      );
      for (const item of Responses?.[TableName] ?? []) bots.set(String(item.bot_id), toBot(item));
      return UnprocessedKeys?.[TableName]?.Keys ?? [];
    });
    return bots;
  };

  /** So many keys in the order of the list; one more shows that there is another page. */
  const listKeys = async (query: BotQuery, after: string | undefined, count: number) => {
    const { batch_id, state, withFollowed = false } = query;
    const keys: BatchKey[] = [];
    const all = readKeysInOrder(TableName, items, {
      batch_id,
      after,
      withFollowed: withFollowed && state === undefined,
      // Bots in one state may be few and far between.
      pageSize: state === undefined ? Math.ceil(count / shape.shards) + SPARE_KEYS : undefined,
    });
    for await (const key of all) {
      if (state !== undefined && key.index?.state !== state) continue;
      keys.push(key);
      if (keys.length > count) break;
    }
    return keys;
  };

  const readPage = async (query: BotQuery, after: string | undefined) => {
    const { batch_id, state, reason, limit } = query;
    const count = reason === undefined ? limit : Math.max(limit, REASON_SCAN);
    const keys = await listKeys(query, after, count);
    const looked = keys.slice(0, count);
    const bots = await getBots(looked.map(({ bot_id }) => bot_id));
    const found = looked.flatMap(({ bot_id, place, index }) => {
      const bot = bots.get(bot_id);
      // A bot that came back, or whose move was cut off, has a key in the index too.
      const isWanted = bot && (index !== undefined || bot.batch_id !== batch_id);
      return isWanted && (reason === undefined || bot.reason?.code === reason) ? [{ bot, place }] : [];
    });
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : keys.length > count ? looked.at(-1) : undefined;
    const items = page.map(({ bot }) => bot);
    return last ? { items, cursor: writeCursor({ place: last.place, state, reason }) } : { items };
  };

  return {
    readBot: async (bot_id) => {
      const item = await getItem(botKey(bot_id));
      return item && toBot(item);
    },

    findKnownBots: async (bot_ids) => {
      const known = new Set<string>();
      await sendInParts<Item>([...new Set(bot_ids)].map(botKey), BATCH_GET_MAX, async (Keys) => {
        const { Responses, UnprocessedKeys } = await client.send(
          new BatchGetCommand({
            RequestItems: { [TableName]: { Keys: [...Keys], ProjectionExpression: 'pk' } },
          }),
        );
        for (const item of Responses?.[TableName] ?? []) known.add(readBotId(item));
        return UnprocessedKeys?.[TableName]?.Keys ?? [];
      });
      return known;
    },

    createBot: async (bot) => {
      const item = await putNew(botKey(bot.bot_id), { ...bot, ...deriveIndexAttributes(bot) });
      return item && toBot(item);
    },

    updateBot: async (bot, changes, from) => {
      const next: Bot = { ...bot, ...(changes as Partial<Bot>) };
      const item = await updateIf(botKey(bot.bot_id), {
        set: { ...changes, ...deriveIndexAttributes(next), revision: bot.revision + 1 },
        conditions: buildConditions(bot, changes, from),
      });
      return item && toBot(item);
    },

    recordFollowed: async (bot, followed_by) => {
      const { bot_id, batch_id } = bot;
      const Item = { ...followedKey(batch_id, placeBot(bot)), bot_id, followed_by, schema: ITEM_SCHEMA };
      await client.send(new PutCommand({ TableName, Item }));
    },

    listDueBots: async (shard, now, limit) => {
      const { Items } = await client.send(
        new QueryCommand({
          TableName,
          IndexName: 'by_due',
          KeyConditionExpression: 'due_shard = :shard AND due_at <= :now',
          ExpressionAttributeValues: { ':shard': `due#${shard}`, ':now': now },
          Limit: limit,
        }),
      );
      return (Items ?? []).map(readBotId);
    },

    listBots: async (query): Promise<Page<Bot> | undefined> => {
      if (query.cursor === undefined) return readPage(query, undefined);
      const start = readCursor(botCursor, query.cursor);
      const isOfQuery = start && start.state === query.state && start.reason === query.reason;
      return isOfQuery ? readPage(query, start.place) : undefined;
    },
  };
};
