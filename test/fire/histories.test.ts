/** Some random histories for `npm test`; histories.fire.ts runs a thousand. */
import { expect, test } from 'vitest';
import { runHistories } from './histories.ts';

const HISTORIES = 50;
/** The same histories in every run, so that a failure comes from a change of the code. */
const SEED = 20_261_122;

test(`${HISTORIES} random histories lose no key and register none twice`, async () => {
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
