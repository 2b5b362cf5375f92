/** The false answers of a hostile or broken Mixin. Texts that must never be stored contain the word CANARY. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';

export const CANARY = 'CANARY';

/** What Mixin would have answered. */
export interface TrueAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: unknown;
  readonly body: string;
}

export interface WireAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Writes to the socket in place of all of these. */
  readonly raw?: (socket: Socket) => void;
}

export interface FalseAnswer {
  readonly name: string;
  readonly create: (trueAnswer: TrueAnswer, decoyUrl: string) => WireAnswer;
  /** Only Enlist's time-out ends it. */
  readonly isSlow?: boolean;
  /** It says clearly that nothing happened, and Enlist believes that. */
  readonly isRefusal?: boolean;
}

const text = (name: string, body: string | Buffer, more: WireAnswer = {}): FalseAnswer => ({
  name,
  create: () => ({ body, ...more }),
});
const raw = (
  name: string,
  write: (socket: Socket, trueAnswer: TrueAnswer) => void,
  isSlow = false,
): FalseAnswer => ({
  name,
  create: (trueAnswer) => ({ raw: (socket) => write(socket, trueAnswer) }),
  isSlow,
});

const page = `<html><body>${CANARY} <script>location='/'</script></body></html>`;
const html = { headers: { 'content-type': 'text/html' } };

const redirect = (status: number): FalseAnswer => ({
  name: `redirect ${status}`,
  create: (_honest, decoyUrl) => ({
    status,
    headers: { location: `${decoyUrl}/${CANARY}`, refresh: `0; url=${decoyUrl}` },
    body: '',
  }),
});

const status = (code: number, headers: Readonly<Record<string, string>> = {}): FalseAnswer =>
  text(`status ${code}`, JSON.stringify({ data: { note: CANARY } }), { status: code, headers });

const head = (length: number, trueAnswer: TrueAnswer): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: ${trueAnswer.headers['x-request-id']}\r\ncontent-length: ${length}\r\n\r\n`;

/** The true answer as a complete HTTP response. */
const whole = (trueAnswer: TrueAnswer): string =>
  head(Buffer.byteLength(trueAnswer.body), trueAnswer) + trueAnswer.body;

const dribble = (socket: Socket, trueAnswer: TrueAnswer): void => {
  socket.write(head(1_000_000, trueAnswer));
  const timer = setInterval(() => socket.write(' '), 10);
  socket.on('close', () => clearInterval(timer));
};

/** Bytes that are not an answer, or not to this request. */
export const wireAnswers: readonly FalseAnswer[] = [
  text('HTML', page, html),
  text('an error page', page, { ...html, status: 502 }),
  text('nothing', ''),
  text('nothing, 500', '', { status: 500 }),
  text('2 MB', JSON.stringify({ data: { padding: CANARY.repeat(350_000) } })),
  text('a gzip bomb', gzipSync(Buffer.alloc(50_000_000, ' ')), { headers: { 'content-encoding': 'gzip' } }),
  text('gzip that is none', 'no gzip', { headers: { 'content-encoding': 'gzip' } }),
  text('an unknown encoding', `{"data":"${CANARY}"}`, { headers: { 'content-encoding': 'secret' } }),
  text('broken UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])),
  {
    name: 'the id of another request',
    create: ({ body }) => ({ body, headers: { 'x-request-id': randomUUID() } }),
  },
  ...[300, 301, 302, 303, 307, 308].map(redirect),
  status(304),
  status(401, { 'www-authenticate': 'Basic realm="x"' }),
  status(407, { 'proxy-authenticate': 'Basic realm="x"' }),
  ...[408, 418, 421, 425, 503].map((code) => status(code, { 'retry-after': '0', connection: 'close' })),
  raw('a reset', (socket) => socket.resetAndDestroy()),
  raw('an end before anything', (socket) => socket.end()),
  raw('half a head', (socket) => socket.end('HTTP/1.1 200 O')),
  raw('a head and no body', (socket, trueAnswer) => socket.end(head(100, trueAnswer))),
  raw('half a body', (socket, trueAnswer) =>
    socket.end(head(1_000, trueAnswer) + trueAnswer.body.slice(0, 20)),
  ),
  raw('more than it promised', (socket, trueAnswer) => socket.end(`${whole(trueAnswer)}${CANARY}`)),
  raw('no HTTP', (socket) => socket.end(CANARY)),
  raw('HTTP/3.7', (socket) => socket.end('HTTP/3.7 200 OK\r\n\r\n')),
  raw('chunks that are none', (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'),
  ),
  raw('two lengths', (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}'),
  ),
  raw('a header of 100,000 characters', (socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n{}`),
  ),
  raw('another protocol', (socket) =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  ),
  raw('a hundred times: continue', (socket, trueAnswer) => {
    socket.end('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100) + whole(trueAnswer));
  }),
  raw('two answers to one request', (socket, trueAnswer) =>
    socket.write(whole({ ...trueAnswer, body: '{"data":{}}' }) + whole(trueAnswer)),
  ),
  raw('silence', () => {}, true),
  raw('drop by drop, without end', dribble, true),
];

const envelope = (name: string, body: string): FalseAnswer => text(`JSON: ${name}`, body);
const error = (name: string, value: unknown, isRefusal = false): FalseAnswer => ({
  ...envelope(`error ${name}`, JSON.stringify({ error: value })),
  isRefusal,
});
const withTrueData = (name: string, write: (trueAnswer: string) => string): FalseAnswer => ({
  name: `JSON: ${name}`,
  create: ({ data }) => ({ body: write(JSON.stringify(data ?? {})) }),
});

