/** The short cut of throttled.fire.ts: a small list, and an AWS that takes very little. */
import { expect, test } from 'vitest';
import { allBots, askApi, bringToRest, clean, makeList, openThrottledHouse, takeStock } from './throttled.ts';

test('a list comes to rest at the pace that AWS allows, and nothing is lost', async () => {
  const rates = {
    secretWrites: 10,
    secretReads: 40,
    tableWrites: 20,
    tableReads: 25,
    queues: 15,
    uploads: 5,
  };
  await using house = await openThrottledHouse(rates);
  const listed = await makeList(house.lived, { world: 0, fresh: 6, users: 3 });
  const api = askApi(house.lived);
  const batch_id = await bringToRest(house.lived, api, listed, 50_000);
  const { ThrottlingException, ProvisionedThroughputExceededException: table, Failed } = house.aws.refusals;
  expect([ThrottlingException, table, Failed].map((count) => count > 0)).toEqual([true, true, true]);
  const stock = await takeStock(house, listed, await allBots(api, batch_id));
  expect({ ...stock, unexpected_5xx: api.unexpected_5xx() }).toEqual({ ...clean, unexpected_5xx: 0 });
});
