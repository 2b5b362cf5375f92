import { expect, test } from 'vitest';
import { type Fault, faultNames } from '../../../emulators/mixin/faults.ts';
import {
  createClock,
  findAccount,
  HOUR_MS,
  newClient,
  newKey,
  readLastEntry,
  START_MS,
  sendOpenly,
  start,
  UUID,
} from './client.ts';
import { lastCode, newSession, requestCode, signIn, signInFields } from './phone-client.ts';

const UUID_ONE = '11111111-2222-4333-8444-555555555555';

/** A wait that ends when the test opens it. */
const gate = () => {
  const delays: number[] = [];
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  return {
    delays,
    reached: reached.promise,
    open: () => released.resolve(),
    wait: (delayMs: number) => {
      delays.push(delayMs);
      reached.resolve();
      return released.promise;
    },
  };
};

const setUp = async (user = {}, options = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now, ...options });
  const client = await newClient(standIn, clock, user);
  return { clock, standIn, client, account: () => findAccount(standIn, client) };
};

test('the fault slow: the request is handled after the delay', async () => {
  const { delays, reached, open, wait } = gate();
  const { client, standIn, account } = await setUp({}, { wait });
  standIn.setFaults([{ name: 'slow', delayMs: 700 }]);
  const reply = client.setTip(newKey());
  await reached;
  expect(account().has_pin).toBe(false);
  expect(standIn.ledger()).toEqual([]);
  open();
  expect((await reply).data.has_pin).toBe(true);
  expect(delays).toEqual([700]);
  expect(readLastEntry(standIn)).toMatchObject({ outcome: 'accepted', fault: 'slow' });
});

test('the fault answer_held: the request is handled, and the answer comes after the delay', async () => {
  const { delays, reached, open, wait } = gate();
  const { client, standIn, account } = await setUp({}, { wait });
  standIn.setFaults([{ name: 'answer_held', delayMs: 900 }]);
  let answered = false;
  const reply = client.setTip(newKey()).finally(() => {
    answered = true;
  });
  await reached;
  expect(account().has_pin).toBe(true);
  expect(answered).toBe(false);
  open();
  expect((await reply).data.has_pin).toBe(true);
  expect(delays).toEqual([900]);
});

test('the fault answer_lost: the key is registered, and the connection breaks', async () => {
  const tip = newKey();
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'answer_lost', times: 1 }]);
  await expect(client.setTip(tip)).rejects.toThrow('fetch failed');
  expect(account().tip_public_key).toBe(tip.public_key);
  expect(readLastEntry(standIn)).toMatchObject({
    outcome: 'accepted',
    status: 0,
    fault: 'answer_lost',
    bound: { kind: 'tip', public_key: tip.public_key },
  });
});

test('the fault request_lost: the connection breaks, and the request has no effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'request_lost', times: 1 }]);
  await expect(client.setTip(newKey(), { iterator: 5n })).rejects.toThrow('fetch failed');
  expect(account().has_pin).toBe(false);
  expect(readLastEntry(standIn)).toMatchObject({ outcome: 'refused', status: 0, fault: 'request_lost' });
  expect((await client.setTip(newKey(), { iterator: 5n })).data.has_pin).toBe(true);
});

test('the fault rate_limited: the answer is error 429 in a 202, without effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'rate_limited' }]);
  expect(await client.setTip(newKey())).toMatchObject({ status: 202, error: { status: 202, code: 429 } });
  expect(account()).toMatchObject({ has_pin: false, pin_errors: 0 });
  expect(readLastEntry(standIn)).toMatchObject({ outcome: 'refused', code: 429, fault: 'rate_limited' });
});

test('the fault server_error: the answer is an HTML page, without effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([
    { name: 'server_error', times: 1 },
    { name: 'server_error', status: 502 },
  ]);
  const reply = await client.setTip(newKey());
  expect(reply.status).toBe(500);
  expect(reply.headers.get('content-type')).toBe('text/html');
  expect(reply.text).toMatch(/^<html>/);
  expect((await client.setTip(newKey())).status).toBe(502);
  expect(account().has_pin).toBe(false);
});

test('the fault empty_body: the answer is 200 without a body, without effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'empty_body' }]);
  expect(await client.setTip(newKey())).toMatchObject({ status: 200, text: '' });
  expect(account().has_pin).toBe(false);
});

