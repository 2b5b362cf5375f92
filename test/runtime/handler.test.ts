import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context, SQSBatchResponse } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHandler as createAccounts } from '../../functions/accounts.ts';
import { createHandler as createApi } from '../../functions/api.ts';
import { createHandler as createCheck } from '../../functions/check.ts';
import { createHandler as createEnroll } from '../../functions/enroll.ts';
import { createHandler as createIntake } from '../../functions/intake.ts';
import { createHandler as createRegister } from '../../functions/register.ts';
import { type HttpFunctionName, type RouteName, routes } from '../../lib/api/contract.ts';
import type { Answers, HttpRequest } from '../../lib/api/http.ts';
import { SchemaError } from '../../lib/aws/table/items.ts';
import { giveUpBot } from '../../lib/bots/crash.ts';
import { queueNames, queues } from '../../lib/model/deployment.ts';
import type { Services } from '../../lib/model/ports.ts';
import type { Environment } from '../../lib/runtime/config.ts';
import { lazily } from '../../lib/runtime/handler.ts';
import { httpFunction } from '../../lib/runtime/http-function.ts';
import { type QueueStep, queueFunction } from '../../lib/runtime/queue-function.ts';
import { scheduledFunction } from '../../lib/runtime/scheduled-function.ts';

/** A server in place of AWS: it answers every call with an empty body, or refuses every call, or throttles DynamoDB. */
let refusing = false;
let throttling = false;
const calls: { readonly action: string; readonly input: Record<string, unknown> }[] = [];
const aws = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const action = String(request.headers['x-amz-target']).replace(/^.*\./, '');
  calls.push({ action, input: JSON.parse(Buffer.concat(chunks).toString() || '{}') });
  const isThrottled = throttling && action === 'GetItem';
  response
    .writeHead(refusing || isThrottled ? 400 : 200, { 'content-type': 'application/x-amz-json-1.0' })
    .end(isThrottled ? '{"__type":"ProvisionedThroughputExceededException"}' : '{}');
});
let environment: Environment;

