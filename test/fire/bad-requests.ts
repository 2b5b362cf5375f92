/**
 * HTTP requests that are wrong in every way we could think of, sent as bytes over a socket. Each must get a problem
 * document from the function, or a refusal from the gateway.
 */
import { connect } from 'node:net';
import fc from 'fast-check';
import { byteDamage, CANARY, damageBytes, nastyValues, quoted } from './bad-lists.ts';

export interface BadRequest {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

export interface RawAnswer {
  /** 0 where the connection was closed without an answer. */
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Ids and cursors that exist, for requests with a single fault. */
export interface KnownIds {
  readonly batch_id: string;
  readonly planned_id: string;
  readonly user_id: string;
  readonly verification_id: string;
  /** Of this batch and of another, of both routes that give them. */
  readonly cursors: readonly string[];
}

/** Everything that comes back until the connection ends, or for ten seconds. */
const exchange = (url: string, bytes: Buffer, isCutOff: boolean): Promise<Buffer> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => {
      socket.write(bytes);
      if (isCutOff) socket.end();
    });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });

const readAnswer = (bytes: Buffer): RawAnswer => {
  const [head = '', ...rest] = bytes.toString('utf8').split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  const contentType = /^content-type: *([^\r\n]*)/im.exec(head)?.[1] ?? '';
  const text = rest.join('\r\n\r\n');
  // Node's own refusals end with an empty chunk.
  return { status, contentType, text: text === '0\r\n\r\n' ? '' : text };
};

/** Sends bytes as they are. @param isCutOff closes our side at once */
export const sendBytes = async (url: string, bytes: Buffer, isCutOff = false): Promise<RawAnswer> =>
  readAnswer(await exchange(url, bytes, isCutOff));