test('the fault code: the answer is the given error, in a 202 or, for internal errors, in a 500', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([
    { name: 'code', code: 10001, times: 1 },
    { name: 'code', code: 7000 },
  ]);
  expect(await client.setTip(newKey())).toMatchObject({ status: 202, error: { status: 202, code: 10001 } });
  expect(await client.setTip(newKey())).toMatchObject({ status: 500, error: { status: 500, code: 7000 } });
  expect(account().has_pin).toBe(false);
});

test.each(['server_error', 'empty_body', 'rate_limited', 'code'] as const)(
  'the fault %s with effect: true changes the answer only',
  async (name) => {
    const tip = newKey();
    const { client, standIn, account } = await setUp();
    standIn.setFaults([{ name, code: 10001, effect: true }]);
    expect((await client.setTip(tip)).data).toBeUndefined();
    expect(account().tip_public_key).toBe(tip.public_key);
    expect(readLastEntry(standIn)).toMatchObject({
      outcome: 'accepted',
      fault: name,
      bound: { kind: 'tip' },
    });
  },
);

test('the fault html: the answer is an HTML page with 200, without effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'html', times: 1 }]);
  const reply = await client.setTip(newKey());
  expect(reply.status).toBe(200);
  expect(reply.headers.get('content-type')).toBe('text/html');
  expect(reply.text).toMatch(/^<html>/);
  expect(account().has_pin).toBe(false);
  expect(readLastEntry(standIn)).toMatchObject({ outcome: 'refused', status: 200, fault: 'html' });
  expect((await client.setTip(newKey())).data.has_pin).toBe(true);
});

test('the fault huge_body: the answer is JSON of more than 2 MiB, and a client may close the connection in the middle', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'huge_body', times: 2 }]);
  const reply = await client.setTip(newKey());
  expect(reply.status).toBe(200);
  expect(reply.text.length).toBeGreaterThan(2 * 2 ** 20);
  expect(Object.keys(reply.data)).toEqual(['padding']);
  expect(account().has_pin).toBe(false);

  const controller = new AbortController();
  const response = await fetch(`${standIn.url}/me`, { signal: controller.signal });
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(2 * 2 ** 20);
  const { value } = (await response.body?.getReader().read()) ?? {};
  expect(value?.length).toBeLessThan(2 ** 20);
  controller.abort();
});

test('the fault redirect: the answer is a 302 to a path without an endpoint, and the ledger shows a client that follows it', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([
    { name: 'redirect', path: '/pin/update', times: 1 },
    { name: 'redirect', path: '/me', status: 307, location: 'http://127.0.0.2:9/me' },
    { name: 'redirect', path: '/safe/me' },
  ]);
  const reply = await client.setTip(newKey());
  expect(reply).toMatchObject({ status: 302, text: '' });
  expect(reply.headers.get('location')).toBe('/elsewhere');
  expect(account().has_pin).toBe(false);
  expect(readLastEntry(standIn)).toMatchObject({ path: '/pin/update', status: 302, fault: 'redirect' });
  const redirect = await client.send('GET', '/me');
  expect(redirect.status).toBe(307);
  expect(redirect.headers.get('location')).toBe('http://127.0.0.2:9/me');
  await fetch(`${standIn.url}/safe/me`);
  expect(readLastEntry(standIn)).toMatchObject({ path: '/elsewhere', code: 404 });
});

test.each(['html', 'huge_body', 'redirect'] as const)(
  'the fault %s with effect: true changes the answer only, and has the effect of the request',
  async (name) => {
    const tip = newKey();
    const { client, standIn, account } = await setUp();
    standIn.setFaults([{ name, effect: true }]);
    expect((await client.setTip(tip)).data?.user_id).toBeUndefined();
    expect(account().tip_public_key).toBe(tip.public_key);
    expect(readLastEntry(standIn)).toMatchObject({
      outcome: 'accepted',
      fault: name,
      bound: { kind: 'tip' },
    });
  },
);

