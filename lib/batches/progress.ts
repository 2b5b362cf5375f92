/** The progress of a batch, from its record and the counts of its bots. Pure. */
import type { Batch } from '../model/batch.ts';
import type { BotCounts } from '../model/ports.ts';
import { type BotState, states } from '../model/states.ts';

const finishedStates: readonly BotState[] = ['registered', 'external', 'blocked', 'failed'];

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/**
 * @param counts bots of the batch by state
 * @param nowMs milliseconds since 1970
 * @returns fields of a batch as the API shows them (lib/api/schemas.ts)
 */
export const measureProgress = (batch: Batch, counts: BotCounts, nowMs: number) => {
  const byState = Object.fromEntries(states.map((state) => [state, counts.states[state] ?? 0])) as Record<
    BotState,
    number
  >;
  const accepted = batch.total - batch.invalid - batch.duplicates;
  // An enrolled row stands for an account that has a row of its own now.
  const inBatch = sum(Object.values(byState)) - byState.enrolled;
  const not_in_batch = batch.status === 'imported' ? Math.max(0, accepted - inBatch) : 0;
  const unsureEnrolments = (counts.network_users.unsure ?? 0) + (counts.sign_ins.unsure ?? 0);
  const finished = sum(finishedStates.map((state) => byState[state])) + unsureEnrolments;
  const open = accepted - not_in_batch - finished;
  const isOver = batch.status === 'rejected' || (batch.status === 'imported' && open === 0);
  const minutes = (nowMs - Date.parse(batch.created_at)) / 60_000;
  const rate = finished > 0 && minutes > 0 && !isOver ? finished / minutes : null;
  const expected = accepted - not_in_batch;
  return {
    states: byState,
    accepted,
    finished,
    not_in_batch,
    percent_done: isOver ? 100 : expected > 0 ? Math.floor((100 * finished) / expected) : 0,
    bots_per_minute: rate === null ? null : Math.round(rate * 10) / 10,
    eta_seconds: rate === null ? null : Math.ceil((60 * open) / rate),
  };
};
