/** AWS throttles all four services: the work slows, and nothing is lost. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { tally } from './tally.ts';
import {
  allBots,
  askApi,
  bringToRest,
  clean,
  type Listed,
  makeList,
  openThrottledHouse,
  type ThrottledHouse,
  takeStock,
} from './throttled.ts';
import type { Rates } from './throttled-aws.ts';

const MINUTE_MS = 60_000;

const ratesOf = (all: number): Rates => ({
  secretWrites: all,
  secretReads: all,
  tableWrites: all,
  tableReads: all,
  queues: all,
  uploads: all,
});

type Api = ReturnType<typeof askApi>;

/**
 * Nobody is astray and nothing was lost; the counts go to the report whatever came out.
 * @param mayDoubt for who was being paid for when the table took nothing any more
 */
const expectClean = async (
  house: ThrottledHouse,
  api: Api,
  listed: Listed,
  batch_id: string,
  mayDoubt = false,
) => {
  Object.assign(house.aws.rates, ratesOf(10_000));
  const unexpected_5xx = api.unexpected_5xx();
  const stock = await takeStock(house, listed, await allBots(api, batch_id));
  const { keys_lost, double_keys, double_paid_calls } = stock;
  const harm = { keys_lost, double_keys, double_paid_calls, unexpected_5xx };
  tally('throttled AWS', { bots: listed.rows.length, ...harm });
  const in_doubt = mayDoubt ? stock.in_doubt : 0;
  const noted = house.lived.logs.filter((line) => line.includes('account_not_recorded'));
  expect({ ...stock, unexpected_5xx }).toEqual({ ...clean, unexpected_5xx: 0, in_doubt });
  // What the log says of a row is true of it.
  expect(noted.length).toBeLessThanOrEqual(in_doubt);
  expect(house.lived.logs.filter((line) => line.includes('handler_crashed'))).toEqual([]);
};

describe('a list of hundreds', () => {
  test('comes to rest at the pace that AWS allows', async () => {
    // Secrets Manager as AWS has it, the others as slow as this machine makes them matter.
    const rates = {
      secretWrites: 50,
      secretReads: 100,
      tableWrites: 100,
      tableReads: 40,
      queues: 20,
      uploads: 5,
    };
    await using house = await openThrottledHouse(rates);
    const listed = await makeList(house.lived, { world: 300, fresh: 0, users: 40 });
    const api = askApi(house.lived);
    const batch_id = await bringToRest(house.lived, api, listed, 10 * MINUTE_MS);
    await allBots(api, batch_id);
    const refusals = { ...house.aws.refusals };
    await expectClean(house, api, listed, batch_id);
    const never = Object.entries(refusals).filter(([, count]) => count === 0);
    expect(never).toEqual([]);
  });
});

describe('two minutes in which AWS takes nothing', () => {
  test('put everything off, and nothing into the dead letters', async () => {
    const rates = ratesOf(2_000);
    await using house = await openThrottledHouse(rates);
    const listed = await makeList(house.lived, { world: 60, fresh: 0, users: 10 });
    const api = askApi(house.lived);
    const rest = bringToRest(house.lived, api, listed, 10 * MINUTE_MS);
    await new Promise((wake) => setTimeout(wake, 3_000));
    Object.assign(rates, { secretWrites: 0, secretReads: 0, tableWrites: 0, tableReads: 0 });
    await new Promise((wake) => setTimeout(wake, 2 * MINUTE_MS));
    Object.assign(rates, ratesOf(2_000));
    const batch_id = await rest;
    expect(api.problems.length).toBeGreaterThan(0);
    await expectClean(house, api, listed, batch_id, true);
    // Messages were throttled at their last delivery, and fresh ones took their place.
    const isLast = (line: string) => /"record_throttled".*"receive_count":5/.test(line);
    expect(house.lived.logs.filter(isLast).length).toBeGreaterThan(0);
  });
});

describe('the API', () => {
  test('says within its time to try again, as a problem document, whatever AWS refuses', async () => {
    await using house = await openThrottledHouse(ratesOf(0));
    const { url } = house.lived.house;
    const json = { 'content-type': 'application/json' };
    const post = (path: string, body: unknown) =>
      fetch(url + path, { method: 'POST', headers: json, body: JSON.stringify(body) });
    const answers = await Promise.all([
      fetch(`${url}/batches/${randomUUID()}`),
      fetch(`${url}/bots/${randomUUID()}`),
      post('/batches', [{}]),
      post(`/batches/${randomUUID()}/retry`, {}),
      post(`/accounts/verifications/${randomUUID()}`, { code: '1234' }),
    ]);
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({
        code: 'throttled',
        fix: expect.stringMatching(/same request again/),
      });
    }
  });
});
