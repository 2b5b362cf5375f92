import { expect, test } from 'vitest';
import {
  createClock,
  findAccount,
  HOUR_MS,
  newClient,
  newKey,
  readLastEntry,
  START_MS,
  start,
} from './client.ts';

const setUp = async (user = {}, options = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now, ...options });
  const client = await newClient(standIn, clock, user);
  return { clock, standIn, client, account: () => findAccount(standIn, client) };
};

test('the first TIP PIN is registered, once, and the ledger names its key', async () => {
  const { client, standIn, account } = await setUp();
  const tip = newKey();
  const { data } = await client.setTip(tip);
  expect(data).toMatchObject({ has_pin: true, tip_counter: 1 });
  expect(data.tip_key_base64).toBe(Buffer.from(tip.public_key, 'hex').toString('base64url'));
  expect(account()).toMatchObject({ has_pin: true, tip_public_key: tip.public_key, tip_counter: 1 });
  expect(readLastEntry(standIn)).toMatchObject({
    outcome: 'accepted',
    path: '/pin/update',
    user_id: client.keystore.app_id,
    bound: { kind: 'tip', public_key: tip.public_key },
  });
});

test.each([
  ['pin and old_pin', (pin: string) => ({ pin, old_pin: '' })],
  ['pin alone', (pin: string) => ({ pin })],
  ['pin_base64 alone', (pin_base64: string) => ({ pin_base64 })],
])('the field names %s are accepted', async (_names, fields) => {
  const { client } = await setUp();
  const pin = client.encrypt(client.tipPin(newKey().public_key), { encoding: 'base64' });
  expect((await client.send('POST', '/pin/update', fields(pin))).data.has_pin).toBe(true);
});

test.each([
  ['a counter of 0', () => [0n, newKey().public_key] as const],
  ['a counter of 2', () => [2n, newKey().public_key] as const],
  ['a counter of 1 in little-endian', () => [1n << 56n, newKey().public_key] as const],
  ['a key that is not a point', () => [1n, '02'.padEnd(64, '0')] as const],
  ['a key of small order', () => [1n, '01'.padEnd(64, '0')] as const],
  ['a key of 31 bytes', () => [1n, newKey().public_key.slice(2)] as const],
  ['a counter and a byte more', () => [1n, newKey().public_key, Buffer.of(0)] as const],
])('a first TIP PIN with %s is refused and registers nothing', async (_name, make) => {
  const { client, account, standIn } = await setUp();
  const [counter, public_key, more = Buffer.alloc(0)] = make();
  const pin_base64 = client.encrypt(Buffer.concat([client.tipPin(public_key, counter), more]));
  const reply = await client.send('POST', '/pin/update', { old_pin_base64: '', pin_base64 });
  expect(reply.error.code).toBe(20118);
  expect(account()).toMatchObject({ has_pin: false, tip_public_key: '', pin_errors: 0 });
  expect(standIn.ledger().some(({ bound }) => bound !== undefined)).toBe(false);
});

test('a request without a new PIN is refused, and so is an old PIN when there is none', async () => {
  const { client, account } = await setUp();
  expect((await client.send('POST', '/pin/update', { old_pin_base64: '' })).error).toMatchObject({
    code: 10002,
    extra: { field: 'pin_base64' },
  });
  const pins = {
    old_pin_base64: client.encrypt(Buffer.from('123456')),
    pin_base64: client.encrypt(client.tipPin(newKey().public_key)),
  };
  expect((await client.send('POST', '/pin/update', pins)).error.code).toBe(20119);
  expect(account()).toMatchObject({ has_pin: false, pin_errors: 0 });
});

