import { randomUUID } from 'node:crypto';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Context } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHandler as createAccounts } from '../../functions/accounts.ts';
import { createHandler as createApi } from '../../functions/api.ts';
import { createHandler as createCheck } from '../../functions/check.ts';
import { createHandler as createEnroll } from '../../functions/enroll.ts';
import { createHandler as createIntake } from '../../functions/intake.ts';
import { createHandler as createRecheck } from '../../functions/recheck.ts';
import { createHandler as createRegister } from '../../functions/register.ts';
import { type FunctionName, functionNames } from '../../lib/model/deployment.ts';
import type { Services } from '../../lib/model/ports.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';
import type { CreateHandler } from '../../lib/runtime/handler.ts';
import { isEmptyEvent } from '../../lib/runtime/middlewares/smoke-test.ts';
import { runSmokeTest, type SmokeTestOptions, type SmokeTestReport } from '../../lib/runtime/smoke-test.ts';
import { enlist, jsonLines } from '../cli/run.ts';
import { startStack, type TestStack } from '../helpers/stack.ts';

const createHandlers: Readonly<Record<FunctionName, CreateHandler>> = {
  api: createApi,
  accounts: createAccounts,
  intake: createIntake,
  enroll: createEnroll,
  check: createCheck,
  register: createRegister,
  recheck: createRecheck,
};
let stack: TestStack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const context = {
  awsRequestId: randomUUID(),
  getRemainingTimeInMillis: () => 29_000,
} as unknown as Context;

/** Sends an empty event to a function in the environment of the embedded stack, with some changes. */
const ask = async (name: FunctionName, changes: Environment = {}, lines: string[] = []) => {
  const handler = createHandlers[name](
    { ...stack.embedded.environment, ...changes },
    (line) => void lines.push(line),
  );
  return (await handler({}, context)) as SmokeTestReport;
};
const failing = ({ checks }: SmokeTestReport) => checks.filter(({ ok }) => !ok);

