/** The rows of bots, and the two indexes over them. */
import { BatchGetCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Bot, BotChanges } from '../../model/bot.ts';
import { table as shape } from '../../model/deployment.ts';
import type { BotQuery, Page, Table } from '../../model/ports.ts';
import type { BotState } from '../../model/states.ts';
import { sendInParts } from '../throttling.ts';
import {
  type Condition,
  type Item,
  type Items,
  type ItemsOptions,
  isOneOf,
  readCursor,
  toRecord,
  writeCursor,
} from './items.ts';
import { chooseShard, deriveIndexAttributes, nameBatchShard, readStateKey, shards } from './state-index.ts';

const BATCH_GET_MAX = 100;

const botKey = (bot_id: string) => ({ pk: `bot#${bot_id}`, sk: 'bot' });
const readBotId = ({ pk }: Item) => String(pk).slice('bot#'.length);

const toBot = (item: Item): Bot => {
  const bot = toRecord(item) as unknown as Bot;
  return bot.pin_iterator === undefined ? bot : { ...bot, pin_iterator: BigInt(bot.pin_iterator) };
};

const botCursor = z.object({
  shard: z
    .int()
    .min(0)
    .max(shape.shards - 1),
  state_key: z.string(),
  bot_id: z.guid(),
});
type BotCursor = z.infer<typeof botCursor>;

/** Does the cursor point at the key that its bot has in the index, and belong to this query? */
const isCursorOf = ({ shard, state_key, bot_id }: BotCursor, state: BotState | undefined): boolean => {
  const key = readStateKey(state_key);
  return (
    key?.bot_id === bot_id && shard === chooseShard(bot_id) && (state === undefined || key.state === state)
  );
};

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

export type BotRows = Pick<Table, 'readBot' | 'createBot' | 'updateBot' | 'listDueBots' | 'listBots'>;

export const createBotRows = (
  { client, tableName: TableName }: ItemsOptions,
  { getItem, putNew, updateIf }: Items,
): BotRows => {
  const getBots = async (bot_ids: readonly string[]): Promise<Bot[]> => {
    const bots = new Map<string, Bot>();
    await sendInParts<Item>(bot_ids.map(botKey), BATCH_GET_MAX, async (keys) => {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetCommand({ RequestItems: { [TableName]: { Keys: [...keys], ConsistentRead: true } } }),
      );
      for (const item of Responses?.[TableName] ?? []) bots.set(String(item.bot_id), toBot(item));
      return UnprocessedKeys?.[TableName]?.Keys ?? [];
    });
    return bot_ids.flatMap((bot_id) => bots.get(bot_id) ?? []);
  };

  /** The keys of one page of a batch's index, from shard to shard; one key more shows that there is another page. */
  const listKeys = async ({ batch_id, state, limit }: BotQuery, start: BotCursor | undefined) => {
    const keys: BotCursor[] = [];
    for (const shard of shards.slice(start?.shard ?? 0)) {
      const batch_shard = nameBatchShard(batch_id, shard);
      const from = start?.shard === shard ? start : undefined;
      const page = await client.send(
        new QueryCommand({
          TableName,
          IndexName: 'by_batch',
          KeyConditionExpression: `batch_shard = :shard${state ? ' AND begins_with(state_key, :prefix)' : ''}`,
          ExpressionAttributeValues: { ':shard': batch_shard, ...(state && { ':prefix': `${state}#` }) },
          Limit: limit - keys.length + 1,
          ...(from && {
            ExclusiveStartKey: { ...botKey(from.bot_id), batch_shard, state_key: from.state_key },
          }),
        }),
      );
      for (const item of page.Items ?? []) {
        keys.push({ shard, state_key: String(item.state_key), bot_id: readBotId(item) });
      }
      if (keys.length > limit) break;
    }
    return keys;
  };

  return {
    readBot: async (bot_id) => {
      const item = await getItem(botKey(bot_id));
      return item && toBot(item);
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
      const start = query.cursor === undefined ? undefined : readCursor(botCursor, query.cursor);
      if (query.cursor !== undefined && !(start && isCursorOf(start, query.state))) return undefined;
      const keys = await listKeys(query, start);
      const page = keys.slice(0, query.limit);
      const last = page.at(-1);
      const items = await getBots(page.map((key) => key.bot_id));
      return keys.length > page.length && last ? { items, cursor: writeCursor({ ...last }) } : { items };
    },
  };
};