test('a second, different TIP key is refused and counted, even with the right old PIN', async () => {
  const tip = newKey();
  const { client, account } = await setUp({ tip });
  expect((await client.setTip(newKey())).error.code).toBe(20119);
  expect(account()).toMatchObject({ tip_public_key: tip.public_key, pin_errors: 1 });

  const pins = {
    old_pin_base64: client.encrypt(client.tipProof(tip, 1)),
    pin_base64: client.encrypt(client.tipPin(newKey().public_key, 2n)),
  };
  expect((await client.send('POST', '/pin/update', pins)).error.code).toBe(20119);
  expect(account()).toMatchObject({ tip_public_key: tip.public_key, tip_counter: 1, pin_errors: 2 });
});

test('the same TIP key with the next counter is accepted and not registered again', async () => {
  const tip = newKey();
  const { client, account, standIn } = await setUp({ tip });
  const update = (proofOf: number, counter: bigint) =>
    client.send('POST', '/pin/update', {
      old_pin_base64: client.encrypt(client.tipProof(tip, proofOf)),
      pin_base64: client.encrypt(client.tipPin(tip.public_key, counter)),
    });
  expect((await update(1, 3n)).error.code).toBe(20119);
  expect(account()).toMatchObject({ tip_counter: 1, pin_errors: 0 });
  expect((await update(2, 2n)).error.code).toBe(20119);
  expect(account()).toMatchObject({ tip_counter: 1, pin_errors: 1 });
  expect((await update(1, 2n)).data.tip_counter).toBe(2);
  expect((await update(2, 3n)).data.tip_counter).toBe(3);
  expect(standIn.ledger().some(({ bound }) => bound !== undefined)).toBe(false);
});

test('a six-digit PIN is upgraded with the right old PIN only', async () => {
  const { client, account, standIn } = await setUp({ six_digit_pin: '123456' });
  const tip = newKey();
  const upgrade = (digits: string) =>
    client.send('POST', '/pin/update', {
      old_pin_base64: digits === '' ? '' : client.encrypt(Buffer.from(digits)),
      pin_base64: client.encrypt(client.tipPin(tip.public_key)),
    });
  expect((await upgrade('')).error.code).toBe(20119);
  expect((await upgrade('654321')).error.code).toBe(20119);
  expect(account()).toMatchObject({ has_pin: true, tip_public_key: '', pin_errors: 2 });
  expect((await upgrade('123456')).data).toMatchObject({ has_pin: true, tip_counter: 1 });
  expect(readLastEntry(standIn).bound).toEqual({ kind: 'tip', public_key: tip.public_key });
});

test('when one request has two PINs the old one must be encrypted first', async () => {
  const { client, account } = await setUp({ six_digit_pin: '123456' });
  const pin_base64 = client.encrypt(client.tipPin(newKey().public_key));
  const old_pin_base64 = client.encrypt(Buffer.from('123456'));
  expect((await client.send('POST', '/pin/update', { old_pin_base64, pin_base64 })).error.code).toBe(20119);
  expect(account()).toMatchObject({ tip_public_key: '', pin_errors: 0 });
});

test('a setting suspends the upgrade of six-digit PINs', async () => {
  const { client, account } = await setUp({ six_digit_pin: '123456' }, { suspend_upgrade: true });
  const pins = {
    old_pin_base64: client.encrypt(Buffer.from('123456')),
    pin_base64: client.encrypt(client.tipPin(newKey().public_key)),
  };
  expect((await client.send('POST', '/pin/update', pins)).error.code).toBe(20118);
  expect(account()).toMatchObject({ tip_public_key: '', pin_errors: 0 });
});

