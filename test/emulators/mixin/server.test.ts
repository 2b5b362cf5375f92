import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import {
  connect,
  createClock,
  type Keystore,
  newClient,
  newKey,
  readLastEntry,
  START_MS,
  start,
} from './client.ts';

const setUp = async () => {
  const clock = createClock();
  const standIn = await start({ now: clock.now });
  return { clock, standIn, client: await newClient(standIn, clock) };
};

const call = async (url: string, method: string, body?: unknown) => {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as unknown };
};

test('the account object has every field of the page', async () => {
  const { client } = await setUp();
  const { data, status, headers } = await client.me();
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  const fields =
    'user_id identity_number phone full_name biography avatar_url relationship mute_until created_at code_id code_url features has_safe session_id device_status has_pin receive_message_source accept_conversation_source accept_search_source fiat_currency transfer_notification_threshold transfer_confirmation_threshold pin_token_base64 salt_base64 tip_key_base64 tip_counter has_emergency_contact';
  for (const field of fields.split(' ')) expect(data).toHaveProperty(field);
  expect(data).toMatchObject({
    user_id: client.keystore.app_id,
    session_id: client.keystore.session_id,
    server_public_key: client.keystore.server_public_key,
    tip_key_base64: '',
    spend_public_key: '',
    created_at: new Date(START_MS).toISOString(),
  });
  expect((await client.send('GET', '/me')).data).toEqual(data);
});

test.each([
  ['GET', '/'],
  ['GET', '/users'],
  ['POST', '/safe/me'],
  ['POST', '/safe/users/'],
  ['GET', '/constructor'],
  ['GET', '//safe/me'],
])('the request %s %s is 404 in the envelope', async (method, target) => {
  const { client, standIn } = await setUp();
  expect(await client.send(method, target)).toMatchObject({ status: 202, error: { status: 202, code: 404 } });
  expect(readLastEntry(standIn)).toMatchObject({
    outcome: 'refused',
    status: 202,
    code: 404,
    method,
    path: target,
  });
});

test.each(['', '{', '[]', '"text"', 'null'])('the body %j is 400 in the envelope', async (body) => {
  const { client, standIn } = await setUp();
  for (const path of ['/users', '/pin/update', '/pin/verify', '/safe/users']) {
    expect(await client.send('POST', path, body)).toMatchObject({ status: 202, error: { code: 400 } });
    expect(readLastEntry(standIn)).toMatchObject({ path, code: 400 });
  }
});

test('a body larger than 1 MiB breaks the connection', async () => {
  const { client, standIn } = await setUp();
  await expect(client.send('POST', '/users', 'x'.repeat(1_100_000))).rejects.toThrow('fetch failed');
  expect(standIn.ledger()).toEqual([]);
});

test('the ledger has one entry for each request, in order, without the query', async () => {
  const { client, standIn } = await setUp();
  await client.me();
  await client.send('GET', '/logs?category=PIN_INCORRECT&limit=5');
  await client.setTip(newKey());
  await client.verifyTip(newKey());
  const entries = standIn.ledger();
  expect(entries.map(({ id, path, outcome, status, code }) => [id, path, outcome, status, code])).toEqual([
    [1, '/safe/me', 'accepted', 200, undefined],
    [2, '/logs', 'accepted', 200, undefined],
    [3, '/pin/update', 'accepted', 200, undefined],
    [4, '/pin/verify', 'refused', 202, 20119],
  ]);
  for (const entry of entries)
    expect(entry).toMatchObject({ user_id: client.keystore.app_id, at: new Date(START_MS).toISOString() });
});

test('keys that createUser set are not in the list of bound keys', async () => {
  const { standIn } = await setUp();
  const [tip, safe] = [newKey(), newKey()];
  await standIn.createUser({ tip, safe });
  expect(standIn.accounts().find(({ has_safe }) => has_safe)).toMatchObject({
    tip_public_key: tip.public_key,
    spend_public_key: safe.public_key,
    tip_counter: 1,
  });
  const { json } = await call(`${standIn.url}/_stand-in/ledger?bound=true`, 'GET');
  expect(json).toEqual([]);
});

