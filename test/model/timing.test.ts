import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  computeRetryDelaySeconds,
  isoTimeAfter,
  isWaitOver,
  readFraction,
  timing,
} from '../../lib/model/timing.ts';

const counts = fc.nat({ max: 10_000 });
const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** The longest pause that can be chosen. */
const full = (attempts: number) => Math.min(timing.retryMaxSeconds, timing.retryBaseSeconds * 2 ** attempts);

test('a pause is a whole number of seconds from the upper half of the longest one', () => {
  fc.assert(
    fc.property(counts, fractions, (attempts, fraction) => {
      const seconds = computeRetryDelaySeconds(attempts, fraction);
      expect(Number.isInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(full(attempts) / 2);
      expect(seconds).toBeLessThanOrEqual(full(attempts));
    }),
  );
});

test('the pause never gets shorter with more attempts, and doubles up to the maximum', () => {
  fc.assert(
    fc.property(counts, fractions, (attempts, fraction) => {
      expect(computeRetryDelaySeconds(attempts + 1, fraction)).toBeGreaterThanOrEqual(
        computeRetryDelaySeconds(attempts, fraction),
      );
    }),
  );
  expect([0, 1, 2, 3].map((attempts) => computeRetryDelaySeconds(attempts, 0.999_999))).toEqual([
    5, 10, 20, 40,
  ]);
  expect(computeRetryDelaySeconds(10_000, 0.999_999)).toBe(timing.retryMaxSeconds);
});

test('bots that failed together have different pauses', () => {
  const delays = new Set(Array.from({ length: 100 }, (_, i) => computeRetryDelaySeconds(6, i / 100)));
  expect(delays.size).toBeGreaterThan(90);
  expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(0.4 * full(6));
});

test('four bytes make a number from 0 up to 1, at any place of their buffer', () => {
  expect(readFraction(Uint8Array.of(0, 0, 0, 0))).toBe(0);
  expect(readFraction(Uint8Array.of(0x80, 0, 0, 0))).toBe(0.5);
  expect(readFraction(Uint8Array.of(255, 255, 255, 255))).toBeLessThan(1);
  expect(readFraction(Uint8Array.of(255, 255, 0x40, 0, 0, 0).subarray(2))).toBe(0.25);
});

test('isoTimeAfter counts in seconds', () => {
  expect(isoTimeAfter(Date.parse('2026-11-21T00:00:00Z'), 90.5)).toBe('2026-11-21T00:01:30.500Z');
});

test('a pause counts as over a little early, because SQS counts whole seconds', () => {
  const wait_until = '2026-11-21T00:00:10.000Z';
  const isOver = (time: string) => isWaitOver({ wait_until }, Date.parse(time));
  expect(isOver('2026-11-21T00:00:08.000Z')).toBe(false);
  expect(isOver('2026-11-21T00:00:09.000Z')).toBe(true);
  expect(isWaitOver({}, 0)).toBe(true);
});
