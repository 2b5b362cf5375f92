/** A short run of rough-mixin.fire.ts. */
import { expect, test } from 'vitest';
import { expectedOf, runRough } from './rough-mixin.ts';

test('30 bots are registered by a Mixin that is rough to every call, and none waits for five minutes at once', async () => {
  const run = await runRough(30, 1);
  expect(run).toMatchObject(expectedOf(30));
  expect(run.longestWaitSeconds).toBeLessThan(300);
  expect(run.limitedPinCalls).toBeGreaterThan(0);
}, 120_000);
