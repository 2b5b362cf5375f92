/**
 * What the fault-injection suites count. Each count is a line of the file that ENLIST_FIRE_COUNTS names; report.ts adds
 * them up. Without that variable (in `npm test`) nothing is written.
 */
import { appendFileSync } from 'node:fs';

/** What was tried, and what must be 0 at the end. */
export const tried = ['points', 'histories', 'inputs', 'answers', 'bots', 'guards'] as const;
export const harm = ['keys_lost', 'double_keys', 'double_paid_calls', 'unexpected_5xx'] as const;
export type Count = (typeof tried)[number] | (typeof harm)[number];

export type Counts = Partial<Record<Count, number>>;

/** Adds to the counts of a suite, whether its test passes or not. */
export const addCounts = (suite: string, counts: Counts): void => {
  const file = process.env.ENLIST_FIRE_COUNTS;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ suite, counts })}\n`);
};
