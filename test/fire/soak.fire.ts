/**
 * Ten thousand bots, trouble of every kind with one call in twenty, and a power cut. ENLIST_SOAK_BOTS changes how
 * many bots, ENLIST_SOAK_SHARE which part of the calls meets trouble.
 */
import { expect, test } from 'vitest';
import { type SoakFigures, soak } from './soak.ts';
import { tally } from './tally.ts';

const bots = Number(process.env.ENLIST_SOAK_BOTS ?? 10_000);
const share = Number(process.env.ENLIST_SOAK_SHARE ?? 0.05);

/** Megabytes a minute that noise explains. */
const FLAT_MB = 1;
/** Fewer are through before their memory tells anything. */
const JUDGED_BOTS = 5_000;

const say = (line: string) => void process.stdout.write(`${new Date().toISOString()} ${line}\n`);

test(`${bots} bots come to where they belong, and the functions do not grow`, async () => {
  const figures: SoakFigures = await soak({ bots, share, say });
  const { keys_lost, double_keys, double_paid_calls, unexpected_5xx } = figures;
  tally('soak', { bots, keys_lost, double_keys, double_paid_calls, unexpected_5xx });
  say(JSON.stringify(figures));
  expect(figures).toMatchObject({
    keys_lost: 0,
    double_keys: 0,
    double_paid_calls: 0,
    unexpected_5xx: 0,
    misled: [],
  });
  expect(figures.keys_bound).toBeGreaterThan(bots / 3);
  if (bots < JUDGED_BOTS) return say('Too short to say whether the functions grow.');
  expect(figures.growth.heap_mb.per_minute).toBeLessThan(FLAT_MB);
});
