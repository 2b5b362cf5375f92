/** A thousand random histories, different ones each time. ENLIST_HISTORIES_SEED and _PATH repeat one of them. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { addCounts } from './counts.ts';
import { runHistories } from './histories.ts';

const {
  ENLIST_HISTORIES: histories = '1000',
  ENLIST_HISTORIES_SEED: seed = String(randomInt(2 ** 31)),
  ENLIST_HISTORIES_PATH: path,
} = process.env;

test(`${histories} random histories (seed ${seed}) lose no key and register none twice`, async () => {
  let bots = 0;
  await runHistories(
    {
      histories: Number(histories),
      seed: Number(seed),
      ...(path !== undefined && { path }),
      command: 'npx vitest run --config vitest.fire.config.ts histories',
    },
    (result) => {
      bots += result.bots;
      addCounts('random histories', { histories: 1, ...result });
    },
  );
  expect(bots).toBeGreaterThan(0);
});
