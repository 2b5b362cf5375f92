import { type IncomingMessage, request } from 'node:http';
import { matchesGlob } from 'node:path';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { expect, onTestFinished, test } from 'vitest';
import { type GatewayOptions, startGateway } from '../../../infra/local/gateway.ts';
import type { Handler, LocalFunction } from '../../../infra/local/invocation.ts';
import { routes } from '../../../lib/api/contract.ts';
import { functions } from '../../../lib/model/deployment.ts';

type HttpHandler = Handler<APIGatewayProxyEventV2>;

const createFunction = (
  handler: HttpHandler,
  timeoutSeconds = 30,
): LocalFunction<APIGatewayProxyEventV2> => ({
  functionName: 'test',
  timeoutSeconds,
  handler,
});

/** The same function for every route. */
const everywhere = (handler: HttpHandler, timeoutSeconds?: number) => {
  const answering = createFunction(handler, timeoutSeconds);
  return { api: answering, accounts: answering };
};

interface Options extends Partial<GatewayOptions> {
  readonly timeoutSeconds?: number;
}

const start = async (handler: HttpHandler, { timeoutSeconds, ...options }: Options = {}) => {
  const functions = everywhere(handler, timeoutSeconds);
  const gateway = await startGateway({ functions, routes, ...options });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= gateway.stop();
    return stopping;
  };
  onTestFinished(stop);
  return { url: gateway.url, stop };
};

/** A gateway whose function records the events. */
const listen = async () => {
  const events: APIGatewayProxyEventV2[] = [];
  const { url } = await start(async (event) => {
    events.push(event);
    return { statusCode: 204 };
  });
  return { url, events, last: () => events.at(-1) };
};

/** Like fetch, but with any header. */
const raw = (url: string, headers: Record<string, string>): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume();
      resolve(response);
    })
      .on('error', reject)
      .end();
  });

