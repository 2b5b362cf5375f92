/**
 * How a count is made: all keys of a batch's index are read, and no rows. A key contains the state of its bot and, of
 * an enrolment, the kind.
 */
import type { BotCounts, StateCounts, Table } from '../../model/ports.ts';
import type { BotState } from '../../model/states.ts';
import type { Items } from './items.ts';
import { nameBatchShard, readStateKey, shards } from './state-index.ts';

const addOne = (counts: StateCounts, state: BotState) => {
  counts[state] = (counts[state] ?? 0) + 1;
};

const countKeys = (keys: readonly string[]): BotCounts => {
  const counts = { states: {}, network_users: {}, sign_ins: {} };
  for (const key of keys) {
    const parts = readStateKey(key);
    if (!parts) throw new Error('the index holds a key that this version of Enlist did not write');
    addOne(counts.states, parts.state);
    if (parts.kind === 'network_user') addOne(counts.network_users, parts.state);
    if (parts.kind === 'sign_in') addOne(counts.sign_ins, parts.state);
  }
  return counts;
};

export const createCounts = (TableName: string, { queryAll }: Items): Pick<Table, 'countBots'> => ({
  countBots: async (batch_id) => {
    const pages = await Promise.all(
      shards.map((shard) =>
        queryAll({
          TableName,
          IndexName: 'by_batch',
          KeyConditionExpression: 'batch_shard = :shard',
          ExpressionAttributeValues: { ':shard': nameBatchShard(batch_id, shard) },
          ProjectionExpression: 'state_key',
        }),
      ),
    );
    return countKeys(pages.flat().map((item) => String(item.state_key)));
  },
});
