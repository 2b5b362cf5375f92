import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { verifyAsync } from '@noble/ed25519';
import { describe, expect, test } from 'vitest';
import { createMixinAccounts } from '../../lib/mixin/accounts.ts';
import { createMixinClient, type MixinClientOptions, type MixinRequest } from '../../lib/mixin/client.ts';
import { digestRequest } from '../../lib/mixin/token.ts';
import { MixinError } from '../../lib/model/mixin-error.ts';
import { json, type ReceivedRequest, type Reply, startServer } from './server.ts';
import { bytes, keystore, nowMs, vectors } from './vectors.ts';

const { inputs } = vectors;

const createClient = (baseUrl: string, options: Partial<MixinClientOptions> = {}) =>
  createMixinClient({
    baseUrl,
    timeoutMs: 5_000,
    maxAnswerBytes: 10_000,
    tokenLifetimeSeconds: 120,
    now: () => nowMs,
    randomId: randomUUID,
    ...options,
  });

const get: MixinRequest = { method: 'GET', path: '/safe/me' };
const post: MixinRequest = {
  method: 'POST',
  path: '/safe/users',
  body: { public_key: inputs.spend_pub, pin_base64: 'PIN-CANARY-é', absent: undefined },
};

const catchMixinError = async (call: Promise<unknown>): Promise<MixinError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof MixinError) return error;
  throw new Error('no MixinError was thrown', { cause: error });
};

const readToken = ({ headers }: ReceivedRequest): string =>
  (headers.authorization ?? '').replace(/^Bearer /, '');
const readClaims = (received: ReceivedRequest) =>
  JSON.parse(Buffer.from(readToken(received).split('.')[1] ?? '', 'base64url').toString('utf8'));
const only = (received: readonly ReceivedRequest[]): ReceivedRequest => {
  expect(received).toHaveLength(1);
  const [first] = received;
  if (first === undefined) throw new Error('nothing was received');
  return first;
};

describe('requests', () => {
  test.each([get, post])('the $method is sent exactly as it is signed', async (request) => {
    await using server = await startServer(json({ data: { fine: true } }));
    const answer = await createClient(server.url).call(keystore, request);

    const received = only(server.received);
    const claims = readClaims(received);
    expect(claims).toEqual({
      uid: inputs.user_id,
      sid: inputs.session_id,
      iat: inputs.now_unix,
      exp: inputs.now_unix + 120,
      jti: received.headers['x-request-id'],
      sig: digestRequest(request.method, received.url, received.body),
      scp: 'FULL',
    });
    const [header, payload, signature = ''] = readToken(received).split('.');
    const signed = Buffer.from(`${header}.${payload}`);
    const publicKey = bytes(inputs.session_pub);
    expect(await verifyAsync(Buffer.from(signature, 'base64url'), signed, publicKey)).toBe(true);
    expect(answer).toEqual({ data: { fine: true }, request_id: claims.jti });
  });

  test('a POST is sent with its method, path, JSON and headers', async () => {
    await using server = await startServer(json({ data: {} }));
    await createClient(server.url).call(keystore, post);
    const { method, url, body, headers } = only(server.received);
    expect([method, url]).toEqual(['POST', '/safe/users']);
    expect(body).toBe(`{"public_key":"${inputs.spend_pub}","pin_base64":"PIN-CANARY-é"}`);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': expect.stringMatching(/^enlist\/\d+\.\d+\.\d+$/),
      'x-request-id': expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
    });
    expect(headers['transfer-encoding']).toBeUndefined();
  });

  test('a POST without a body is signed and sent without one', async () => {
    await using server = await startServer(json({ data: {} }));
    await createClient(server.url).call(keystore, { method: 'POST', path: '/logout' });
    const received = only(server.received);
    expect(received.body).toBe('');
    expect(received.headers['content-length']).toBe('0');
    expect(readClaims(received).sig).toBe(digestRequest('POST', '/logout', ''));
  });

  test.each(['', '/', '//', '/proxy', '/proxy/'])('a base URL may end in %j', async (ending) => {
    await using server = await startServer(json({ data: {} }));
    await createClient(server.url + ending).call(keystore, { method: 'GET', path: '/logs?a=1&b=ü x' });
    const received = only(server.received);
    const prefix = ending.startsWith('/proxy') ? '/proxy' : '';
    expect(received.url).toBe(`${prefix}/logs?a=1&b=%C3%BC%20x`);
    expect(readClaims(received).sig).toBe(digestRequest('GET', received.url, ''));
  });

  test('each call has its own id and its own time', async () => {
    await using server = await startServer(json({ data: {} }));
    let clock = nowMs;
    const client = createClient(server.url, {
      now: () => {
        clock += 1000;
        return clock;
      },
    });
    await client.call(keystore, get);
    await client.call(keystore, get);
    const [first, second] = server.received.map(readClaims);
    expect(first.jti).not.toBe(second.jti);
    expect(second.iat).toBeGreaterThan(first.iat);
  });
});

