/** The short version of throttled.fire.ts: a small list, and an AWS that accepts very few calls. */
import { expect, test } from 'vitest';
import {
  allBots,
  countResults,
  createApiClient,
  makeList,
  noHarm,
  runToEnd,
  startThrottledStack,
} from './throttled.ts';

test('a list finishes at the pace that AWS allows, and nothing is lost', async () => {
  const rates = {
    secretWrites: 10,
    secretReads: 40,
    tableWrites: 20,
    tableReads: 25,
    queues: 15,
    uploads: 5,
  };
  await using embedded = await startThrottledStack(rates);
  const list = await makeList(embedded.stack, { world: 0, fresh: 6, users: 3 });
  const api = createApiClient(embedded.stack);
  const batch_id = await runToEnd(embedded.stack, api, list, 50_000);
  const {
    ThrottlingException,
    ProvisionedThroughputExceededException: table,
    Failed,
  } = embedded.aws.refusals;
  expect([ThrottlingException, table, Failed].map((count) => count > 0)).toEqual([true, true, true]);
  const results = await countResults(embedded, list, await allBots(api, batch_id));
  expect({ ...results, unexpected_5xx: api.unexpected_5xx() }).toEqual({ ...noHarm, unexpected_5xx: 0 });
});