test('POST /pin/verify checks a TIP PIN with the digits as sent and six digits as ASCII, and is 20118 without a PIN', async () => {
  const tip = newKey();
  const { client, clock, standIn } = await setUp({ tip });
  expect((await client.verifyTip(tip)).data.has_pin).toBe(true);

  const roundedPin = client.encrypt(client.tipProof(tip, '1700000000000000123'));
  const body = `{"pin_base64":"${roundedPin}","timestamp":1700000000000000124}`;
  expect(Number('1700000000000000123')).toBe(Number('1700000000000000124'));
  expect((await client.send('POST', '/pin/verify', body)).error.code).toBe(20119);
  const pin_base64 = client.encrypt(client.tipProof(tip, 1));
  for (const timestamp of [undefined, '1', 1.5, -1])
    expect((await client.send('POST', '/pin/verify', { pin_base64, timestamp })).error).toMatchObject({
      code: 10002,
      extra: { field: 'timestamp' },
    });

  const six = await newClient(standIn, clock, { six_digit_pin: '123456' });
  const verify = (digits: string) =>
    six.send('POST', '/pin/verify', { pin: six.encrypt(Buffer.from(digits)) });
  expect((await verify('123457')).error.code).toBe(20119);
  expect((await verify('123456')).data.has_pin).toBe(true);

  const none = await newClient(standIn, clock);
  const pin = none.encrypt(Buffer.from('123456'));
  expect((await none.send('POST', '/pin/verify', { pin })).error.code).toBe(20118);
});

test.each([
  ['text that is not base64', () => '*'.repeat(64)],
  ['two alphabets at once', (pin: string) => `+_${pin.slice(2)}`],
  ['a part of a block', (pin: string) => pin.slice(0, -8)],
  ['a broken ciphertext', (pin: string) => `${pin.slice(0, -6)}AAAAAA`],
])('a PIN of %s is 20119 and not counted', async (_name, spoil) => {
  const tip = newKey();
  const { client, account } = await setUp({ tip });
  const pin_base64 = spoil(client.encrypt(client.tipProof(tip, 1)));
  expect((await client.send('POST', '/pin/verify', { pin_base64, timestamp: 1 })).error.code).toBe(20119);
  expect(account().pin_errors).toBe(0);
});

test('a PIN for another server key, with another padding, of another time or with a used iterator is 20119 and not counted', async () => {
  const tip = newKey();
  const { client, account, standIn } = await setUp({ tip });
  const seconds = START_MS / 1_000;
  const otherServer = { server_public_key: newKey().public_key };
  expect((await client.verifyTip(tip, otherServer)).error.code).toBe(20119);
  const reasons = [];
  for (const overrides of [
    { padding: Buffer.of(...Array<number>(15).fill(0), 16) },
    { padding: Buffer.alloc(16) },
    { padding: Buffer.alloc(16, 17) },
    { seconds: seconds - 301 },
    { seconds: seconds + 301 },
    { iterator: 0n },
  ]) {
    expect((await client.verifyTip(tip, overrides)).error.code).toBe(20119);
    reasons.push(readLastEntry(standIn).reason);
  }
  expect(reasons).toEqual([
    'the PIN does not decrypt',
    'the PIN does not decrypt',
    'the PIN does not decrypt',
    'the PIN’s time is over five minutes off',
    'the PIN’s time is over five minutes off',
    'the PIN’s iterator did not grow',
  ]);
  expect((await client.verifyTip(tip, { seconds: seconds - 300, iterator: 7n })).data.has_pin).toBe(true);
  expect((await client.verifyTip(tip, { seconds: seconds + 300, iterator: 7n })).error.code).toBe(20119);
  expect((await client.verifyTip(tip, { iterator: 6n })).error.code).toBe(20119);
  expect((await client.verifyTip(tip, { iterator: 8n })).data.has_pin).toBe(true);
  expect(account().pin_errors).toBe(0);
});

test('a wrong PIN uses its iterator too, and after the iterator 2^64-1 the session can use no PIN', async () => {
  const tip = newKey();
  const { client, standIn } = await setUp({ tip });
  expect((await client.verifyTip(newKey(), { iterator: 9n })).error.code).toBe(20119);
  expect((await client.verifyTip(tip, { iterator: 9n })).error.code).toBe(20119);
  expect(readLastEntry(standIn).reason).toBe('the PIN’s iterator did not grow');
  expect((await client.verifyTip(tip, { iterator: 2n ** 64n - 1n })).data.has_pin).toBe(true);
  expect((await client.verifyTip(tip)).error.code).toBe(20119);
});

