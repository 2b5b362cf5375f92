/**
 * Ten thousand bots, a fault in one call of twenty, and a power cut. ENLIST_SOAK_BOTS sets the number of bots,
 * ENLIST_SOAK_SHARE the share of calls with a fault.
 */
import { expect, test } from 'vitest';
import { addCounts } from './counts.ts';
import { type SoakFigures, soak } from './soak.ts';

const bots = Number(process.env.ENLIST_SOAK_BOTS ?? 10_000);
const share = Number(process.env.ENLIST_SOAK_SHARE ?? 0.05);

/** Megabytes a minute that noise explains. */
const FLAT_MB = 1;
/** With fewer bots the run is too short to measure memory. */
const MIN_BOTS_FOR_GROWTH = 5_000;

const print = (line: string) => void process.stdout.write(`${new Date().toISOString()} ${line}\n`);

test(`${bots} bots end as expected, and the functions' memory does not grow`, async () => {
  const figures: SoakFigures = await soak({ bots, share, print });
  const { keys_lost, double_keys, double_paid_calls, unexpected_5xx } = figures;
  addCounts('soak', { bots, keys_lost, double_keys, double_paid_calls, unexpected_5xx });
  print(JSON.stringify(figures));
  expect(figures).toMatchObject({
    keys_lost: 0,
    double_keys: 0,
    double_paid_calls: 0,
    unexpected_5xx: 0,
    wrong_ends: [],
  });
  expect(figures.keys_bound).toBeGreaterThan(bots / 3);
  if (bots < MIN_BOTS_FOR_GROWTH) return print('Too short to say whether the functions grow.');
  expect(figures.growth.heap_mb.per_minute).toBeLessThan(FLAT_MB);
});