const raw =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, headers);
    response.end(body);
  };

const slowBody: Reply = (response) => {
  response.writeHead(200);
  response.write('{"data":');
};

const brokenBody: Reply = (response) => {
  response.writeHead(200, { 'content-length': '100' });
  response.write('{"data":', () => response.destroy());
};

/** Sends without end, as fast as the client reads. */
const endlessBody: Reply = (response) => {
  const pump = () => {
    while (!response.destroyed && response.write('x'.repeat(4_096)));
  };
  response.on('drain', pump);
  response.writeHead(200);
  pump();
};

interface Failure {
  readonly name: string;
  readonly reply: Reply;
  readonly code: string;
  readonly verdict: { readonly GET: string; readonly POST: string };
  readonly timeoutMs?: number;
  readonly cause?: string;
  readonly status?: number;
}

const unknown = { GET: 'again', POST: 'unsure' };
const never = { GET: 'never', POST: 'never' };
const errorBody = (code: number) => ({ error: { status: 202, code, description: 'words of Mixin' } });

const failures: readonly Failure[] = [
  {
    name: 'silence',
    reply: () => {},
    code: 'no_answer',
    verdict: unknown,
    timeoutMs: 150,
    cause: 'TimeoutError',
  },
  {
    name: 'a slow body',
    reply: slowBody,
    code: 'no_answer',
    verdict: unknown,
    timeoutMs: 150,
    cause: 'TimeoutError',
  },
  {
    name: 'a reset connection',
    reply: (response) => response.socket?.resetAndDestroy(),
    code: 'no_answer',
    verdict: unknown,
    cause: 'ECONNRESET',
  },
  {
    name: 'a closed connection',
    reply: (response) => response.destroy(),
    code: 'no_answer',
    verdict: unknown,
    cause: 'UND_ERR_SOCKET',
  },
  { name: 'half an answer', reply: brokenBody, code: 'no_answer', verdict: unknown, cause: 'UND_ERR_SOCKET' },
  { name: 'an endless body', reply: endlessBody, code: 'broken_answer', verdict: unknown, status: 200 },
  {
    name: 'a body that is one byte too large',
    reply: raw(200, JSON.stringify({ data: 'x'.repeat(9_990) })),
    code: 'broken_answer',
    verdict: unknown,
    status: 200,
  },
  { name: 'an empty body', reply: raw(200, ''), code: 'broken_answer', verdict: unknown, status: 200 },
  {
    name: 'HTTP 204 without content',
    reply: raw(204, ''),
    code: 'broken_answer',
    verdict: unknown,
    status: 204,
  },
  {
    name: 'another request id',
    reply: raw(200, '{"data":{}}', { 'x-request-id': randomUUID() }),
    code: 'broken_answer',
    verdict: unknown,
    status: 200,
  },
  {
    name: 'redirect 302',
    reply: raw(302, '', { location: '/elsewhere' }),
    code: 'broken_answer',
    verdict: unknown,
    status: 302,
  },
  {
    name: 'redirect 307',
    reply: raw(307, '{"data":{}}', { location: '/elsewhere' }),
    code: 'broken_answer',
    verdict: unknown,
    status: 307,
  },
  {
    name: 'HTTP 500 with HTML',
    reply: raw(500, '<html>500</html>'),
    code: 'server_error',
    verdict: unknown,
    status: 500,
  },
  {
    name: 'HTTP 503',
    reply: raw(503, '', { 'retry-after': '0' }),
    code: 'server_error',
    verdict: unknown,
    status: 503,
  },
  {
    name: 'an error in HTTP 202',
    reply: json(errorBody(20_119), 202),
    code: 'pin_refused',
    verdict: never,
    status: 202,
  },
];