test('the fault slow_body: the request is handled, the headers come at once and the body in parts during the delay', async () => {
  const { delays, reached, open, wait } = gate();
  const { client, standIn, account } = await setUp({}, { wait });
  standIn.setFaults([{ name: 'slow_body', delayMs: 500 }]);
  const token = client.token('GET', '/me', '', UUID_ONE);
  const response = await fetch(`${standIn.url}/me`, { headers: { Authorization: `Bearer ${token}` } });
  await reached;
  expect(response.status).toBe(200);
  expect(account().has_pin).toBe(false);
  let isDone = false;
  const body = response.json().finally(() => {
    isDone = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isDone).toBe(false);
  expect(delays).toEqual([50]);
  open();
  expect(await body).toMatchObject({ data: { user_id: client.keystore.app_id } });
  expect(delays).toEqual(Array(10).fill(50));
});

test('the fault slow_body ends when the client gives up', async () => {
  const { delays, reached, open, wait } = gate();
  const { client, standIn } = await setUp({}, { wait });
  standIn.setFaults([{ name: 'slow_body', delayMs: 500, times: 1 }]);
  const controller = new AbortController();
  const token = client.token('GET', '/me', '', UUID_ONE);
  const headers = { Authorization: `Bearer ${token}` };
  await fetch(`${standIn.url}/me`, { headers, signal: controller.signal });
  await reached;
  controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 100));
  open();
  expect((await client.me()).data.type).toBe('user');
  expect(delays).toEqual([50]);
});

test('the fault wrong_user: the request is handled, but the account object is that of another account', async () => {
  const tip = newKey();
  const { client, clock, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'wrong_user', times: 2, user_id: client.keystore.app_id }]);
  const { data: nobody } = await client.me();
  expect(nobody.user_id).toMatch(UUID);
  expect(nobody.user_id).not.toBe(client.keystore.app_id);

  const other = await newClient(standIn, clock, { tip: 'foreign', safe: 'foreign' });
  const { data } = await client.setTip(tip);
  expect(data).toEqual((await other.me()).data);
  expect(account().tip_public_key).toBe(tip.public_key);
  expect((await client.me()).data.user_id).toBe(client.keystore.app_id);
});

test('the fault wrong_user does not show a hidden spend key, and changes no data but account objects', async () => {
  const { client, standIn } = await setUp({ safe: 'foreign' });
  standIn.setFaults([{ name: 'wrong_user' }, { name: 'spend_key_hidden' }]);
  expect((await client.me()).data).not.toHaveProperty('spend_public_key');
  expect((await client.send('GET', '/logs')).data).toEqual([]);
  expect((await client.send('GET', '/safe/users')).error.code).toBe(404);
});

test('the fault wrong_key: the request is handled, but the account object has other keys, the same ones each time', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'wrong_key' }]);
  expect((await client.me()).data).toMatchObject({ tip_key_base64: '', spend_public_key: '' });
  await client.setTip(tip);
  const { data } = await client.register(spend, tip);
  expect(account()).toMatchObject({ tip_public_key: tip.public_key, spend_public_key: spend.public_key });
  expect(data.spend_public_key).toMatch(/^[0-9a-f]{64}$/);
  expect(data.spend_public_key).not.toBe(spend.public_key);
  const tipKey = Buffer.from(String(data.tip_key_base64), 'base64url');
  expect(tipKey).toHaveLength(32);
  expect(tipKey.toString('hex')).not.toBe(tip.public_key);
  expect((await client.me()).data).toMatchObject({
    tip_key_base64: data.tip_key_base64,
    spend_public_key: data.spend_public_key,
  });
});

test('the fault safe_flips_back: the account is in Safe, and the answer says that it is not', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, standIn, account } = await setUp({ tip });
  standIn.setFaults([{ name: 'safe_flips_back', times: 2 }]);
  expect((await client.register(spend, tip)).data.has_safe).toBe(false);
  expect(account().has_safe).toBe(true);
  expect((await client.me()).data).toMatchObject({ has_safe: false, spend_public_key: spend.public_key });
  expect((await client.me()).data.has_safe).toBe(true);
});