beforeAll(async () => {
  await new Promise<void>((resolve) => aws.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(aws.address() as AddressInfo).port}`;
  environment = {
    ENLIST_TABLE: 'enlist',
    ENLIST_UPLOADS_BUCKET: 'uploads',
    ENLIST_SECRET_PREFIX: 'enlist',
    ENLIST_INTAKE_QUEUE_URL: `${url}/1/intake`,
    ENLIST_ENROLL_QUEUE_URL: `${url}/1/enroll`,
    ENLIST_CHECK_QUEUE_URL: `${url}/1/check`,
    ENLIST_REGISTER_QUEUE_URL: `${url}/1/register`,
    MIXIN_URL: url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL: url,
  };
});
beforeEach(() => {
  calls.splice(0);
  refusing = false;
  throttling = false;
});
afterAll(() => {
  aws.closeAllConnections();
  aws.close();
});

const contextWith = (remainingMs: number) =>
  ({ awsRequestId: randomUUID(), getRemainingTimeInMillis: () => remainingMs }) as unknown as Context;
const context = contextWith(30_000);

/** Collects log lines, and parses them. */
const logInto = () => {
  const lines: string[] = [];
  return {
    write: (line: string) => void lines.push(line),
    lines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    text: () => lines.join('\n'),
  };
};

describe('lazily', () => {
  const createLazily = (results: ('fine' | 'broken')[]) => {
    const received: Environment[] = [];
    const handler = lazily((env) => {
      received.push(env);
      if (results.shift() === 'broken') throw new Error('environment variables missing or wrong');
      return async (event) => ({ event });
    });
    return { handler, seen: received };
  };

  test('the handler is built once, at the first event, from the environment of the process', async () => {
    const { handler, seen: received } = createLazily(['fine']);
    expect(received).toEqual([]);
    expect(await Promise.all([handler(1, context), handler(2, context)])).toEqual([
      { event: 1 },
      { event: 2 },
    ]);
    expect(await handler(3, context)).toEqual({ event: 3 });
    expect(received).toEqual([process.env]);
    expect(received[0]).toBe(process.env);
  });

  test('after a failed build the next event builds the handler again', async () => {
    const { handler, seen: received } = createLazily(['broken', 'fine']);
    await expect((async () => handler(1, context))()).rejects.toThrow('environment');
    expect(await handler(2, context)).toEqual({ event: 2 });
    expect(received).toHaveLength(2);
  });
});

describe('a queue function', () => {
  const record = (body: string, receive_count = 1) => ({
    messageId: randomUUID(),
    receiptHandle: randomUUID(),
    body,
    attributes: { ApproximateReceiveCount: String(receive_count) },
  });
  type TestRecord = ReturnType<typeof record>;

  const run = async (handle: QueueStep['handle'], records: readonly TestRecord[], invocation = context) => {
    const log = logInto();
    const handler = queueFunction('check', { handle, giveUp: giveUpBot })(environment, log.write);
    const answer = await handler({ Records: records }, invocation);
    return { answer, log };
  };
  const failing = (...records: readonly TestRecord[]) => ({
    batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })),
  });

  test('a step gets each message as parsed JSON, and a deadline before the end of the invocation', async () => {
    const received: unknown[] = [];
    const before = Date.now();
    const { answer } = await run(
      async (_services, body, deadlineMs) => {
        received.push(body);
        expect(deadlineMs).toBeGreaterThanOrEqual(before + 28_000);
        expect(deadlineMs).toBeLessThanOrEqual(Date.now() + 29_500);
      },
      [record('{"n":1}'), record('{"n":2}')],
    );
    expect(received).toEqual([{ n: 1 }, { n: 2 }]);
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(calls).toEqual([]);
  });

  test('only the message whose step throws comes back, and soon', async () => {
    const records = [record('{"n":1}'), record('{"n":2}', 3), record('{"n":3}')];
    const [, bad] = records as [TestRecord, TestRecord, TestRecord];
    const { answer, log } = await run(async (_services, body) => {
      if ((body as { n: number }).n === 2) throw new TypeError('CANARY');
    }, records);
    expect(answer).toEqual(failing(bad));
    expect(calls).toEqual([
      {
        action: 'ChangeMessageVisibility',
        input: {
          QueueUrl: environment.ENLIST_CHECK_QUEUE_URL,
          ReceiptHandle: bad.receiptHandle,
          VisibilityTimeout: 4,
        },
      },
    ]);
    expect(log.lines()).toMatchObject([
      {
        code: 'record_crashed',
        step: 'check',
        message_id: bad.messageId,
        receive_count: 3,
        error: 'TypeError',
      },
    ]);
    expect(log.text()).not.toContain('CANARY');
  });

  test('a body that is not JSON fails alone and is not quoted', async () => {
    const records = [record('CANARY {'), record('{}')];
    const { answer, log } = await run(async () => undefined, records);
    expect(answer).toEqual(failing(records[0] as TestRecord));
    expect(log.lines()).toMatchObject([{ error: 'SyntaxError' }]);
    expect(log.text()).not.toContain('CANARY');
  });

  test('a thrown value that is not an Error is logged by its type', async () => {
    const { log } = await run(() => Promise.reject('CANARY'), [record('{}')]);
    expect(log.lines()).toMatchObject([{ error: 'string' }]);
    expect(log.text()).not.toContain('CANARY');
  });

  test('only the last delivery of a message gives it up', async () => {
    const last = queues.check.maxReceiveCount;
    const body = JSON.stringify({ bot_id: randomUUID() });
    const crash: QueueStep['handle'] = async () => {
      throw new Error('no');
    };
    await run(crash, [record(body, last - 1)]);
    expect(calls.map(({ action }) => action)).toEqual(['ChangeMessageVisibility']);
    calls.splice(0);
    await run(crash, [record(body, last)]);
    expect(calls.map(({ action }) => action)).toEqual(['GetItem', 'ChangeMessageVisibility']);
  });

  test('a message that cannot be given up fails, and its two errors are logged', async () => {
    const bad = record(JSON.stringify({ bot_id: randomUUID() }), queues.check.maxReceiveCount);
    refusing = true;
    const { answer, log } = await run(async () => {
      throw new Error('no');
    }, [bad]);
    expect(answer).toEqual(failing(bad));
    expect(log.lines().map(({ code, message_id }) => [code, message_id])).toEqual([
      ['record_crashed', bad.messageId],
      ['record_crashed', bad.messageId],
    ]);
  });

  test('a step that does not end in time fails its message, and the other messages succeed', async () => {
    const records = [record('{"hang":true}'), record('{}')];
    const { answer, log } = await run(
      (_services, body) =>
        'hang' in (body as object) ? new Promise<void>(() => undefined) : Promise.resolve(),
      records,
      contextWith(1_020),
    );
    expect(answer).toEqual(failing(records[0] as TestRecord));
    expect(log.lines()).toMatchObject([{ code: 'record_crashed', error: 'OutOfTime' }]);
  });

  describe('while AWS is unavailable', () => {
    const last = queues.check.maxReceiveCount - 1;
    const body = JSON.stringify({ bot_id: randomUUID() });
    const crashWith =
      (name: string, $metadata = {}): QueueStep['handle'] =>
      () =>
        Promise.reject(Object.assign(new Error('CANARY'), { name, $metadata }));

    test.each([
      ['ThrottlingException', {}],
      ['ProvisionedThroughputExceededException', {}],
      ['RequestThrottled', {}],
      ['SlowDown', {}],
      ['TimeoutError', {}],
      ['InternalServerError', { httpStatusCode: 500 }],
      ['UnknownError', { httpStatusCode: 503 }],
    ])(
      'a message that AWS was unavailable for comes back after a pause that grows, and is sent again as a new one before its last delivery: %s',
      async (name, metadata) => {
        const early = record(body, last - 1);
        const late = record(body, last);
        const { answer, log } = await run(crashWith(name, metadata), [early]);
        expect(answer).toEqual(failing(early));
        expect(calls.map(({ action }) => action)).toEqual(['ChangeMessageVisibility']);
        expect(log.lines()).toMatchObject([{ level: 'warn', code: 'aws_unavailable', error: name }]);
        expect(calls[0]?.input.VisibilityTimeout).toBe(9);
        calls.splice(0);
        const group = { ...late, attributes: { ...late.attributes, MessageGroupId: 'a-batch' } };
        expect((await run(crashWith(name, metadata), [group])).answer).toEqual(failing());
        const Entries = [{ Id: '0', MessageBody: body, MessageGroupId: 'a-batch', DelaySeconds: 60 }];
        expect(calls).toMatchObject([{ action: 'SendMessageBatch', input: { Entries } }]);
      },
    );

    test('a message fails when no new one can be sent', async () => {
      const late = record(body, last);
      refusing = true;
      expect((await run(crashWith('SlowDown'), [late])).answer).toEqual(failing(late));
    });

    test('a step that runs out of time because AWS is unavailable has not crashed', async () => {
      throttling = true;
      const reading: QueueStep['handle'] = async (services) =>
        void (await services.table.readBot(randomUUID()));
      const { log } = await run(reading, [record(body)], contextWith(1_300));
      expect(log.lines()).toMatchObject([{ code: 'aws_unavailable', error: 'OutOfTime' }]);
    });

    test('denied access is no crash, and its log line has a code of its own', async () => {
      const { log } = await run(crashWith('AccessDeniedException'), [record(body)]);
      expect(log.lines()).toMatchObject([{ code: 'aws_denied', error: 'AccessDeniedException' }]);
    });

    test('a full quota is a crash, because waiting does not help', async () => {
      const { log } = await run(crashWith('LimitExceededException'), [record(body)]);
      expect(log.lines()).toMatchObject([{ code: 'record_crashed', error: 'LimitExceededException' }]);
    });
  });

  test('a missing variable fails the build', () => {
    expect(() => queueFunction('check', { handle: async () => undefined, giveUp: giveUpBot })({})).toThrow(
      'ENLIST_TABLE',
    );
  });
});

describe('a scheduled function', () => {
  /** As EventBridge Scheduler sends it. */
  const tick = { version: '0', 'detail-type': 'Scheduled Event', source: 'aws.scheduler', detail: '{}' };

  test('a scheduled step gets its deadline, and its error fails the invocation', async () => {
    let deadline = 0;
    const log = logInto();
    const fine = scheduledFunction('recheck', async (services, deadlineMs) => {
      deadline = deadlineMs;
      services.log('info', 'swept', { count: 2 });
    })(environment, log.write);
    await fine(tick, context);
    expect(Math.abs(deadline - Date.now() - 29_000)).toBeLessThan(1_000);
    expect(log.lines()).toMatchObject([{ step: 'recheck', code: 'swept', count: 2 }]);
    const broken = scheduledFunction('recheck', async () => {
      throw new Error('the alarm must ring');
    })(environment, log.write);
    await expect(broken(tick, context)).rejects.toThrow('the alarm must ring');
  });
});

describe('an HTTP function', () => {
  const received: { readonly route: RouteName; readonly request: HttpRequest }[] = [];
  beforeEach(() => void received.splice(0));
  const echo = Object.fromEntries(
    (Object.keys(routes) as RouteName[]).map((route) => [
      route,
      async (_services: unknown, request: HttpRequest) => {
        received.push({ route, request });
        return { status: 200, body: { route } };
      },
    ]),
  ) as unknown as Answers<HttpFunctionName>;

  const event = (method: string, path: string, more: Record<string, unknown> = {}) => ({
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: {},
    isBase64Encoded: false,
    requestContext: { http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' } },
    ...more,
  });
  interface Answer {
    readonly statusCode: number;
    readonly headers: Record<string, string>;
    readonly body: string;
  }
  const ask = async (
    eventOrOther: unknown,
    answers = echo,
    name: HttpFunctionName = 'api',
    invocation = context,
  ) => {
    const log = logInto();
    const answer = (await httpFunction(name, answers)(environment, log.write)(
      eventOrOther,
      invocation,
    )) as Answer;
    return { ...answer, json: JSON.parse(answer.body) as Record<string, unknown>, log };
  };

  const id = randomUUID();
  describe.each(Object.entries(routes) as [RouteName, (typeof routes)[RouteName]][])(
    'the route %s',
    (name, route) => {
      const path = route.path.replace(/\{\w+\}/, id);

      test('the function of a route answers it', async () => {
        const answer = await ask(event(route.method, path), echo, route.function);
        expect(answer).toMatchObject({ statusCode: 200, headers: { 'content-type': 'application/json' } });
        expect(answer.json).toEqual({ route: name });
        const ids = Object.values(received[0]?.request.path ?? {});
        expect(ids).toEqual(route.path.includes('{') ? [id] : []);
      });

      test('the other function does not answer a route', async () => {
        const other = route.function === 'api' ? 'accounts' : 'api';
        const answer = await ask(event(route.method, path), echo, other);
        expect(answer).toMatchObject({ statusCode: 404, json: { code: 'no_such_route' } });
        expect(received).toEqual([]);
      });
    },
  );

  test('an HTTP handler gets query, body and headers with names in lower case', async () => {
    await ask(
      event('POST', '/batches', {
        headers: { 'Content-Type': 'Text/CSV', 'IDEMPOTENCY-KEY': 'My-Key', accept: '*/*' },
        queryStringParameters: { limit: '5' },
        body: 'é,b',
      }),
    );
    const [{ request } = { request: undefined }] = received;
    expect(request).toMatchObject({
      headers: { 'content-type': 'Text/CSV', 'idempotency-key': 'My-Key', accept: '*/*' },
      query: { limit: '5' },
      path: {},
    });
    expect(Buffer.from(request?.body ?? []).toString()).toBe('é,b');
  });

  test('a body in base64 is decoded byte for byte, and a missing body is empty', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    await ask(event('POST', '/batches', { body: bytes.toString('base64'), isBase64Encoded: true }));
    await ask(event('POST', '/batches'));
    expect(received.map(({ request }) => [...request.body])).toEqual([[...bytes], []]);
  });

  test.each([
    ['GET', '/'],
    ['GET', '/batches'],
    ['DELETE', `/batches/${id}`],
    ['POST', '/batches/x/y/z'],
    ['GET', '/constructor'],
    ['GET', '/__proto__'],
  ])('the request %s %s is a problem document: no such route', async (method, path) => {
    const answer = await ask(event(method, path));
    expect(answer).toMatchObject({
      statusCode: 404,
      headers: { 'content-type': 'application/problem+json' },
    });
    expect(answer.json).toMatchObject({ type: 'about:blank', status: 404, code: 'no_such_route' });
    expect(received).toEqual([]);
  });

  test('the headers of an answer are sent, and an error answer has the type of a problem document', async () => {
    const answers = {
      ...echo,
      createBatch: async () => ({ status: 202, body: {}, headers: { location: '/batches/1' } }),
      readBot: async () => ({ status: 404, body: {} }),
    };
    expect(await ask(event('POST', '/batches'), answers)).toMatchObject({
      statusCode: 202,
      headers: { 'content-type': 'application/json', location: '/batches/1' },
    });
    expect((await ask(event('GET', '/bots/x'), answers)).headers['content-type']).toBe(
      'application/problem+json',
    );
  });

  test('an unexpected error is answered with a problem document, and its text is neither sent nor logged', async () => {
    const answers = {
      ...echo,
      readBot: async () => {
        throw new RangeError('CANARY');
      },
    };
    const answer = await ask(event('GET', '/bots/x'), answers);
    expect(answer).toMatchObject({
      statusCode: 500,
      headers: { 'content-type': 'application/problem+json' },
    });
    expect(answer.json).toMatchObject({ type: 'about:blank', status: 500, code: 'internal_error' });
    expect(answer.log.lines()).toMatchObject([{ step: 'api', code: 'request_failed', error: 'RangeError' }]);
    expect(`${answer.body}${answer.log.text()}`).not.toContain('CANARY');
  });

  test('a row of another version is answered with a problem document that says so', async () => {
    const answers = {
      ...echo,
      readBot: async () => {
        throw new SchemaError(2);
      },
    };
    const answer = await ask(event('GET', '/bots/x'), answers);
    expect(answer).toMatchObject({ statusCode: 500, json: { code: 'other_schema' } });
    expect(answer.log.lines()).toMatchObject([{ code: 'request_failed', error: 'other_schema' }]);
  });

  describe('requests while AWS is unavailable', () => {
    const reading = {
      ...echo,
      readBot: async (services: Services) => ({
        status: 200,
        body: await services.table.readBot(randomUUID()),
      }),
    } as unknown as typeof echo;
    const throwing = (name: string) => ({
      ...echo,
      readBot: () => Promise.reject(Object.assign(new Error('CANARY'), { name, $metadata: {} })),
    });
    const eventOrOther = event('GET', '/bots/x');

    test.each([
      ['ThrottlingException', 'aws_unavailable'],
      ['TimeoutError', 'aws_unavailable'],
      ['AccessDeniedException', 'aws_denied'],
    ])('a request that fails with %s gets a problem document that says to try again', async (name, code) => {
      const answer = await ask(eventOrOther, throwing(name));
      expect(answer).toMatchObject({
        statusCode: 503,
        headers: { 'content-type': 'application/problem+json', 'retry-after': '5' },
        json: { status: 503, code: 'aws_unavailable', fix: expect.stringContaining('again') },
      });
      expect(answer.log.lines()).toMatchObject([{ level: 'warn', code }]);
      expect(`${answer.body}${answer.log.text()}`).not.toContain('CANARY');
    });

    test('a request that AWS throttles is answered before the function times out', async () => {
      throttling = true;
      const answer = await ask(eventOrOther, reading, 'api', contextWith(1_300));
      expect(answer).toMatchObject({ statusCode: 503, json: { code: 'aws_unavailable' } });
    });

    test('a request that takes too long while AWS answers is an internal error', async () => {
      const never = { ...echo, readBot: () => new Promise<never>(() => undefined) };
      const answer = await ask(eventOrOther, never, 'api', contextWith(1_050));
      expect(answer).toMatchObject({ statusCode: 500, json: { code: 'internal_error' } });
    });
  });

  test('an event that is not an HTTP request gets a problem document too', async () => {
    expect((await ask({ version: '2.0', headers: {} })).statusCode).toBe(500);
  });
});

describe('the exported handlers of functions/', () => {
  const queueHandlers = {
    check: createCheck,
    enroll: createEnroll,
    intake: createIntake,
    register: createRegister,
  };
  const record = (body: string, ApproximateReceiveCount: string) => ({
    messageId: 'm1',
    receiptHandle: 'r1',
    body,
    attributes: { ApproximateReceiveCount },
  });
  const bodies = { check: 'bot_id', enroll: 'bot_id', intake: 'batch_id', register: 'bot_id' } as const;

  test.each(queueNames)('%s returns only the message that is not JSON', async (name) => {
    const log = logInto();
    const handler = queueHandlers[name](environment, log.write);
    const Records = [record('CANARY {', '1'), { ...record('{}', '1'), messageId: 'm2' }];
    const { batchItemFailures } = (await handler({ Records }, context)) as SQSBatchResponse;
    expect(batchItemFailures).toContainEqual({ itemIdentifier: 'm1' });
    expect(log.lines()).toContainEqual(
      expect.objectContaining({ code: 'record_crashed', step: name, message_id: 'm1', error: 'SyntaxError' }),
    );
    expect(log.text()).not.toContain('CANARY');
  });

  test.each(queueNames)(
    '%s sends a message that AWS throttled again before its last delivery',
    async (name) => {
      throttling = true;
      const log = logInto();
      const last = String(queues[name].maxReceiveCount - 1);
      const body = JSON.stringify({ [bodies[name]]: randomUUID() });
      const event = { Records: [record(body, last)] };
      const answer = await queueHandlers[name](environment, log.write)(event, contextWith(1_300));
      expect(answer).toEqual({ batchItemFailures: [] });
      expect(calls.map(({ action }) => action)).toContain('SendMessageBatch');
      expect(log.lines()).toMatchObject([{ code: 'aws_unavailable', step: name }]);
    },
  );

  test.each([
    ['api', createApi],
    ['accounts', createAccounts],
  ] as const)('%s answers an unknown route with a problem document', async (name, createHandler) => {
    const log = logInto();
    const event = {
      version: '2.0',
      headers: {},
      requestContext: { http: { method: 'GET', path: '/nothing' } },
    };
    const answer = await createHandler(environment, log.write)(event, context);
    expect([name, answer]).toMatchObject([
      name,
      { statusCode: 404, headers: { 'content-type': 'application/problem+json' } },
    ]);
  });
});
