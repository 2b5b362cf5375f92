import fc from 'fast-check';
import { expect, test } from 'vitest';
import { measureProgress } from '../../lib/batches/progress.ts';
import type { BotCounts, StateCounts } from '../../lib/model/ports.ts';
import { type BotState, states } from '../../lib/model/states.ts';
import { buildBatch, NOW } from '../helpers/services.ts';

/** Counts of bots, none of them of an enrolment. */
const bots = (counts: StateCounts, more: Partial<BotCounts> = {}): BotCounts => ({
  states: counts,
  network_users: {},
  sign_ins: {},
  followed_by: {},
  ...more,
});

test('every state is counted, zeroes included', () => {
  const { states: counts } = measureProgress(buildBatch({ total: 3 }), bots({ queued: 2, blocked: 1 }), NOW);
  expect(Object.keys(counts)).toEqual([...states]);
  expect(counts).toMatchObject({ queued: 2, blocked: 1, registered: 0 });
});

test('speed and remaining time are computed from the bots that finished since the batch was created, ten minutes ago', () => {
  const counts = { registered: 30, external: 5, blocked: 3, failed: 2, registering: 20, waiting: 20 };
  expect(
    measureProgress(buildBatch({ total: 85, invalid: 3, duplicates: 2 }), bots(counts), NOW),
  ).toMatchObject({
    accepted: 80,
    finished: 40,
    not_in_batch: 0,
    percent_done: 50,
    bots_per_minute: 4,
    eta_seconds: 600,
  });
});

test('there is no speed before the first bot is finished, nor when the batch was created this moment', () => {
  const nothing = { bots_per_minute: null, eta_seconds: null };
  expect(measureProgress(buildBatch({ total: 2 }), bots({ queued: 2 }), NOW)).toMatchObject(nothing);
  const fresh = buildBatch({ total: 2, created_at: new Date(NOW).toISOString() });
  expect(measureProgress(fresh, bots({ registered: 1, queued: 1 }), NOW)).toMatchObject(nothing);
});

test('percent_done is rounded down, so that 100 means that all bots are finished', () => {
  const almost = measureProgress(buildBatch({ total: 1_000 }), bots({ registered: 999, unsure: 1 }), NOW);
  expect(almost.percent_done).toBe(99);
  const complete = measureProgress(buildBatch({ total: 1_000 }), bots({ registered: 1_000 }), NOW);
  expect(complete).toMatchObject({ percent_done: 100, eta_seconds: null, bots_per_minute: null });
});

test('bots of a later list count as not_in_batch once their batch is imported', () => {
  expect(measureProgress(buildBatch({ total: 10 }), bots({ registered: 4 }), NOW)).toMatchObject({
    not_in_batch: 6,
    percent_done: 100,
  });
  const importing = buildBatch({ total: 10, status: 'importing' });
  expect(measureProgress(importing, bots({ registered: 4 }), NOW)).toMatchObject({
    not_in_batch: 0,
    percent_done: 40,
  });
});

test.each([
  ['received', 0],
  ['rejected', 100],
  ['importing', 0],
  ['stuck', 0],
  ['imported', 100],
] as const)(
  'a list without an accepted row whose status is %s is finished to %i %%',
  (status, percent_done) => {
    expect(measureProgress(buildBatch({ status, total: 2, invalid: 2 }), bots({}), NOW).percent_done).toBe(
      percent_done,
    );
  },
);

test('the numbers stay within their bounds for any counts', () => {
  const count = fc.nat({ max: 50 });
  const counts = fc.record(
    Object.fromEntries(states.map((state) => [state, count])) as Record<BotState, typeof count>,
  );
  const status = fc.constantFrom('importing', 'imported', 'stuck');
  fc.assert(
    fc.property(counts, count, status, (states, more, state) => {
      const inBatch = Object.values(states).reduce((sum, n) => sum + n, 0) - states.enrolled;
      const batch = buildBatch({ total: inBatch + more + 7, invalid: 4, duplicates: 3, status: state });
      const progress = measureProgress(batch, bots(states), NOW);
      expect(progress.accepted).toBe(inBatch + more);
      expect(progress.finished + progress.not_in_batch).toBeLessThanOrEqual(progress.accepted);
      expect(progress.percent_done).toBeGreaterThanOrEqual(0);
      expect(progress.percent_done).toBeLessThanOrEqual(100);
      const open = states.queued + states.enrolling + states.registering + states.waiting + states.unsure;
      if (open > 0) expect(progress.percent_done).toBeLessThan(100);
      if (progress.eta_seconds !== null) expect(progress.eta_seconds).toBeGreaterThan(0);
    }),
  );
});

test('an enrolled row does not count besides the account that was created for it', () => {
  const counts = bots({ registered: 2, queued: 1, enrolled: 3 }, { network_users: { enrolled: 3 } });
  expect(measureProgress(buildBatch({ total: 3 }), counts, NOW)).toMatchObject({
    accepted: 3,
    finished: 2,
    not_in_batch: 0,
    percent_done: 66,
  });
});

test('an unsure enrolment counts as finished until an operator acts, and any other unsure bot does not', () => {
  const finished = bots(
    { registered: 1, unsure: 2 },
    { network_users: { unsure: 1 }, sign_ins: { unsure: 1 } },
  );
  expect(measureProgress(buildBatch({ total: 3 }), finished, NOW)).toMatchObject({
    finished: 3,
    percent_done: 100,
  });
  const open = bots({ registered: 1, unsure: 2 }, { network_users: { unsure: 1 } });
  expect(measureProgress(buildBatch({ total: 3 }), open, NOW)).toMatchObject({
    finished: 2,
    percent_done: 66,
  });
});