describe.each([get, post])('failures of a $method', (request) => {
  test.each(failures)('$name gives $code after one request', async (failure) => {
    await using server = await startServer(failure.reply);
    const { timeoutMs = 5_000 } = failure;
    const error = await catchMixinError(createClient(server.url, { timeoutMs }).call(keystore, request));
    const received = only(server.received);
    expect(error).toMatchObject({
      code: failure.code,
      verdict: failure.verdict[request.method],
      request_id: received.headers['x-request-id'],
    });
    expect(error.status).toBe(failure.status);
    expect(error.cause).toBe(failure.cause);
  });

  test('429 is rate_limited, on a PIN call too', async () => {
    await using server = await startServer(json(errorBody(429), 202));
    const error = await catchMixinError(createClient(server.url).call(keystore, request));
    expect(error.code).toBe('rate_limited');
    only(server.received);
  });

  test('nothing is sent for a keystore that cannot sign', async () => {
    await using server = await startServer(json({ data: {} }));
    const broken = { ...keystore, session_private_key: `${inputs.session_seed}zz` };
    const error = await catchMixinError(createClient(server.url).call(broken, request));
    expect(error).toMatchObject({ code: 'bad_keystore', verdict: 'never' });
    expect(server.received).toHaveLength(0);
  });
});

test('a POST is not sent again on 421, although fetch itself would send it again', async () => {
  await using server = await startServer(raw(421, 'misdirected'));
  const error = await catchMixinError(createClient(server.url).call(keystore, post));
  expect(error).toMatchObject({ code: 'wrong_address', verdict: 'unsure', status: 421 });
  only(server.received);
});

test('a POST is not sent again when a reused connection breaks', async () => {
  await using server = await startServer((response, request) => {
    if (request.method === 'POST') response.socket?.resetAndDestroy();
    else json({ data: {} })(response, request);
  });
  const client = createClient(server.url);
  await client.call(keystore, get);
  const error = await catchMixinError(client.call(keystore, post));
  expect(error).toMatchObject({ code: 'no_answer', verdict: 'unsure' });
  expect(server.received.map(({ method }) => method)).toEqual(['GET', 'POST']);
});

test('a POST that reached a server is unsure, even if the server is gone when the connection breaks', async () => {
  await using server = await startServer((response, request) => {
    if (request.method === 'GET') return json({ data: {} })(response, request);
    server[Symbol.asyncDispose]();
  });
  const client = createClient(server.url);
  await client.call(keystore, get);
  const error = await catchMixinError(client.call(keystore, post));
  expect(error).toMatchObject({ code: 'no_answer', verdict: 'unsure' });
  expect(server.received.map(({ method }) => method)).toEqual(['GET', 'POST']);
  expect(await catchMixinError(client.call(keystore, post))).toMatchObject({ code: 'no_connection' });
});

