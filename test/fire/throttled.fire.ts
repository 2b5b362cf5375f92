/** AWS throttles all four services: the work slows down, and nothing is lost. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { addCounts } from './counts.ts';
import {
  allBots,
  countResults,
  createApiClient,
  type ExpectedList,
  makeList,
  noHarm,
  runThroughTrouble,
  runToEnd,
  sameRates,
  startThrottledStack,
  type ThrottledStack,
} from './throttled.ts';
import type { TroubleKind } from './throttled-aws.ts';

const MINUTE_MS = 60_000;

type Api = ReturnType<typeof createApiClient>;

/**
 * Expects every bot in the right state and no harm. The counts go to the report in any case.
 * @param mayBeUnsure for enrolments whose paid call was under way when the table refused every write
 */
const expectNoHarm = async (
  embedded: ThrottledStack,
  api: Api,
  list: ExpectedList,
  batch_id: string,
  mayBeUnsure = false,
) => {
  Object.assign(embedded.aws.rates, sameRates(10_000));
  const unexpected_5xx = api.unexpected_5xx();
  const results = await countResults(embedded, list, await allBots(api, batch_id));
  const { keys_lost, double_keys, double_paid_calls } = results;
  const harm = { keys_lost, double_keys, double_paid_calls, unexpected_5xx };
  addCounts('throttled AWS', { bots: list.rows.length, ...harm });
  const unsure = mayBeUnsure ? results.unsure : 0;
  const reports = embedded.stack.logs.filter((line) => line.includes('account_not_recorded'));
  expect({ ...results, unexpected_5xx }).toEqual({ ...noHarm, unexpected_5xx: 0, unsure });
  // The log never reports more than there is.
  expect(reports.length).toBeLessThanOrEqual(unsure);
  expect(embedded.stack.logs.filter((line) => line.includes('handler_crashed'))).toEqual([]);
};

describe('a list of hundreds', () => {
  test('a list of hundreds finishes at the pace that AWS allows', async () => {
    // Secrets Manager is as fast as on AWS, the others are slow enough to matter here.
    const rates = {
      secretWrites: 50,
      secretReads: 100,
      tableWrites: 100,
      tableReads: 40,
      queues: 20,
      uploads: 5,
    };
    await using embedded = await startThrottledStack(rates);
    const list = await makeList(embedded.stack, { world: 300, fresh: 0, users: 40 });
    const api = createApiClient(embedded.stack);
    const batch_id = await runToEnd(embedded.stack, api, list, 10 * MINUTE_MS);
    await allBots(api, batch_id);
    const refusals = { ...embedded.aws.refusals };
    await expectNoHarm(embedded, api, list, batch_id);
    const never = Object.entries(refusals).filter(([, count]) => count === 0);
    expect(never).toEqual([]);
  });
});

describe('two minutes in which AWS refuses everything', () => {
  test('two minutes in which AWS refuses everything put no message into a dead-letter queue', async () => {
    const rates = sameRates(2_000);
    await using embedded = await startThrottledStack(rates);
    const list = await makeList(embedded.stack, { world: 60, fresh: 0, users: 10 });
    const api = createApiClient(embedded.stack);
    const rest = runToEnd(embedded.stack, api, list, 10 * MINUTE_MS);
    await new Promise((wake) => setTimeout(wake, 3_000));
    Object.assign(rates, { secretWrites: 0, secretReads: 0, tableWrites: 0, tableReads: 0 });
    await new Promise((wake) => setTimeout(wake, 2 * MINUTE_MS));
    Object.assign(rates, sameRates(2_000));
    const batch_id = await rest;
    expect(api.problems.length).toBeGreaterThan(0);
    await expectNoHarm(embedded, api, list, batch_id, true);
    // Messages were replaced by new ones before their last delivery.
    const isLast = (line: string) => /"aws_unavailable".*"receive_count":4/.test(line);
    expect(embedded.stack.logs.filter(isLast).length).toBeGreaterThan(0);
  });
});

const THREE_MINUTES_MS = 3 * MINUTE_MS;

describe('a minute of trouble at all four services', () => {
  test.each<[string, TroubleKind, number]>([
    ['AWS answers 500 and breaks connections', 'fails', 255],
    ['AWS does not answer', 'silence', 40],
    ['a grant is taken away', 'grant_taken', 40],
    ['a KMS key is disabled', 'key_disabled', 40],
  ])('no bot is blocked while %s, and all are finished within three minutes', async (_name, kind, world) => {
    await using embedded = await startThrottledStack(sameRates(2_000), true);
    const list = await makeList(embedded.stack, { world, fresh: 0, users: 40 });
    const api = createApiClient(embedded.stack);
    const { batch_id, healedAfterMs } = await runThroughTrouble(embedded, api, list, kind, MINUTE_MS);
    process.stdout.write(`${kind}: all bots were finished after ${Math.round(healedAfterMs / 1_000)} s\n`);
    expect(healedAfterMs).toBeLessThan(THREE_MINUTES_MS);
    // An account that Mixin created while the table took no note is unsure, and nothing else is.
    await expectNoHarm(embedded, api, list, batch_id, true);
    expect(embedded.stack.logs.filter((line) => /"aws_(unavailable|denied)"/.test(line))).not.toEqual([]);
  });
});

describe('the API', () => {
  test('the API answers in time with a problem document that says to try again, whatever AWS refuses', async () => {
    await using embedded = await startThrottledStack(sameRates(0));
    const { url } = embedded.stack.embedded;
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
        code: 'aws_unavailable',
        fix: expect.stringMatching(/same request again/),
      });
    }
  });
});