test('faults apply to calls without a token too, and a path may be a route', async () => {
  const { client, standIn } = await setUp();
  const secret = newSession().secret;
  const user_id = client.keystore.app_id;
  standIn.setFaults([
    { name: 'code', code: 10003, path: '/verifications', times: 1 },
    { name: 'code', code: 10001, path: '/verifications/:id', times: 1 },
    { name: 'answer_lost', path: '/verifications/:id', times: 1 },
    { name: 'code', code: 403, user_id },
  ]);
  expect((await requestCode(standIn)).error.code).toBe(10003);
  expect(standIn.verifications()).toEqual([]);
  expect((await signIn(standIn, secret)).error.code).toBe(10001);
  expect(readLastEntry(standIn)).toMatchObject({
    path: `/verifications/${lastCode(standIn).id}`,
    code: 10001,
  });
  const { id, code } = lastCode(standIn);
  const again = () => sendOpenly(standIn, `/verifications/${id}`, signInFields(code, secret));
  await expect(again()).rejects.toThrow('fetch failed');
  expect(readLastEntry(standIn)).toMatchObject({
    outcome: 'accepted',
    status: 0,
    created: { kind: 'person' },
  });
  expect((await again()).error.code).toBe(20114);
  expect((await client.me()).error.code).toBe(403);
});

test('the fault wrong_user at a sign-in: the answer has the session of another account, and the right account is created', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([{ name: 'wrong_user', path: '/verifications/:id' }]);
  const { data } = await signIn(standIn, newSession().secret);
  const { app_id: user_id, session_id } = client.keystore;
  expect(data).toMatchObject({ user_id, session_id, invitation_code: '' });
  expect(data).not.toHaveProperty('server_public_key');
  expect(readLastEntry(standIn).signed_in?.user_id).not.toBe(user_id);
  expect(standIn.accounts()).toHaveLength(2);
});

test('the fault wrong_request_id: the answer has the id of another request', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([{ name: 'wrong_request_id' }]);
  const reply = await client.me();
  expect(reply.data.user_id).toBe(client.keystore.app_id);
  expect(reply.headers.get('x-request-id')).toMatch(UUID);
  expect(reply.headers.get('x-request-id')).not.toBe(readLastEntry(standIn).request_id);
});

test('the fault clock_skew: tokens and PINs are checked with the shifted clock, and X-Server-Time shows it', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([
    { name: 'clock_skew', delayMs: HOUR_MS, times: 1 },
    { name: 'clock_skew', delayMs: -299_000, path: '/me' },
  ]);
  const reply = await client.me();
  expect(reply.error.code).toBe(401);
  expect(reply.headers.get('x-server-time')).toBe(`${START_MS + HOUR_MS}000000`);
  expect(readLastEntry(standIn)).toMatchObject({ at: new Date(START_MS).toISOString(), fault: 'clock_skew' });
  expect((await client.me()).headers.get('x-server-time')).toBe(`${START_MS}000000`);
  const early = await client.send('GET', '/me');
  expect(early.data.user_id).toBe(client.keystore.app_id);
  expect(early.headers.get('x-server-time')).toBe(`${START_MS - 299_000}000000`);
});

test('the fault lagging_reads after /pin/update: the account seems to have no PIN, then it has one', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, clock, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'lagging_reads', delayMs: 2_000, path: '/pin/update' }]);
  expect((await client.setTip(tip)).data.has_pin).toBe(true);
  clock.advance(1_999);
  expect((await client.me()).data).toMatchObject({ has_pin: false, tip_key_base64: '', tip_counter: 0 });
  expect((await client.register(spend, tip)).error.code).toBe(20118);
  expect(account()).toMatchObject({ has_pin: true, has_safe: false });
  clock.advance(1);
  expect((await client.me()).data).toMatchObject({ has_pin: true, tip_counter: 1 });
  expect((await client.register(spend, tip)).data.has_safe).toBe(true);
});

test('the fault lagging_reads after /safe/users: reads lag, but no second key is registered', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, clock, standIn, account } = await setUp({ tip });
  standIn.setFaults([{ name: 'lagging_reads', delayMs: 2_000 }]);
  expect((await client.register(spend, tip)).data.has_safe).toBe(true);
  expect((await client.me()).data).toMatchObject({ has_safe: false, spend_public_key: '' });
  expect((await client.register(newKey(), tip)).error.code).toBe(10002);
  expect(account().spend_public_key).toBe(spend.public_key);
  clock.advance(2_000);
  expect((await client.me()).data).toMatchObject({ has_safe: true, spend_public_key: spend.public_key });
});

test('the fault spend_key_hidden: the account object does not show the spend key', async () => {
  const { client, standIn } = await setUp({ safe: 'foreign' });
  expect((await client.me()).data).toHaveProperty('spend_public_key');
  standIn.setFaults([{ name: 'spend_key_hidden' }]);
  expect((await client.me()).data).not.toHaveProperty('spend_public_key');
});