describe('a call without a token', () => {
  const open = { method: 'POST', path: '/verifications', body: { phone: 'é' } } as const;

  test("a call without a token sends its body and headers, and no Authorization, and cannot replace the client's own headers", async () => {
    await using server = await startServer(json({ data: { fine: true } }));
    const headers = { 'mixin-device-id': inputs.user_id, 'x-request-id': 'another', 'user-agent': 'another' };
    const answer = await createClient(server.url).callOpen({ ...open, headers });
    const received = only(server.received);
    expect([received.method, received.url, received.body]).toEqual([
      'POST',
      '/verifications',
      '{"phone":"é"}',
    ]);
    expect(received.headers.authorization).toBeUndefined();
    expect(received.headers).toMatchObject({
      'mixin-device-id': inputs.user_id,
      'content-type': 'application/json',
      'content-length': '14',
      'user-agent': expect.stringMatching(/^enlist\//),
      'x-request-id': answer.request_id,
    });
    expect(answer).toEqual({ data: { fine: true }, request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  test.each(failures)('$name gives $code after one request without a token', async (failure) => {
    await using server = await startServer(failure.reply);
    const { timeoutMs = 5_000 } = failure;
    const error = await catchMixinError(createClient(server.url, { timeoutMs }).callOpen(open));
    const { headers } = only(server.received);
    expect(error).toMatchObject({
      code: failure.code,
      verdict: failure.verdict.POST,
      request_id: headers['x-request-id'],
    });
  });

  test('a call without a token is not sent again on 421', async () => {
    await using server = await startServer(raw(421, 'misdirected'));
    await expect(createClient(server.url).callOpen(open)).rejects.toMatchObject({ code: 'wrong_address' });
    only(server.received);
  });

  test('401 to a call without a token is forbidden, not session_refused', async () => {
    await using server = await startServer(json(errorBody(401), 202));
    await expect(createClient(server.url).callOpen(open)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

test.each(['', 'users', '.example.com/users'])(
  'path %j is refused, because it could change the host',
  async (path) => {
    await using server = await startServer(json({ data: {} }));
    const client = createClient(server.url);
    await expect(client.callOpen({ method: 'POST', path })).rejects.toThrow(TypeError);
    await expect(client.call(keystore, { method: 'GET', path })).rejects.toThrow(TypeError);
    expect(server.received).toHaveLength(0);
  },
);

test('an answer of exactly the largest size is read', async () => {
  const body = JSON.stringify({ data: 'x'.repeat(10_000 - 11) });
  expect(body).toHaveLength(10_000);
  await using server = await startServer(raw(200, body));
  await expect(createClient(server.url).call(keystore, get)).resolves.toMatchObject({
    data: expect.any(String),
  });
});

test('a letter that the network cut in two is read correctly', async () => {
  const body = Buffer.from('{"data":"é"}');
  await using server = await startServer((response) => {
    response.write(body.subarray(0, 10), () => setImmediate(() => response.end(body.subarray(10))));
  });
  expect((await createClient(server.url).call(keystore, get)).data).toBe('é');
});

describe('secrets and errors', () => {
  /** A server that sends back everything it received. */
  const echo =
    (status: number, form: (said: string) => string): Reply =>
    (response, request) => {
      response.writeHead(status, { location: `/?said=${encodeURIComponent(request.body)}` });
      response.end(form(JSON.stringify([request.headers.authorization, request.body])));
    };
  const asError = (code: number) => (said: string) =>
    JSON.stringify({ error: { status: 202, code, description: said, extra: { field: said, said } } });

  const echoes: readonly (readonly [string, Reply])[] = [
    ['an error', echo(202, asError(10_002))],
    ['a refused session', echo(202, asError(401))],
    ['a new error', echo(202, asError(31_337))],
    ['HTML', echo(500, (said) => `<html>${said}</html>`)],
    ['a redirect', echo(307, (said) => said)],
    ['half of a JSON text', echo(200, (said) => `{"data":${said}`)],
    ['an answer that is too large', echo(200, (said) => said.repeat(100))],
    ['a reset connection', (response) => response.socket?.resetAndDestroy()],
  ];

  test.each(echoes)(
    'no error quotes a secret when the server sends everything back: %s',
    async (_, reply) => {
      await using server = await startServer(reply);
      const secretive = { ...keystore, spend_private_key: inputs.spend_seed };
      const error = await catchMixinError(createClient(server.url).call(secretive, post));
      const said = [error.message, String(error), error.stack, JSON.stringify(error)].join('\n');
      const everything = said + inspect(error, { depth: 10, showHidden: true });
      const secrets = [inputs.session_seed, inputs.spend_seed, 'PIN-CANARY', inputs.spend_pub];
      for (const secret of [...secrets, readToken(only(server.received))]) {
        expect(secret.length).toBeGreaterThan(8);
        expect(everything).not.toContain(secret);
      }
    },
  );

  test('no error quotes the key of a keystore that cannot sign', async () => {
    const broken = { ...keystore, session_private_key: `${inputs.session_seed}zz` };
    const error = await catchMixinError(createClient('http://127.0.0.1:1').call(broken, post));
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(inputs.session_seed);
  });
});

describe('a call that no GET settles', () => {
  /** Answers, and tells over which connection each request came. */
  const startCounter = async () => {
    const connections: (number | undefined)[] = [];
    const server = createServer((request, response) => {
      connections.push(request.socket.remotePort);
      request.resume().on('end', () => {
        response.writeHead(200, { 'x-request-id': request.headers['x-request-id'] });
        response.end('{"data":{}}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}`,
      connections,
      [Symbol.asyncDispose]: () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  };

  test('a fresh call opens a connection of its own, and others use the pool', async () => {
    await using server = await startCounter();
    const client = createClient(server.url);
    const users = { method: 'POST', path: '/users', body: { full_name: 'é' }, fresh: true } as const;
    await client.call(keystore, get);
    await client.call(keystore, get);
    expect(new Set(server.connections).size).toBe(1);
    for (let i = 0; i < 3; i += 1) await client.call(keystore, users);
    expect(new Set(server.connections).size).toBe(4);
  });

  test.each([
    ['createUser', '/users'],
    ['signIn', '/verifications/'],
    ['requestCode', '/verifications'],
  ] as const)('%s is such a call', async (name, path) => {
    const requests: MixinRequest[] = [];
    const record = async (request: MixinRequest): Promise<never> => {
      requests.push(request);
      throw new Error('recorded');
    };
    const accounts = createMixinAccounts({ call: (_, request) => record(request), callOpen: record });
    const device = { device_id: randomUUID(), platform: 'iOS', platform_version: '1', app_version: '1' };
    const fields = { ...device, package_name: 'p', purpose: 'SESSION', code: '1', phone: '+1' } as never;
    const calls = {
      createUser: () => accounts.createUser(keystore, { full_name: 'N', session_key: inputs.session_seed }),
      signIn: () => accounts.signIn(randomUUID(), inputs.session_seed, fields),
      requestCode: () => accounts.requestCode(fields),
    };
    await expect(calls[name]()).rejects.toThrow('recorded');
    expect(requests).toMatchObject([{ fresh: true, path: expect.stringContaining(path) }]);
  });

  test('it is sent once, and its failures have the same codes', async () => {
    const fresh = { ...post, fresh: true };
    await using redirecting = await startServer(raw(307, '', { location: '/elsewhere' }));
    const client = createClient(redirecting.url);
    expect((await catchMixinError(client.call(keystore, fresh))).code).toBe('broken_answer');
    only(redirecting.received);
    const silent = await startServer(() => undefined);
    const slow = createClient(silent.url, { timeoutMs: 50 });
    expect(await catchMixinError(slow.call(keystore, fresh))).toMatchObject({
      code: 'no_answer',
      verdict: 'unsure',
    });
    await silent[Symbol.asyncDispose]();
    const refused = createClient(silent.url);
    expect((await catchMixinError(refused.call(keystore, fresh))).code).toBe('no_connection');
  });
});

test('the token of a call ends when it is told to, and a call with less than a minute left is not sent', async () => {
  await using server = await startServer(json({ data: {} }));
  const nowMs = Date.UTC(2026, 0, 1);
  const client = createClient(server.url, { now: () => nowMs });
  await client.call(keystore, { ...post, validUntilMs: nowMs + 61_500 });
  const [, payload = ''] = (only(server.received).headers.authorization ?? '').split('.');
  const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number };
  expect(exp).toBe(nowMs / 1_000 + 61);
  const late = await catchMixinError(client.call(keystore, { ...post, validUntilMs: nowMs + 59_999 }));
  expect(late).toMatchObject({ code: 'too_late', verdict: 'again' });
  only(server.received);
});
