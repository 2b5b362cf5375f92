/**
 * How a count is made: all keys of a batch's index are read, and no rows. A key contains the state of its bot and, of
 * an enrolment, the kind. What other batches follow is counted from the notes that the moves of the bots left.
 */
import type { BotCounts, StateCounts, Table } from '../../model/ports.ts';
import type { BotState } from '../../model/states.ts';
import { readFollowed, readIndexKeys } from './batch-keys.ts';
import type { Items } from './items.ts';
import type { StateKey } from './state-index.ts';

const addOne = (counts: StateCounts, state: BotState) => {
  counts[state] = (counts[state] ?? 0) + 1;
};

const countKeys = (keys: readonly StateKey[]): Omit<BotCounts, 'followed_by'> => {
  const counts = { states: {}, network_users: {}, sign_ins: {} };
  for (const { state, kind } of keys) {
    addOne(counts.states, state);
    if (kind === 'network_user') addOne(counts.network_users, state);
    if (kind === 'sign_in') addOne(counts.sign_ins, state);
  }
  return counts;
};

/** A bot whose move was cut off, or that came back, counts in this batch and is followed by no other. */
const countFollowed = (keys: readonly StateKey[], followed: ReadonlyMap<string, string>) => {
  const own = new Set(keys.map(({ bot_id }) => bot_id));
  const counts: Record<string, number> = {};
  for (const [bot_id, batch_id] of followed) {
    if (!own.has(bot_id)) counts[batch_id] = (counts[batch_id] ?? 0) + 1;
  }
  return counts;
};

export const createCounts = (TableName: string, items: Items): Pick<Table, 'countBots'> => ({
  countBots: async (batch_id) => {
    const [keys, followed] = await Promise.all([
      readIndexKeys(TableName, items, batch_id),
      readFollowed(TableName, items, batch_id),
    ]);
    return { ...countKeys(keys), followed_by: countFollowed(keys, followed) };
  },
});
