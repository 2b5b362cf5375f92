import fc from 'fast-check';
import { expect, test } from 'vitest';
import { after, chanceFrom, retryDelaySeconds } from '../../lib/bots/backoff.ts';
import { timing } from '../../lib/model/timing.ts';

const attempts = fc.nat({ max: 10_000 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** The whole pause, before chance cuts into it. */
const full = (tries: number) => Math.min(timing.retryMaxSeconds, timing.retryBaseSeconds * 2 ** tries);

test('a pause is a whole number of seconds from the upper half of what has doubled so far', () => {
  fc.assert(
    fc.property(attempts, chance, (tries, luck) => {
      const seconds = retryDelaySeconds(tries, luck);
      expect(Number.isInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(full(tries) / 2);
      expect(seconds).toBeLessThanOrEqual(full(tries));
    }),
  );
});

test('it never gets shorter with the tries, and doubles until the maximum', () => {
  fc.assert(
    fc.property(attempts, chance, (tries, luck) => {
      expect(retryDelaySeconds(tries + 1, luck)).toBeGreaterThanOrEqual(retryDelaySeconds(tries, luck));
    }),
  );
  expect([0, 1, 2, 3].map((tries) => retryDelaySeconds(tries, 0.999_999))).toEqual([5, 10, 20, 40]);
  expect(retryDelaySeconds(10_000, 0.999_999)).toBe(timing.retryMaxSeconds);
});

test('bots that met trouble together do not come back together', () => {
  const delays = new Set(Array.from({ length: 100 }, (_, i) => retryDelaySeconds(6, i / 100)));
  expect(delays.size).toBeGreaterThan(90);
  expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(0.4 * full(6));
});

test('four bytes make a number from 0 up to 1, wherever they lie in their buffer', () => {
  expect(chanceFrom(Uint8Array.of(0, 0, 0, 0))).toBe(0);
  expect(chanceFrom(Uint8Array.of(0x80, 0, 0, 0))).toBe(0.5);
  expect(chanceFrom(Uint8Array.of(255, 255, 255, 255))).toBeLessThan(1);
  expect(chanceFrom(Uint8Array.of(255, 255, 0x40, 0, 0, 0).subarray(2))).toBe(0.25);
});

test('after counts in seconds', () => {
  expect(after(Date.parse('2026-11-21T00:00:00Z'), 90.5)).toBe('2026-11-21T00:01:30.500Z');
});