test('a request becomes an event of payload format 2.0', async () => {
  const { url, last } = await listen();
  const response = await fetch(`${url}/batches/b%201/bots?state=failed&tag=a&tag=b%26c`, {
    headers: { 'X-Mixed-Case': 'Yes', 'user-agent': 'test' },
  });
  expect(response.status).toBe(204);
  const event = last();
  expect(event).toMatchObject({
    version: '2.0',
    routeKey: 'GET /batches/{batch_id}/bots',
    rawPath: '/batches/b%201/bots',
    rawQueryString: 'state=failed&tag=a&tag=b%26c',
    queryStringParameters: { state: 'failed', tag: 'a,b&c' },
    pathParameters: { batch_id: 'b 1' },
    isBase64Encoded: false,
    requestContext: {
      routeKey: 'GET /batches/{batch_id}/bots',
      stage: '$default',
      domainName: new URL(url).host,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      time: expect.stringMatching(/^\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
      http: {
        method: 'GET',
        path: '/batches/b%201/bots',
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: 'test',
      },
    },
  });
  expect(event?.headers).toMatchObject({ 'x-mixed-case': 'Yes' });
  expect(event?.body).toBeUndefined();
  expect(Math.abs((event?.requestContext.timeEpoch ?? 0) - Date.now())).toBeLessThan(5_000);
});

test.each([
  ['application/json', '{"a":"ä"}', '{"a":"ä"}', false],
  ['application/problem+json; charset=utf-8', '{}', '{}', false],
  ['text/csv', 'a,b', 'a,b', false],
  ['text/plain', Uint8Array.of(255, 0), '/wA=', true],
  ['application/zip', 'PK', 'UEs=', true],
  ['application/x-www-form-urlencoded', 'a=b', 'YT1i', true],
])('a body of %s reaches the function', async (type, body, expected, isBase64Encoded) => {
  const { url, last } = await listen();
  await fetch(`${url}/batches`, { method: 'POST', body, headers: { 'content-type': type } });
  expect(last()).toMatchObject({ body: expected, isBase64Encoded });
});

test('the answer has the function’s status, headers and bytes', async () => {
  const { url } = await start(async () => ({
    statusCode: 201,
    headers: { 'x-number': '7', 'content-type': 'application/zip' },
    body: Buffer.from([0, 255]).toString('base64'),
    isBase64Encoded: true,
  }));
  const response = await fetch(`${url}/batches`, { method: 'POST' });
  expect(response.status).toBe(201);
  expect(response.headers.get('x-number')).toBe('7');
  expect(response.headers.get('content-type')).toBe('application/zip');
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(Uint8Array.of(0, 255));
});

test.each([
  ['throws', async () => Promise.reject(new Error('the text of which stays here'))],
  ['answers a strange status', async () => ({ statusCode: 'fine' })],
  ['answers without a status', async () => ({ a: 1 })],
  ['answers nothing', async () => undefined],
  ['answers a body that is not a text', async () => ({ statusCode: 200, body: { a: 1 } })],
])('a function that %s is answered with 500, without its text', async (_what, handler) => {
  const { url } = await start(handler);
  const response = await fetch(`${url}/batches`, { method: 'POST' });
  expect(response.status).toBe(500);
  expect(await response.text()).toBe('{"message":"Internal Server Error"}');
});

test('onError is called for a failed invocation, with the name of its function', async () => {
  const errors: string[] = [];
  const { url } = await start(async () => Promise.reject(new Error('crash')), {
    onError: ({ message }, name) => errors.push(`${name}: ${message}`),
  });
  for (const path of ['/batches', '/accounts/verifications'])
    await fetch(`${url}${path}`, { method: 'POST' });
  expect(errors).toEqual(['api: crash', 'accounts: crash']);
});

test.each(Object.entries(routes))('the route %s goes to its function', async (_name, route) => {
  const says = (body: string) => createFunction(async () => ({ statusCode: 200, body }));
  const { url } = await start(async () => undefined, {
    functions: { api: says('api'), accounts: says('accounts') },
  });
  const path = route.path.replace(/\{\w+\}/, '1');
  const response = await fetch(`${url}${path}`, { method: route.method });
  expect(await response.text()).toBe(route.function);
});

test('each function has its own time-out', async () => {
  const never = () => new Promise<never>(() => undefined);
  const { url } = await start(never, {
    functions: {
      api: createFunction(async () => ({ statusCode: 204 })),
      accounts: createFunction(never, 0.02),
    },
  });
  expect((await fetch(`${url}/bots/1`)).status).toBe(204);
  expect((await fetch(`${url}/accounts/verifications`, { method: 'POST' })).status).toBe(500);
});

test.each([
  ['GET', '/'],
  ['GET', '/batches'],
  ['POST', '/batches/1'],
  ['GET', '/batches/'],
  ['GET', '/batches/1/'],
  ['GET', '/batches/1/nothing'],
])('the request %s %s is answered with 404', async (method, path) => {
  const { url, events } = await listen();
  const response = await fetch(`${url}${path}`, { method });
  expect(response.status).toBe(404);
  expect(await response.text()).toBe('{"message":"Not Found"}');
  expect(events).toEqual([]);
});

test('the functions of the API time out before API Gateway does, after 30 seconds', () => {
  for (const { function: name } of Object.values(routes))
    expect(functions[name].timeoutSeconds).toBeLessThan(30);
});

test('no path fits two routes, so their order does not matter', () => {
  const patterns = Object.values(routes).map(
    ({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '*')}`,
  );
  for (const one of patterns)
    for (const other of patterns) expect(one !== other && matchesGlob(one, other)).toBe(false);
});

test.each([
  ['10 MB and a byte', 10 * 1_048_576 + 1],
  ['more than Lambda takes', 6 * 1_048_576 + 1],
])('a body of %s is too large', async (_what, length) => {
  const { url, events } = await listen();
  const post = (bytes: number) =>
    fetch(`${url}/batches`, {
      method: 'POST',
      body: 'x'.repeat(bytes),
      headers: { 'content-type': 'text/csv' },
    });
  expect((await post(length)).status).toBe(413);
  expect(events).toEqual([]);
  expect((await post(5_000_000)).status).toBe(204);
});

test('a function that is too slow is a 500', async () => {
  const never = () => new Promise<never>(() => undefined);
  const slow = await start(never, { timeoutSeconds: 0.02 });
  expect((await fetch(`${slow.url}/batches`, { method: 'POST' })).status).toBe(500);
});

test.each([
  ['a Host that is not this machine', { host: 'rebound.example' }, 403],
  ['a Host that only looks like it', { host: '127.0.0.1.example:80' }, 403],
  ['the Origin of another site', { origin: 'https://evil.example' }, 403],
  ['the Origin of a local file', { origin: 'null' }, 403],
  ['the Origin of another port', { origin: 'http://127.0.0.1:1' }, 403],
  ['no Origin', {}, 204],
])(
  'the gateway accepts only requests of this machine and of its own pages: %s',
  async (_what, headers, status) => {
    const { url, events } = await listen();
    expect((await raw(`${url}/bots/1`, headers)).statusCode).toBe(status);
    expect(events).toHaveLength(status === 204 ? 1 : 0);
  },
);

test('pages of the gateway itself may send requests, as 127.0.0.1 and as localhost', async () => {
  const { url } = await listen();
  for (const name of ['127.0.0.1', 'localhost']) {
    const host = `${name}:${new URL(url).port}`;
    expect((await raw(`${url}/bots/1`, { host, origin: `http://${host}` })).statusCode).toBe(204);
  }
});

test('stop waits for the running request, and the gateway accepts no new one', async () => {
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const { url, stop } = await start(async () => {
    started.resolve();
    await gate.promise;
    return { statusCode: 200, body: 'done' };
  });
  const response = fetch(`${url}/bots/1`);
  await started.promise;
  const stopping = stop();
  await expect(raw(`${url}/bots/2`, {})).rejects.toThrow('ECONNREFUSED');
  gate.resolve();
  expect(await (await response).text()).toBe('done');
  await stopping;
});

test('a port that is in use is an error at once', async () => {
  const { url } = await listen();
  const port = Number(new URL(url).port);
  const functions = everywhere(async () => undefined);
  await expect(startGateway({ functions, routes, port })).rejects.toThrow('EADDRINUSE');
});