const refusal = { status: 202, description: CANARY, extra: { field: CANARY, reason: CANARY } };
const codes = [400, 401, 403, 404, 429, 10_002, 10_104, 10_404, 20_118, 20_119, 20_123, 424_242, 0, -401];

/** JSON that is not an envelope, or one that contradicts itself. */
export const envelopeAnswers: readonly FalseAnswer[] = [
  ...[
    '[]',
    'null',
    '"x"',
    '1',
    '{}',
    '{"data":null}',
    '{"data":[]}',
    '{"data":"CANARY"}',
    '{"data":0}',
    '{',
  ].map((body) => envelope(body, body)),
  envelope('a million arrays', `{"data":${'['.repeat(500_000)}${']'.repeat(500_000)}}`),
  envelope('arrays that never close', '['.repeat(1_000_000)),
  envelope('__proto__', `{"__proto__":{"data":{"has_safe":true}}}`),
  withTrueData('data in an array', (data) => `{"data":[${data}]}`),
  withTrueData('data twice', (data) => `{"data":${data},"data":{"user_id":"${CANARY}"}}`),
  withTrueData('has_safe twice', (data) => `{"data":{"has_safe":true,${data.slice(1)}}`),
  withTrueData(
    'data and an error',
    (data) => `{"data":${data},"error":{"code":500,"description":"${CANARY}"}}`,
  ),
  withTrueData('data and an empty error', (data) => `{"data":${data},"error":{}}`),
  ...codes.map((code) => error(String(code), { ...refusal, code }, true)),
  ...[500, 7000, 10_001].map((code) => error(String(code), { ...refusal, code })),
  error('as text', { ...refusal, code: '401' }),
  error('with a fraction', { ...refusal, code: 401.5 }),
  error('beyond numbers', { ...refusal, code: 1e300 }),
  error('without a code', refusal),
  error('in an array', [{ code: 401 }]),
  error('that is text', CANARY),
  error('that is false', false),
];

/** Points of small order on Ed25519, as their encodings (RFC 7748 and RFC 8032 warn of such). */
const smallOrder = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `${'00'.repeat(31)}80`,
  `ec${'ff'.repeat(30)}7f`,
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
];

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');

/** Values that no field has, or another account's. */
const strangeValues = (others: readonly string[]): readonly unknown[] => [
  ...others,
  ...smallOrder,
  ...smallOrder.map(base64),
  randomBytes(32).toString('hex'),
  randomBytes(32).toString('base64url'),
  randomUUID(),
  '',
  CANARY,
  `../${CANARY}`,
  '\0',
  'true',
  true,
  false,
  null,
  0,
  1,
  -1,
  1e300,
  [],
  {},
  [[[]]],
  { ['__proto__']: CANARY },
];

const fields = [
  ...[
    'user_id',
    'session_id',
    'has_safe',
    'has_pin',
    'tip_key_base64',
    'spend_public_key',
    'server_public_key',
  ],
  ...[
    'pin_token',
    'pin_token_base64',
    'id',
    'app',
    'created_at',
    'deactivation_effective_at',
    'contact_id',
    'type',
  ],
];

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The true answer with these fields changed; undefined removes one. */
export const fieldAnswer = (changes: Readonly<Record<string, unknown>>): FalseAnswer => ({
  name: `fields ${JSON.stringify(changes)}`,
  create: ({ data, body, status }) =>
    isFields(data) ? { status, body: JSON.stringify({ data: { ...data, ...changes } }) } : { status, body },
});

/** @param others ids of other accounts */
export const anyFieldAnswer = (others: readonly string[]): fc.Arbitrary<FalseAnswer> =>
  fc
    .array(fc.tuple(fc.constantFrom(...fields), fc.constantFrom(undefined, ...strangeValues(others))), {
      minLength: 1,
      maxLength: 3,
    })
    .map((changes) => fieldAnswer(Object.fromEntries(changes)));

/** Named false answers about an account. */
export const accountAnswers = (others: readonly string[]): readonly FalseAnswer[] => [
  ...others.map((user_id) => fieldAnswer({ user_id })),
  fieldAnswer({ has_safe: true }),
  fieldAnswer({ has_safe: false }),
  fieldAnswer({ has_safe: 'true' }),
  fieldAnswer({ has_safe: true, spend_public_key: randomBytes(32).toString('hex') }),
  fieldAnswer({ has_safe: true, spend_public_key: smallOrder[0] }),
  fieldAnswer({ has_safe: true, spend_public_key: CANARY }),
  fieldAnswer({ tip_key_base64: randomBytes(32).toString('base64url') }),
  fieldAnswer({ tip_key_base64: base64(smallOrder[1] ?? '') }),
  fieldAnswer({ tip_key_base64: '', has_pin: false }),
  fieldAnswer({ session_id: 'not a UUID' }),
  fieldAnswer({ session_id: 7 }),
  ...smallOrder.map((server_public_key) =>
    fieldAnswer({ server_public_key, pin_token: undefined, pin_token_base64: undefined }),
  ),
  fieldAnswer({
    server_public_key: undefined,
    pin_token: base64(smallOrder[0] ?? ''),
    pin_token_base64: undefined,
  }),
];
