import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  type Client,
  createClock,
  newClient,
  newKey,
  readLastEntry,
  START_MS,
  start,
  type TokenOverrides,
  UUID,
} from './client.ts';

const seconds = Math.floor(START_MS / 1_000);
const target = '/logs?category=PIN_INCORRECT&limit=5';

const setUp = async (user = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now });
  return { clock, standIn, client: await newClient(standIn, clock, user) };
};

const withHeader = (client: Client, header: unknown): string => {
  const [, payload = ''] = client.token('GET', target, '', randomUUID()).split('.');
  const signedText = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}`;
  const key = createPrivateKey({
    key: Buffer.from(`302e020100300506032b657004220420${client.keystore.session_private_key}`, 'hex'),
    format: 'der',
    type: 'pkcs8',
  });
  return `${signedText}.${sign(null, Buffer.from(signedText), key).toString('base64url')}`;
};

test('a valid token is accepted, with and without X-Request-Id', async () => {
  const { client } = await setUp();
  expect((await client.send('GET', target)).data).toEqual([]);
  expect((await client.send('GET', target, undefined, { request_id: null })).data).toEqual([]);
});

const cases: readonly (readonly [string, TokenOverrides, string])[] = [
  ['a sig over another method', { signed: `POST${target}` }, 'sig does not match the request'],
  ['a sig over the path without its query', { signed: 'GET/logs' }, 'sig does not match the request'],
  ['a sig over a body that was not sent', { signed: `GET${target}{}` }, 'sig does not match the request'],
  ['an upper-case sig', { claims: { sig: 'A'.repeat(64) } }, 'sig does not match the request'],
  ['an exp in the past', { claims: { iat: seconds - 60, exp: seconds } }, 'the token is expired'],
  ['exp not after iat', { claims: { iat: seconds + 60, exp: seconds + 60 } }, 'the token is expired'],
  ['iat too long ago', { claims: { iat: seconds - 301, exp: seconds + 60 } }, 'iat is over five minutes off'],
  [
    'iat in the future',
    { claims: { iat: seconds + 301, exp: seconds + 900 } },
    'iat is over five minutes off',
  ],
  ['iat as a text', { claims: { iat: String(seconds) } }, 'iat and exp must be seconds'],
  ['no exp', { claims: { exp: undefined } }, 'iat and exp must be seconds'],
  [
    'a jti that is not a UUID',
    { claims: { jti: 'one' }, request_id: null },
    'uid, sid and jti must be UUIDs',
  ],
  ['another scope', { claims: { scp: 'PROFILE:READ' } }, 'scp is not FULL'],
  ['no scope', { claims: { scp: undefined } }, 'scp is not FULL'],
  ['another seed', { seed: newKey().private_key }, 'the token is not signed by the session'],
  ['an unknown session', { claims: { sid: randomUUID() } }, 'the session is unknown'],
  ['an unknown user', { claims: { uid: randomUUID() } }, 'the session is unknown'],
  ['no text at all', { token: '' }, 'there is no token'],
];

test.each(cases)('a token with %s is refused', async (_name, overrides, reason) => {
  const { client, standIn } = await setUp();
  const reply = await client.send('GET', target, undefined, overrides);
  expect(reply.status).toBe(202);
  expect(reply.error).toMatchObject({ status: 202, code: 401 });
  expect(readLastEntry(standIn)).toMatchObject({ outcome: 'refused', status: 202, code: 401, reason });
});

test('iat within five minutes is accepted on both sides', async () => {
  const { client } = await setUp();
  for (const iat of [seconds - 300, seconds + 300]) {
    const reply = await client.send('GET', target, undefined, { claims: { iat, exp: seconds + 900 } });
    expect(reply.data).toEqual([]);
  }
});

test('the signature covers the body byte by byte', async () => {
  const { client, standIn } = await setUp();
  const body = '{"session_secret": "", "full_name": "A"}';
  const reply = await client.send('POST', '/users', body, {
    signed: `POST/users${JSON.stringify(JSON.parse(body))}`,
  });
  expect(reply.error.code).toBe(401);
  expect(readLastEntry(standIn).reason).toBe('sig does not match the request');
  expect((await client.send('POST', '/users', body)).error.code).toBe(10002);
});

test('a token is accepted for one request only', async () => {
  const { client, standIn } = await setUp();
  const jti = randomUUID();
  const token = client.token('GET', target, '', jti);
  expect((await client.send('GET', target, undefined, { token, request_id: jti })).data).toEqual([]);
  expect((await client.send('GET', target, undefined, { token, request_id: jti })).error.code).toBe(401);
  expect(readLastEntry(standIn).reason).toBe('the token was used before');
});

test.each([
  ['HS256', { alg: 'HS256', typ: 'JWT' }],
  ['none', { alg: 'none', typ: 'JWT' }],
  ['no type', { alg: 'EdDSA' }],
])('a token with the header %s is refused', async (_name, header) => {
  const { client, standIn } = await setUp();
  const good = withHeader(client, { alg: 'EdDSA', typ: 'JWT' });
  expect((await client.send('GET', target, undefined, { token: good, request_id: null })).data).toEqual([]);
  const token = withHeader(client, header);
  expect((await client.send('GET', target, undefined, { token, request_id: null })).error.code).toBe(401);
  expect(readLastEntry(standIn).reason).toBe('the token’s header is not EdDSA or RS512 JWT');
});

test('a revoked session is refused', async () => {
  const { client, standIn } = await setUp({ session: 'revoked' });
  expect((await client.me()).error.code).toBe(401);
  expect(readLastEntry(standIn).reason).toBe('the session is revoked');
});

test('a new session of the same bot replaces the old one and keeps the keys', async () => {
  const tip = newKey();
  const { client, clock, standIn } = await setUp({ tip });
  const newSession = await newClient(standIn, clock, { user_id: client.keystore.app_id });
  expect((await client.me()).error.code).toBe(401);
  expect((await newSession.me()).data.user_id).toBe(client.keystore.app_id);
  expect((await newSession.verifyTip(tip, { iterator: 1n })).data.has_pin).toBe(true);
  expect(() => standIn.createUser({ user_id: client.keystore.app_id, tip: 'foreign' })).toThrow('tip');
});

test('the session of one user is refused for another', async () => {
  const { client, clock, standIn } = await setUp();
  const other = await newClient(standIn, clock);
  const claims = { uid: other.keystore.app_id };
  expect((await client.send('GET', '/safe/me', undefined, { claims })).error.code).toBe(401);
});

test('answers have the request id and the server’s time in nanoseconds', async () => {
  const { client } = await setUp();
  const request_id = randomUUID();
  const reply = await client.send('GET', target, undefined, { claims: { jti: request_id }, request_id });
  expect(reply.headers.get('x-request-id')).toBe(request_id);
  expect(reply.headers.get('x-server-time')).toBe(`${START_MS}000000`);
  const withoutId = await client.send('GET', target, undefined, { request_id: null });
  expect(withoutId.headers.get('x-request-id')).toMatch(UUID);
});

test('the session of an Ed25519 key refuses a token that is signed with RSA', async () => {
  const { client } = await setUp();
  const [, payload = ''] = client.token('GET', target, '', randomUUID()).split('.');
  const signedText = `${Buffer.from('{"alg":"RS512","typ":"JWT"}').toString('base64url')}.${payload}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const token = `${signedText}.${sign('sha512', Buffer.from(signedText), privateKey).toString('base64url')}`;
  expect((await client.send('GET', target, undefined, { token, request_id: null })).error.code).toBe(401);
});