test('the keystore is in lower-case hex, in the dashboard’s form', async () => {
  const { client } = await setUp();
  expect(Object.keys(client.keystore)).toEqual([
    'app_id',
    'session_id',
    'server_public_key',
    'session_private_key',
  ]);
  expect(client.keystore.server_public_key).toMatch(/^[0-9a-f]{64}$/);
  expect(client.keystore.session_private_key).toMatch(/^[0-9a-f]{64}$/);
});

test('createUser refuses invalid options', async () => {
  const { standIn } = await setUp();
  for (const user of [
    { user_id: 'BOT' },
    { session_id: 'one' },
    { six_digit_pin: '12345' },
    { six_digit_pin: '123456', tip: 'foreign' as const },
    { tip: { private_key: 'ab' } },
  ])
    expect(() => standIn.createUser(user)).toThrow(TypeError);
  expect(standIn.accounts()).toHaveLength(1);
});

test('the admin routes create users, show accounts and ledger, and set faults', async () => {
  const { clock, standIn } = await setUp();
  const admin = `${standIn.url}/_stand-in`;
  const one = await call(`${admin}/users`, 'POST', { tip: 'foreign' });
  const { keystore } = one.json as { keystore: Keystore };
  const many = await call(`${admin}/users`, 'POST', [{}, { session: 'revoked' }]);
  expect(many.json).toHaveLength(2);
  expect((await call(`${admin}/accounts`, 'GET')).json).toEqual(standIn.accounts());
  expect(standIn.accounts()).toHaveLength(4);

  const faults = [{ name: 'rate_limited', times: 1 }];
  expect(await call(`${admin}/faults`, 'PUT', faults)).toEqual({ status: 200, json: faults });
  expect((await call(`${admin}/faults`, 'GET')).json).toEqual(faults);
  const client = connect(standIn, keystore, clock);
  expect((await client.me()).error.code).toBe(429);
  expect((await client.me()).data.has_pin).toBe(true);
  expect((await call(`${admin}/ledger`, 'GET')).json).toEqual(standIn.ledger());
  expect((await call(`${admin}/ledger?after=1`, 'GET')).json).toEqual(standIn.ledger().slice(1));
});

test('invalid calls of the admin routes are 400 or 404 and change nothing', async () => {
  const { standIn } = await setUp();
  const admin = `${standIn.url}/_stand-in`;
  expect((await call(`${admin}/users`, 'POST', [{}, { six_digit_pin: 'x' }])).status).toBe(400);
  expect((await call(`${admin}/users`, 'POST', 7)).status).toBe(400);
  expect((await call(`${admin}/faults`, 'PUT', [{ name: 'unknown' }])).status).toBe(400);
  expect((await call(`${admin}/faults`, 'PUT', {})).status).toBe(400);
  expect((await call(`${admin}/ledger?after=x`, 'GET')).status).toBe(400);
  expect((await call(`${admin}/secrets`, 'GET')).status).toBe(404);
  expect(standIn.accounts()).toHaveLength(1);
  expect(standIn.ledger()).toEqual([]);
});

test('the server listens on the loopback address only', async () => {
  const { standIn } = await setUp();
  expect(standIn.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const error = new Promise((resolve) => {
    request(standIn.url.replace('127.0.0.1', '127.0.0.2')).on('error', resolve).end();
  });
  expect(await error).toMatchObject({ code: 'ECONNREFUSED' });
});

test('a port that is in use is an error', async () => {
  const { standIn } = await setUp();
  await expect(start({ port: Number(new URL(standIn.url).port) })).rejects.toThrow('EADDRINUSE');
});

test('stop ends waiting requests', async () => {
  let reached: () => void = () => {};
  const waiting = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const clock = createClock();
  const standIn = await start({
    now: clock.now,
    wait: () => {
      reached();
      return new Promise(() => {});
    },
  });
  const client = await newClient(standIn, clock);
  standIn.setFaults([{ name: 'slow', delayMs: 60_000 }]);
  const reply = expect(client.me()).rejects.toThrow('fetch failed');
  await waiting;
  await standIn.stop();
  await reply;
});

test('the command explains its options within 80 columns and refuses unknown ones', async () => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['emulators/mixin/main.ts', '--help']);
  for (const option of ['--port', '--data', '--signature']) expect(stdout).toContain(option);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  for (const args of [['--port', 'x'], ['--signature', 'mine'], ['--colour']])
    await expect(run(process.execPath, ['emulators/mixin/main.ts', ...args])).rejects.toMatchObject({
      code: 2,
    });
});
