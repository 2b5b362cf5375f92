/** Three hundred bots and a Mixin that is rough to every call, with three seeds. */
import { expect, test } from 'vitest';
import { expectedOf, runRough } from './rough-mixin.ts';

test.each([1, 2, 3])(
  'with seed %i, 300 bots are registered by a rough Mixin, and none waits for five minutes at once',
  async (seed) => {
    const run = await runRough(300, seed);
    expect(run).toMatchObject(expectedOf(300));
    expect(run.longestWaitSeconds).toBeLessThan(300);
    expect(run.limitedPinCalls).toBeGreaterThan(10);
  },
  900_000,
);