describe('smoke tests', () => {
  test.each(functionNames)(
    'an empty event makes %s try everything that it may use, and log nothing',
    async (name) => {
      const lines: string[] = [];
      const report = await ask(name, {}, lines);
      expect(report).toMatchObject({ function: name, ok: true });
      expect(failing(report)).toEqual([]);
      expect(report.checks[0]).toEqual({ what: 'table', ok: true });
      expect(lines).toEqual([]);
    },
  );

  test('a smoke test sends no message, writes no log line and only GETs from Mixin', async () => {
    const { aws, queueUrls } = readConfig(stack.embedded.environment);
    const sqs = new SQSClient({
      region: aws.region,
      endpoint: aws.endpoints.sqs ?? '',
      ...(aws.credentials && { credentials: aws.credentials }),
    });
    for (const QueueUrl of Object.values(queueUrls)) {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      expect(Attributes).toMatchObject({
        ApproximateNumberOfMessages: '0',
        ApproximateNumberOfMessagesNotVisible: '0',
      });
    }
    sqs.destroy();
    expect(stack.logs).toEqual([]);
    expect(new Set(stack.standIn.ledger().map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set(['GET /']),
    );
  });

  const missingQueue = () => `${stack.embedded.environment.AWS_ENDPOINT_URL_SQS}/000000000000/missing`;
  /** Another service that has the same protocol. */
  const anotherService = () => stack.embedded.environment.AWS_ENDPOINT_URL_DYNAMODB;
  test.each([
    ['table', 'ENLIST_TABLE', 'missing', functionNames, 'ResourceNotFoundException'],
    ['uploads', 'ENLIST_UPLOADS_BUCKET', 'missing', ['api', 'intake'], 'NoSuchBucket'],
    [
      'vault',
      'AWS_ENDPOINT_URL_SECRETS_MANAGER',
      anotherService,
      ['accounts', 'intake', 'enroll', 'check', 'register'],
      'SyntaxError',
    ],
    ['mixin', 'MIXIN_URL', 'http://127.0.0.1:2', ['accounts', 'enroll', 'check', 'register'], 'ECONNREFUSED'],
    ['queue intake', 'ENLIST_INTAKE_QUEUE_URL', missingQueue, ['api', 'intake'], 'QueueDoesNotExist'],
    [
      'queue enroll',
      'ENLIST_ENROLL_QUEUE_URL',
      missingQueue,
      ['api', 'accounts', 'intake', 'enroll', 'check', 'recheck'],
      'QueueDoesNotExist',
    ],
    [
      'queue check',
      'ENLIST_CHECK_QUEUE_URL',
      missingQueue,
      functionNames.filter((name) => name !== 'accounts'),
      'QueueDoesNotExist',
    ],
    ['queue register', 'ENLIST_REGISTER_QUEUE_URL', missingQueue, ['check', 'register'], 'QueueDoesNotExist'],
  ] as const)(
    'the check of %s, and no other, fails with an invalid %s',
    async (what, variable, value, names, code) => {
      const wrong = typeof value === 'string' ? value : value();
      const answers = await Promise.all(functionNames.map((name) => ask(name, { [variable]: wrong })));
      for (const answer of answers) {
        const isHit = (names as readonly string[]).includes(answer.function);
        const failure = {
          what,
          ok: false,
          code,
          message: `Could not reach ${what} (${code}).`,
          fix: expect.stringMatching(/^Check .*\.$/),
        };
        expect(failing(answer)).toEqual(isHit ? [failure] : []);
        expect(answer.ok).toBe(!isHit);
      }
    },
  );

  /** The options of a smoke test, with other services. */
  const optionsWith = (services: Services): SmokeTestOptions => {
    const config = readConfig(stack.embedded.environment);
    return { ...connect(config, () => undefined), services, mixinUrl: config.mixinUrl };
  };

  test('a failed check reports the code of its error, never its text', async () => {
    const failWithText = () =>
      Promise.reject(Object.assign(new Error('CANARY'), { name: 'Odd', code: 'E_ODD' }));
    const services = {
      ...stack.services,
      table: { ...stack.services.table, readBot: failWithText },
    } as Services;
    const answer = await runSmokeTest('recheck', optionsWith(services));
    expect(failing(answer)).toMatchObject([{ what: 'table', code: 'E_ODD' }]);
    expect(JSON.stringify(answer)).not.toContain('CANARY');
  });

  test('a check without an answer fails in time', async () => {
    const services = {
      ...stack.services,
      vault: { ...stack.services.vault, readKeystore: () => new Promise<never>(() => undefined) },
    } as Services;
    const answer = await runSmokeTest('check', { ...optionsWith(services), timeoutMs: 300 });
    expect(failing(answer)).toMatchObject([{ what: 'vault', code: 'TimeoutError' }]);
  });

  test('AccessDenied from the bucket is no failure for the api, which may not read it, and a failure for intake', async () => {
    const refuse = () => Promise.reject(Object.assign(new Error('no'), { name: 'AccessDenied' }));
    const services = {
      ...stack.services,
      uploads: { ...stack.services.uploads, get: refuse },
    } as Services;
    expect((await runSmokeTest('api', optionsWith(services))).ok).toBe(true);
    expect(failing(await runSmokeTest('intake', optionsWith(services)))).toMatchObject([
      { what: 'uploads', code: 'AccessDenied' },
    ]);
  });
});

describe('events that are not empty', () => {
  test.each([
    [{}, true],
    [null, true],
    [undefined, true],
    [{ Records: [] }, false],
    [{ version: '0', 'detail-type': 'Scheduled Event', detail: '{}' }, false],
    [{ version: '2.0', requestContext: {} }, false],
    [{ detail: {} }, false],
    [{ step: 'recheck' }, false],
    ['', false],
    [[], false],
  ])('the event %j counts as empty: %s', (event, expected) => expect(isEmptyEvent(event)).toBe(expected));

  test('messages and schedules are processed as usual', async () => {
    const handler = createCheck(stack.embedded.environment, () => undefined);
    expect(await handler({ Records: [] }, context)).toEqual({ batchItemFailures: [] });
    await stack.embedded.recheckNow();
    expect(stack.logs.some((line) => line.includes('"swept"') || line.includes('"recheck"'))).toBe(true);
  });
});

describe('Invoke of the embedded stack', () => {
  const invoke = async (name: string, body: string, headers: Record<string, string> = {}) => {
    const url = `${stack.embedded.url}/2015-03-31/functions/${name}/invocations`;
    const answer = await fetch(url, { method: 'POST', body, headers });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as unknown };
  };

  test('Invoke runs the same handlers as AWS', async () => {
    const report = await invoke('register', '{}');
    expect(report).toMatchObject({ status: 200, body: { function: 'register', ok: true } });
    expect(report.headers.get('x-amz-function-error')).toBeNull();
    expect((await invoke('check', '{"Records":[]}')).body).toEqual({ batchItemFailures: [] });
  });

  test('Invoke answers a crash with FunctionError', async () => {
    const crash = await invoke('check', '{"Records":7}');
    expect(crash).toMatchObject({ status: 200, body: { errorType: 'TypeError' } });
    expect(crash.headers.get('x-amz-function-error')).toBe('Unhandled');
  });

  test('Invoke refuses the requests that Lambda refuses', async () => {
    expect(await invoke('nothing', '{}')).toMatchObject({ status: 404 });
    expect((await invoke('nothing', '{}')).headers.get('x-amzn-errortype')).toBe('ResourceNotFoundException');
    expect(await invoke('check', '{')).toMatchObject({ status: 400 });
    expect(await invoke('check', '{}', { 'x-amz-invocation-type': 'Event' })).toMatchObject({ status: 400 });
    expect(await invoke('check', '{}', { origin: 'https://example.com' })).toMatchObject({ status: 403 });
  });

  test('enlist doctor shows the smoke tests of all functions', async () => {
    const [text, json] = await Promise.all([
      enlist(['doctor', '--api', stack.embedded.url]),
      enlist(['doctor', '--api', stack.embedded.url, '--json']),
    ]);
    expect(text).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('Everything works at'),
    });
    const [answer] = jsonLines(json);
    const http = { function: 'http', ok: true, checks: [{ what: 'answers', ok: true }] };
    const findings = await Promise.all(functionNames.map((name) => ask(name)));
    expect(answer).toEqual({ ok: true, findings: [http, ...findings] });
  });
});