/** A call as the official Go SDK makes it: its own token with a random jti for 90 days, and X-Request-Id apart from it. */
const callAsGoSdk = async (
  url: string,
  keystore: Client['keystore'],
  clockMs: number,
  request_id?: string,
) => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(clockMs / 1_000);
  const claims = {
    uid: keystore.app_id,
    sid: keystore.session_id,
    iat,
    exp: iat + 90 * 86_400,
    jti: randomUUID(),
    sig: createHash('sha256').update('GET/safe/me').digest('hex'),
    scp: 'FULL',
  };
  const signedText = `${encode({ alg: 'EdDSA', typ: 'JWT' })}.${encode(claims)}`;
  const key = createPrivateKey({
    key: Buffer.from(`302e020100300506032b657004220420${keystore.session_private_key}`, 'hex'),
    format: 'der',
    type: 'pkcs8',
  });
  const authorization = `Bearer ${signedText}.${sign(null, Buffer.from(signedText), key).toString('base64url')}`;
  const headers = { authorization, ...(request_id !== undefined && { 'x-request-id': request_id }) };
  const answer = await fetch(`${url}/safe/me`, { headers });
  return (await answer.json()) as { data?: { user_id: string }; error?: { code: number } };
};

test('a client that signs as the Go SDK does is accepted, with an unrelated X-Request-Id or none', async () => {
  const { client, clock, standIn } = await setUp();
  for (const request_id of [randomUUID(), undefined]) {
    const { data } = await callAsGoSdk(standIn.url, client.keystore, clock.now(), request_id);
    expect(data?.user_id).toBe(client.keystore.app_id);
  }
});

test('under strict_request_id an unrelated X-Request-Id is refused, and none is accepted', async () => {
  const clock = createClock();
  const standIn = await start({ now: clock.now, strict_request_id: true });
  const { keystore } = await newClient(standIn, clock);
  const other = await callAsGoSdk(standIn.url, keystore, clock.now(), randomUUID());
  expect(other.error?.code).toBe(401);
  expect(readLastEntry(standIn).reason).toBe('jti is not the X-Request-Id');
  expect((await callAsGoSdk(standIn.url, keystore, clock.now())).data?.user_id).toBe(keystore.app_id);
});
