/** A thousand random histories, other ones each time. ENLIST_HISTORIES_SEED and _PATH lead back to one of them. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { runHistories } from './histories.ts';
import { tally } from './tally.ts';

const {
  ENLIST_HISTORIES: histories = '1000',
  ENLIST_HISTORIES_SEED: seed = String(randomInt(2 ** 31)),
  ENLIST_HISTORIES_PATH: path,
} = process.env;

test(`${histories} random histories (seed ${seed}) lose no key and bind none twice`, async () => {
  let bots = 0;
  await runHistories(
    {
      histories: Number(histories),
      seed: Number(seed),
      ...(path !== undefined && { path }),
      command: 'npx vitest run --config vitest.fire.config.ts histories',
    },
    (told) => {
      bots += told.bots;
      tally('random histories', { histories: 1, ...told });
    },
  );
  expect(bots).toBeGreaterThan(0);
});