const encodeRequest = (url: string, { method, path, query, headers, body }: BadRequest): Buffer => {
  const search = query.map(([name, value]) => `${name}=${value}`).join('&');
  const lines = [
    `${method} ${path}${search && `?${search}`} HTTP/1.1`,
    `host: ${new URL(url).host}`,
    'connection: close',
    `content-length: ${body.length}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
};

export const send = (url: string, request: BadRequest): Promise<RawAnswer> =>
  sendBytes(url, encodeRequest(url, request));

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const right = (method: string, path: string, more: Partial<BadRequest> = {}): BadRequest => ({
  method,
  path,
  query: [],
  headers: [['content-type', 'application/json']],
  body: Buffer.alloc(0),
  ...more,
});

/** One valid request of each route; `row` is a list. */
const rightRequests = (
  { batch_id, planned_id, user_id, verification_id, cursors }: KnownIds,
  row: object,
) => [
  right('POST', '/batches', { body: json([row]) }),
  right('POST', '/uploads', { body: json({ content_type: 'text/csv' }) }),
  right('POST', `/uploads/${batch_id}`),
  right('GET', `/batches/${batch_id}`),
  right('POST', `/batches/${planned_id}/confirm`, { body: json({ accept_cost_usd: 0 }) }),
  right('GET', `/batches/${batch_id}/errors`, { query: [['limit', '2']] }),
  right('GET', `/batches/${batch_id}/bots`, {
    query: [
      ['limit', '2'],
      ['state', 'blocked'],
      ['cursor', cursors[0] ?? ''],
    ],
  }),
  right('POST', `/batches/${batch_id}/retry`, {
    body: json({ states: ['failed'], reason: 'x', cursor: cursors[0] }),
  }),
  right('GET', `/bots/${user_id}`),
  right('POST', '/accounts/verifications', { body: json({ phone: '+8613800000009', platform: 'iOS' }) }),
  right('POST', `/accounts/verifications/${verification_id}`, {
    body: json({ code: '000000', session_key: 'ed25519', platform: 'iOS', abort_deactivation: true }),
  }),
];

const idTexts = [
  ...[
    '%',
    '%zz',
    '%00',
    '%2e%2e',
    '..',
    '.',
    '%2F',
    '%u0041',
    '%ff%fe',
    '%c0%af',
    '%20',
    '%0d%0a',
    '{batch_id}',
    '*',
  ],
  ...[
    'constructor',
    '__proto__',
    'null',
    'undefined',
    '-1',
    '0',
    '1e9',
    ';a=b',
    '%F0%9F%92%A9',
    '%D9%A1',
    CANARY,
  ],
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '00000000-0000-4000-8000-00000000000g',
  '..%2f..%2fbatches',
  'a'.repeat(4_000),
];

const cursorOf = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const forgedCursors = (user_id: string): readonly string[] =>
  [
    {},
    [],
    null,
    1,
    { sk: 'batch' },
    { sk: 'error#' },
    { sk: `error#\0${CANARY}` },
    { sk: 'error#\ud800' },
    { sk: `error#${'\u{10ffff}'.repeat(140)}` },
    { sk: `error#${'x'.repeat(1_000)}` },
    { sk: 1 },
    { sk: 'error#', pk: `batch#${user_id}` },
    { place: `000000001#${user_id.toUpperCase()}` },
    { place: `00000001#${user_id}` },
    { place: `000000001#${user_id}`, state: 1 },
    { place: `000000001#${user_id}`, reason: { S: 'x' } },
    { place: `999999999#${user_id}`, state: 'constructor' },
    { place: '#' },
    { place: `000000001#${user_id}~` },
    { ['__proto__']: { sk: 'error#' } },
  ].map(cursorOf);

const numbers = [
  '-1',
  '0',
  '101',
  '1e99',
  '1e1',
  'NaN',
  'Infinity',
  '',
  '%D9%A1%D9%A0',
  '0x10',
  '1,2',
  '%20',
  '1.5',
];
const queryTexts = [
  ...numbers,
  ...idTexts,
  'blocked',
  'BLOCKED',
  'queued,blocked',
  'true',
  '[]',
  '%7B%7D',
  '+',
  '&=',
];

const contentTypes = [
  ...[
    'text/csv',
    'application/x-ndjson',
    'application/zip',
    'text/html',
    'multipart/form-data',
    '',
    'json',
    '*/*',
  ],
  ...[
    'application/json; charset=utf-16',
    'APPLICATION/JSON',
    'application/json,text/csv',
    'application/json;',
  ],
  ...['__proto__', 'constructor', 'text/csv\tx', '\xff\xfe', 'application/xml', 'a'.repeat(5_000)],
];
const headerTexts = [
  '',
  'x',
  '12345678',
  'a'.repeat(255),
  'a'.repeat(256),
  '\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9',
  CANARY,
];

type Change = (request: BadRequest) => BadRequest;

const changeSegment =
  (at: number, text: string): Change =>
  (request) => {
    const segments = request.path.split('/');
    segments[1 + (at % (segments.length - 1))] = text;
    return { ...request, path: segments.join('/') };
  };

const withQuery =
  (name: string, value: string): Change =>
  (request) => ({
    ...request,
    query: [...request.query.filter(([other]) => other !== name || value === 'blocked'), [name, value]],
  });

const withHeader =
  (name: string, value: string, isTwice: boolean): Change =>
  (request) => ({
    ...request,
    headers: [...request.headers.filter(([other]) => isTwice || other !== name), [name, value]],
  });

/** Names are shown to people, so they may be quoted. */
const isShown = (field: string) => field === 'full_name';

const withField =
  (at: number, value: unknown): Change =>
  (request) => {
    let fields: unknown;
    try {
      fields = JSON.parse(request.body.toString());
    } catch {
      return request;
    }
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return request;
    const names = [...Object.keys(fields), '__proto__', 'unknown', 'cursor', 'pay_again'];
    const name = names[at % names.length] ?? '';
    if (isShown(name)) return request;
    return { ...request, body: Buffer.from(JSON.stringify({ ...fields, [name]: value })) };
  };

const wholeBodies: readonly Buffer[] = [
  ...['', ' ', 'null', '[]', '1', '"x"', '{', '{}', '{}{}', '\0', '\ufeff{}', `{"phone":"${CANARY}"`].map(
    (text) => Buffer.from(text),
  ),
  Buffer.from('{"a":'.repeat(100_000)),
  Buffer.from(`${'['.repeat(500_000)}${']'.repeat(500_000)}`),
  Buffer.from('{"phone":"+8613800000009"}', 'utf16le'),
  Buffer.from([0xff, 0xfe, 0x00]),
  Buffer.from(`{"phone":"${CANARY.repeat(50_000)}"}`),
  Buffer.from('{"phone":"+8613800000009","phone":1}'),
  Buffer.from('{"accept_cost_usd":1e999}'),
  Buffer.from('{"states":["unsure"],"pay_again":"true"}'),
  Buffer.from(`{"states":${JSON.stringify(Array(10_000).fill('failed'))}}`),
];

const anyChange = ({ user_id, cursors }: KnownIds): fc.Arbitrary<Change> =>
  fc.oneof(
    fc.tuple(fc.nat(5), fc.constantFrom(...idTexts)).map(([at, text]) => changeSegment(at, text)),
    fc
      .tuple(
        fc.constantFrom('limit', 'state', 'cursor', '__proto__', 'LIMIT'),
        fc.constantFrom(...queryTexts),
      )
      .map(([name, value]) => withQuery(name, value)),
    fc.constantFrom(...cursors, ...forgedCursors(user_id)).map((cursor) => withQuery('cursor', cursor)),
    fc
      .tuple(fc.constantFrom(...cursors), byteDamage)
      .map(([cursor, damage]) =>
        withQuery('cursor', encodeURIComponent(damageBytes(Buffer.from(cursor), damage).toString('latin1'))),
      ),
    fc
      .tuple(fc.constantFrom(...cursors), byteDamage)
      .map(([cursor, damage]) =>
        withQuery('cursor', damageBytes(Buffer.from(cursor, 'base64url'), damage).toString('base64url')),
      ),
    fc
      .tuple(fc.constantFrom(...contentTypes), fc.boolean())
      .map(([type, isTwice]) => withHeader('content-type', type, isTwice)),
    fc
      .tuple(
        fc.constantFrom('idempotency-key', '__proto__', 'x-amz-date', 'cookie'),
        fc.constantFrom(...headerTexts),
        fc.boolean(),
      )
      .map(([name, value, isTwice]) => withHeader(name, value, isTwice)),
    fc.constantFrom('PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'get', 'FOO', 'GET', 'POST').map(
      (method): Change =>
        (request) => ({ ...request, method }),
    ),
    fc.tuple(fc.nat(20), fc.constantFrom(...nastyValues)).map(([at, value]) => withField(at, value)),
    fc.constantFrom(...wholeBodies).map(
      (body): Change =>
        (request) => ({ ...request, body }),
    ),
    byteDamage.map(
      (damage): Change =>
        (request) => ({ ...request, body: damageBytes(request.body, damage) }),
    ),
  );

/** A valid request with one to three faults. */
export const badRequest = (known: KnownIds, row: object): fc.Arbitrary<BadRequest> =>
  fc
    .tuple(
      fc.constantFrom(...rightRequests(known, row)),
      fc.array(anyChange(known), { minLength: 1, maxLength: 3 }),
    )
    .map(([request, changes]) => changes.reduce((changed, change) => change(changed), request));

/** Bytes that no client sends. */
export const nastyBytes = (url: string): Readonly<Record<string, readonly [Buffer, boolean?]>> => {
  const { host } = new URL(url);
  const request = (head: string, ...headers: readonly string[]) =>
    Buffer.from([head, `host: ${host}`, 'connection: close', ...headers, '', ''].join('\r\n'), 'latin1');
  const post = 'POST /batches HTTP/1.1';
  return {
    'no HTTP': [Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')],
    'no host': [Buffer.from('GET /batches HTTP/1.1\r\n\r\n')],
    'another host': [Buffer.from('GET /bots/x HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n')],
    'another origin': [request('GET /bots/x HTTP/1.1', 'origin: https://example.com')],
    'an absolute address': [request(`GET http://${host}/bots/x HTTP/1.1`)],
    'an asterisk': [request('OPTIONS * HTTP/1.1')],
    'a tunnel': [request(`CONNECT ${host} HTTP/1.1`)],
    'an upgrade': [request('GET /bots/x HTTP/1.1', 'connection: upgrade', 'upgrade: websocket')],
    'an expectation': [request(post, 'expect: 200-maybe', 'content-length: 0')],
    'HTTP/9.9': [Buffer.from(`GET / HTTP/9.9\r\nhost: ${host}\r\n\r\n`)],
    'a space in the path': [request('GET /bots/a b HTTP/1.1')],
    'raw bytes in the path': [request('GET /bots/\xff\xfe\x00 HTTP/1.1')],
    'a path of 20,000 characters': [request(`GET /bots/${'a'.repeat(20_000)} HTTP/1.1`)],
    'a header of 20,000 characters': [request('GET /bots/x HTTP/1.1', `x: ${'a'.repeat(20_000)}`)],
    'two lengths': [request(post, 'content-length: 1', 'content-length: 2')],
    'a negative length': [request(post, 'content-length: -1')],
    'a length and chunks': [request(post, 'content-length: 1', 'transfer-encoding: chunked')],
    'broken chunks': [Buffer.concat([request(post, 'transfer-encoding: chunked'), Buffer.from('zz\r\nx')])],
    'fewer bytes than promised': [
      Buffer.concat([request(post, 'content-length: 100'), Buffer.from('[')]),
      true,
    ],
    'two requests at once': [
      Buffer.concat([request('GET /bots/x HTTP/1.1'), request('GET /bots/y HTTP/1.1')]),
    ],
    'a body of 11 MB': [
      Buffer.concat([
        request(post, 'content-type: application/json', 'content-length: 11000000'),
        Buffer.alloc(11_000_000, ' '),
      ]),
    ],
    'a body of 5 MB': [
      Buffer.concat([
        request(post, 'content-type: application/json', 'content-length: 5000000'),
        Buffer.alloc(5_000_000, ' '),
      ]),
    ],
    'a ZIP that base64 makes too large': [
      Buffer.concat([
        request(post, 'content-type: application/zip', 'content-length: 4900000'),
        Buffer.alloc(4_900_000, 'P'),
      ]),
    ],
  };
};

const isProblem = ({ status, text }: RawAnswer): boolean => {
  const body = JSON.parse(text) as Record<string, unknown>;
  const words = [body.message, body.fix].every((it) => typeof it === 'string' && it.length > 2);
  return (
    body.status === status && /^[a-z0-9_]+$/.test(String(body.code)) && body.type === 'about:blank' && words
  );
};

/** Answers of the gateway (docs/openapi.json) or of Node itself, before any function is called. */
const isGatewayAnswer = ({ status, text, contentType }: RawAnswer): boolean => {
  if (text === '') return [0, 400, 404, 405, 408, 413, 417, 431].includes(status);
  const ofGateway = contentType === 'application/json' && 'message' in JSON.parse(text);
  return ofGateway && [403, 404, 413].includes(status);
};

/** What is wrong with the answer to a bad request; undefined for a correct one. */
export const findFault = (answer: RawAnswer): string | undefined => {
  const { status, contentType, text } = answer;
  if (status >= 500) return `answered ${status}`;
  const quotedValue = status >= 400 || status === 0 ? quoted(text) : undefined;
  if (quotedValue !== undefined) return `a value is quoted: ${quotedValue.slice(0, 12)}…`;
  if (status >= 200 && status < 300) return undefined;
  if (contentType === 'application/problem+json')
    return isProblem(answer) ? undefined : 'no problem document';
  return isGatewayAnswer(answer) ? undefined : `answered ${status} without a problem document`;
};
