/** How a batch fares, out of its record and the counts of its bots. Pure. */

import type { Batch } from '../model/batch.ts';
import type { BotCounts } from '../model/ports.ts';
import { type BotState, states } from '../model/states.ts';

/** A batch whose list has just come. @param nowMs milliseconds since 1970 */
export const newBatch = (batch_id: string, nowMs: number): Batch => ({
  batch_id,
  status: 'received',
  created_at: new Date(nowMs).toISOString(),
  total: 0,
  invalid: 0,
  duplicates: 0,
  chunks: 0,
  chunks_done: [],
});

const restStates: readonly BotState[] = ['registered', 'external', 'blocked', 'failed'];

export interface BatchProgress {
  /** Every state, zeroes included. */
  readonly states: Readonly<Record<BotState, number>>;
  /** Rows that should make bots of this batch. */
  readonly accepted: number;
  /** Bots that no step will touch by itself, audits aside. */
  readonly finished: number;
  /** Rows whose bot a later list named again, or that intake refused (their errors tell). */
  readonly not_in_batch: number;
  readonly percent_done: number;
  readonly bots_per_minute: number | null;
  readonly eta_seconds: number | null;
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** @param counts bots of the batch by state, @param nowMs milliseconds since 1970 */
export const measureProgress = (batch: Batch, counts: BotCounts, nowMs: number): BatchProgress => {
  const all = Object.fromEntries(states.map((state) => [state, counts.states[state] ?? 0])) as Record<
    BotState,
    number
  >;
  const accepted = batch.total - batch.invalid - batch.duplicates;
  // The row of an enrolment that ended stands for an account that has a row of its own now.
  const here = sum(Object.values(all)) - all.enrolled;
  const not_in_batch = batch.status === 'imported' ? Math.max(0, accepted - here) : 0;
  const inDoubt = (counts.network_users.unsure ?? 0) + (counts.sign_ins.unsure ?? 0);
  const finished = sum(restStates.map((state) => all[state])) + inDoubt;
  const open = accepted - not_in_batch - finished;
  const ended = batch.status === 'rejected' || (batch.status === 'imported' && open === 0);
  const minutes = (nowMs - Date.parse(batch.created_at)) / 60_000;
  const rate = finished > 0 && minutes > 0 && !ended ? finished / minutes : null;
  const whole = accepted - not_in_batch;
  return {
    states: all,
    accepted,
    finished: finished,
    not_in_batch: not_in_batch,
    percent_done: ended ? 100 : whole > 0 ? Math.floor((100 * finished) / whole) : 0,
    bots_per_minute: rate === null ? null : Math.round(rate * 10) / 10,
    eta_seconds: rate === null ? null : Math.ceil((60 * open) / rate),
  };
};