test('the fault upgrade_suspended: a six-digit PIN is not upgraded', async () => {
  const { client, standIn, account } = await setUp({ six_digit_pin: '123456' });
  const upgrade = () =>
    client.send('POST', '/pin/update', {
      old_pin_base64: client.encrypt(Buffer.from('123456')),
      pin_base64: client.encrypt(client.tipPin(newKey().public_key)),
    });
  standIn.setFaults([{ name: 'upgrade_suspended', times: 1 }]);
  expect((await upgrade()).error.code).toBe(20118);
  expect(account().tip_public_key).toBe('');
  expect((await upgrade()).data.tip_counter).toBe(1);
});

test('a fault applies only to the method, path and user that it names', async () => {
  const { client, clock, standIn } = await setUp();
  const other = await newClient(standIn, clock);
  const user_id = client.keystore.app_id;
  standIn.setFaults([{ name: 'code', code: 10001, method: 'GET', path: '/logs', user_id }]);
  const logs = '/logs?category=PIN_INCORRECT&limit=5';
  expect((await client.send('GET', logs)).error.code).toBe(10001);
  expect((await client.me()).error).toBeUndefined();
  expect((await other.send('GET', logs)).error).toBeUndefined();
  standIn.setFaults([{ name: 'code', code: 10001, method: 'POST' }]);
  expect((await client.send('GET', logs)).error).toBeUndefined();
});

test('the times of a fault count for each user separately, and setFaults resets them', async () => {
  const { client, clock, standIn } = await setUp();
  const other = await newClient(standIn, clock);
  const codes = async () => [(await client.me()).error?.code, (await other.me()).error?.code];
  standIn.setFaults([{ name: 'rate_limited', times: 2 }]);
  expect([await codes(), await codes(), await codes()]).toEqual([
    [429, 429],
    [429, 429],
    [undefined, undefined],
  ]);
  standIn.setFaults([{ name: 'rate_limited', times: 1 }]);
  expect(await codes()).toEqual([429, 429]);
});

test('of two faults that end a request the first one applies, and the second one keeps its times', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([
    { name: 'rate_limited', times: 1 },
    { name: 'code', code: 10001, times: 1 },
  ]);
  const codes = [];
  for (let index = 0; index < 3; index += 1) codes.push((await client.me()).error?.code);
  expect(codes).toEqual([429, 10001, undefined]);
});

test('the rate of a fault picks the same requests for the same seed, in any order of the users', async () => {
  const pick = async (seed: number, order: 'one by one' | 'in turn') => {
    const { client, clock, standIn } = await setUp(
      { user_id: '6e8a3f0e-2f1c-4d0b-8f41-0a1b2c3d4e5f' },
      { seed },
    );
    const other = await newClient(standIn, clock, { user_id: '00000000-2f1c-4d0b-8f41-0a1b2c3d4e5f' });
    standIn.setFaults([{ name: 'rate_limited', rate: 0.3 }]);
    const limited: [boolean[], boolean[]] = [[], []];
    const ask = async (index: 0 | 1) => {
      const reply = await [client, other][index]?.me();
      limited[index].push(reply?.error?.code === 429);
    };
    for (let round = 0; round < 100; round += 1) {
      if (order === 'in turn') for (const index of [0, 1] as const) await ask(index);
      else await ask(round < 50 ? 0 : 1);
      if (order === 'in turn' && round === 49) break;
    }
    return limited;
  };
  const first = await pick(1, 'one by one');
  expect(await pick(1, 'in turn')).toEqual(first);
  expect(await pick(2, 'in turn')).not.toEqual(first);
  const hits = first.flat().filter(Boolean).length;
  expect(hits).toBeGreaterThan(15);
  expect(hits).toBeLessThan(45);
});

test('an invalid fault is refused and changes nothing', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([{ name: 'rate_limited' }]);
  for (const fault of [
    { name: 'unknown' },
    { name: 'slow', rate: 2 },
    { name: 'slow', times: -1 },
    { name: 'slow', delayMs: Number.NaN },
    { name: 'code' },
    { name: 'redirect', status: 200 },
  ])
    expect(() => standIn.setFaults([fault as Fault])).toThrow(TypeError);
  expect((await client.me()).error.code).toBe(429);
  expect(faultNames).toHaveLength(20);
});