test('five wrong PINs lock the account for a day, and an attempt within that day starts the lock again', async () => {
  const tip = newKey();
  const { client, clock, account } = await setUp({ tip });
  for (let tries = 1; tries <= 5; tries += 1) {
    clock.advance(HOUR_MS);
    expect((await client.verifyTip(newKey())).error.code).toBe(20119);
    expect(account().pin_errors).toBe(tries);
  }
  expect(account().pin_locked_until).toBe(clock.now() + 24 * HOUR_MS);

  clock.advance(10 * HOUR_MS);
  const reply = await client.verifyTip(tip);
  expect(reply).toMatchObject({ status: 202, error: { status: 202, code: 429 } });
  expect((await client.register(newKey(), tip)).error.code).toBe(429);
  expect((await client.setTip(tip)).error.code).toBe(429);
  expect(account()).toMatchObject({
    pin_locked_until: clock.now() + 24 * HOUR_MS,
    has_safe: false,
    pin_errors: 5,
  });
  expect((await client.me()).data.has_pin).toBe(true);

  clock.advance(24 * HOUR_MS - 1);
  expect((await client.verifyTip(tip)).error.code).toBe(429);
  clock.advance(24 * HOUR_MS);
  expect((await client.verifyTip(tip)).data.has_pin).toBe(true);
  expect(account()).toMatchObject({ pin_errors: 0 });
  expect(account()).not.toHaveProperty('pin_locked_until');
});

test('wrong PINs that are a day apart do not add up', async () => {
  const { client, clock, account } = await setUp({ tip: 'foreign' });
  for (let tries = 0; tries < 4; tries += 1) await client.verifyTip(newKey());
  clock.advance(24 * HOUR_MS);
  expect((await client.verifyTip(newKey())).error.code).toBe(20119);
  expect(account().pin_errors).toBe(1);
  expect(account()).not.toHaveProperty('pin_locked_until');
});

test('wrong PINs are in the logs, newest first, up to the limit', async () => {
  const { client, clock } = await setUp({ tip: 'foreign' });
  for (let tries = 0; tries < 3; tries += 1) {
    clock.advance(1_000);
    await client.verifyTip(newKey());
  }
  const { data } = await client.send('GET', '/logs?category=PIN_INCORRECT&limit=2');
  const times = (data as unknown as { code: string; created_at: string }[]).map((log) =>
    Date.parse(log.created_at),
  );
  expect(times).toEqual([START_MS + 3_000, START_MS + 2_000]);
  expect((await client.send('GET', '/logs?category=OTHER&limit=2')).data).toEqual([]);
  for (const limit of ['0', '501', '-1', '1.5', '', 'all', '1e1'])
    expect((await client.send('GET', `/logs?category=PIN_INCORRECT&limit=${limit}`)).error).toMatchObject({
      code: 10002,
      extra: { field: 'limit' },
    });
});

test('the logs show wrong PINs that no longer count', async () => {
  const { client, clock, account } = await setUp({ tip: 'foreign' });
  const days = [0, 2, 4].map((day) => new Date(START_MS + day * 24 * HOUR_MS).toISOString());
  for (const _day of days) {
    await client.verifyTip(newKey());
    expect(account().pin_errors).toBe(1);
    clock.advance(48 * HOUR_MS);
  }
  const readTimes = async (query: string) =>
    (
      (await client.send('GET', `/logs?category=PIN_INCORRECT${query}`)).data as unknown as {
        created_at: string;
      }[]
    ).map(({ created_at }) => created_at);
  expect(await readTimes('')).toEqual(days.toReversed());
  expect(await readTimes('&limit=1')).toEqual(days.slice(-1));
});

test('createUser can create a locked account', async () => {
  const tip = newKey();
  const { client, account } = await setUp({ tip, pin_locked: true });
  expect(account()).toMatchObject({ pin_errors: 5, pin_locked_until: START_MS + 24 * HOUR_MS });
  expect((await client.verifyTip(tip)).error.code).toBe(429);
});
