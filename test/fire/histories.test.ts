/** Some random histories for `npm test`; histories.fire.ts runs a thousand. */
import { expect, test } from 'vitest';
import { runHistories } from './histories.ts';

const HISTORIES = 50;
/** Always the same histories: a failure here comes from a change. */
const SEED = 20_261_122;

test(`${HISTORIES} random histories lose no key and bind none twice`, async () => {
  let bots = 0;
  const { ENLIST_HISTORIES_SEED: seed, ENLIST_HISTORIES_PATH: path } = process.env;
  await runHistories(
    {
      histories: HISTORIES,
      seed: Number(seed ?? SEED),
      ...(path !== undefined && { path }),
      command: 'npx vitest run test/fire/histories.test.ts',
    },
    (result) => {
      bots += result.bots;
    },
  );
  expect(bots).toBeGreaterThan(path === undefined ? HISTORIES : 0);
}, 600_000);
