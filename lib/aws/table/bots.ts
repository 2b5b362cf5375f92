/** The rows of bots, and the two indexes over them. */
import { BatchGetCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Bot, BotChanges } from '../../model/bot.ts';
import { table as shape } from '../../model/deployment.ts';
import type { BotCounts, BotQuery, Page, StateCounts, Table } from '../../model/ports.ts';
import { type BotState, states } from '../../model/states.ts';
import { pauseAfter } from '../throttling.ts';
import {
  type Item,
  type Items,
  type ItemsOptions,
  isConditionFailure,
  readCursor,
  updateParts,
  withoutOwn,
  writeCursor,
} from './items.ts';

const BATCH_GET_MAX = 100;
const shards = Array.from({ length: shape.shards }, (_, shard) => shard);

const botKey = (bot_id: string) => ({ pk: `bot#${bot_id}`, sk: 'bot' });

/** Ids are random, so their first digits spread evenly over the index partitions. */
const shardOf = (bot_id: string) => Number.parseInt(bot_id.slice(0, 2), 16) % shape.shards;

type Indexed = Pick<Bot, 'bot_id' | 'batch_id' | 'state' | 'due_at' | 'enrolment'>;

/** `<state>#<bot_id>`, with the kind between them on the row of an enrolment: counts need not read the rows. */
const stateKey = ({ state, enrolment, bot_id }: Indexed) =>
  enrolment ? `${state}#${enrolment.kind}#${bot_id}` : `${state}#${bot_id}`;

/** The index attributes that follow from a bot's own attributes. */
const indexAttributes = (bot: Indexed): Item => ({
  batch_shard: `${bot.batch_id}#${shardOf(bot.bot_id)}`,
  state_key: stateKey(bot),
  due_shard: bot.due_at === undefined ? undefined : `due#${shardOf(bot.bot_id)}`,
});

const toBot = (item: Item): Bot => {
  const bot = withoutOwn(item) as unknown as Bot;
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
/** A cursor of ours points at the key that its bot has in the index, and fits the question. */
const fits = ({ shard, state_key, bot_id }: z.infer<typeof botCursor>, state: BotState | undefined) => {
  const its = state_key.slice(0, state_key.indexOf('#'));
  const ways = ['', '#network_user', '#sign_in'].map((kind) => `${its}${kind}#${bot_id}`);
  const known = (states as readonly string[]).includes(its) && ways.includes(state_key);
  return known && shard === shardOf(bot_id) && (state === undefined || its === state);
};

const addOne = (counts: StateCounts, state: BotState) => {
  counts[state] = (counts[state] ?? 0) + 1;
};

const countByKey = (stateKeys: readonly string[]): BotCounts => {
  const counts = { states: {}, network_users: {}, sign_ins: {} };
  for (const key of stateKeys) {
    const [state, kind] = key.split('#') as [BotState, string];
    addOne(counts.states, state);
    if (kind === 'network_user') addOne(counts.network_users, state);
    if (kind === 'sign_in') addOne(counts.sign_ins, state);
  }
  return counts;
};

/** What must hold for a write of a bot: as it was read, in one of these states, its key and iterator kept. */
const expectationOf = (bot: Bot, changes: BotChanges, from: readonly BotState[] = []) => {
  const states = from.map((state, i) => [`:from${i}`, state] as const);
  const conditions = [
    '#revision = :expected_revision',
    ...(states.length > 0 ? [`#state IN (${states.map(([name]) => name).join(', ')})`] : []),
    ...(changes.public_key === undefined
      ? []
      : ['(attribute_not_exists(#public_key) OR #public_key = :public_key)']),
    ...(changes.pin_iterator === undefined
      ? []
      : ['(attribute_not_exists(#pin_iterator) OR #pin_iterator < :pin_iterator)']),
  ];
  return {
    condition: conditions.join(' AND '),
    names: states.length > 0 ? { '#state': 'state' } : {},
    values: { ':expected_revision': bot.revision, ...Object.fromEntries(states) },
  };
};

export type BotRows = Pick<
  Table,
  'readBot' | 'createBot' | 'updateBot' | 'listDueBots' | 'listBots' | 'countBots'
>;

export const createBotRows = (
  { client, tableName: TableName, randomId }: ItemsOptions,
  { getItem, ourOwnWrite, putNew, queryAll }: Items,
): BotRows => {
  const getBots = async (bot_ids: readonly string[]): Promise<Bot[]> => {
    const found = new Map<string, Bot>();
    let keys = bot_ids.map(botKey) as Item[];
    for (let attempt = 0; keys.length > 0; ) {
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetCommand({
          RequestItems: { [TableName]: { Keys: keys.slice(0, BATCH_GET_MAX), ConsistentRead: true } },
        }),
      );
      for (const item of Responses?.[TableName] ?? []) found.set(String(item.bot_id), toBot(item));
      const again = UnprocessedKeys?.[TableName]?.Keys ?? [];
      keys = [...again, ...keys.slice(BATCH_GET_MAX)];
      if (again.length > 0) await pauseAfter(attempt, `DynamoDB left ${again.length} items unread`);
      attempt = again.length > 0 ? attempt + 1 : 0;
    }
    return bot_ids.flatMap((bot_id) => found.get(bot_id) ?? []);
  };

  /** One page of a batch's index, going on from shard to shard until the limit is met. */
  const listKeys = async (
    { batch_id, state, limit }: BotQuery,
    start: z.infer<typeof botCursor> | undefined,
  ) => {
    const keys: { shard: number; state_key: string; bot_id: string }[] = [];
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
            ExclusiveStartKey: { ...botKey(from.bot_id), batch_shard, state_key: from.state_key },
          }),
        }),
      );
      for (const item of page.Items ?? []) {
        keys.push({
          shard,
          state_key: String(item.state_key),
          bot_id: String(item.pk).slice('bot#'.length),
        });
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
      const item = await putNew(botKey(bot.bot_id), { ...bot, ...indexAttributes(bot) });
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
      const expected = expectationOf(bot, changes, from);
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName,
            Key: botKey(bot.bot_id),
            ...parts,
            ExpressionAttributeNames: { ...parts.ExpressionAttributeNames, ...expected.names },
            ExpressionAttributeValues: { ...parts.ExpressionAttributeValues, ...expected.values },
            ConditionExpression: expected.condition,
            ReturnValues: 'ALL_NEW',
          }),
        );
        return Attributes && toBot(Attributes);
      } catch (error) {
        if (!isConditionFailure(error)) throw error;
        const item = await ourOwnWrite(botKey(bot.bot_id), write_id);
        return item && toBot(item);
      }
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
      return (Items ?? []).map((item) => String(item.pk).slice('bot#'.length));
    },

    listBots: async (query): Promise<Page<Bot> | undefined> => {
      const start = query.cursor === undefined ? undefined : readCursor(botCursor, query.cursor);
      if (query.cursor !== undefined && !(start && fits(start, query.state))) return undefined;
      const keys = await listKeys(query, start);
      const page = keys.slice(0, query.limit);
      const last = page.at(-1);
      const items = await getBots(page.map((key) => key.bot_id));
      return keys.length > page.length && last ? { items, cursor: writeCursor({ ...last }) } : { items };
    },

    countBots: async (batch_id) => {
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
      return countByKey(pages.flat().map((item) => String(item.state_key)));
    },
  };
};
