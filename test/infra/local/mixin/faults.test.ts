import { expect, test } from 'vitest';
import { type Fault, faultNames } from '../../../../infra/local/mixin/faults.ts';
import {
  accountOf,
  frozenClock,
  HOUR_MS,
  lastEntry,
  newClient,
  newKey,
  START_MS,
  start,
  UUID,
} from './client.ts';

/** A wait that ends when the test says so. */
const gate = () => {
  const asked: number[] = [];
  let announce: () => void = () => {};
  let open: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    asked,
    reached,
    open: () => open(),
    wait: (delayMs: number) => {
      asked.push(delayMs);
      announce();
      return opened;
    },
  };
};

const setUp = async (user = {}, options = {}) => {
  const clock = frozenClock();
  const standIn = await start({ now: clock.now, ...options });
  const client = await newClient(standIn, clock, user);
  return { clock, standIn, client, account: () => accountOf(standIn, client) };
};

test('slow: the request is handled after the delay', async () => {
  const { asked, reached, open, wait } = gate();
  const { client, standIn, account } = await setUp({}, { wait });
  standIn.setFaults([{ name: 'slow', delayMs: 700 }]);
  const reply = client.setTip(newKey());
  await reached;
  expect(account().has_pin).toBe(false);
  expect(standIn.ledger()).toEqual([]);
  open();
  expect((await reply).data.has_pin).toBe(true);
  expect(asked).toEqual([700]);
  expect(lastEntry(standIn)).toMatchObject({ outcome: 'accepted', fault: 'slow' });
});

test('answer_held: the request is handled, the answer comes after the delay', async () => {
  const { asked, reached, open, wait } = gate();
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
  expect(asked).toEqual([900]);
});

test('answer_lost: the key is bound and the connection breaks', async () => {
  const tip = newKey();
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'answer_lost', times: 1 }]);
  await expect(client.setTip(tip)).rejects.toThrow('fetch failed');
  expect(account().tip_public_key).toBe(tip.public_key);
  expect(lastEntry(standIn)).toMatchObject({
    outcome: 'accepted',
    status: 0,
    fault: 'answer_lost',
    bound: { kind: 'tip', public_key: tip.public_key },
  });
});

test('request_lost: the connection breaks and nothing happened', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'request_lost', times: 1 }]);
  await expect(client.setTip(newKey(), { iterator: 5n })).rejects.toThrow('fetch failed');
  expect(account().has_pin).toBe(false);
  expect(lastEntry(standIn)).toMatchObject({ outcome: 'refused', status: 0, fault: 'request_lost' });
  expect((await client.setTip(newKey(), { iterator: 5n })).data.has_pin).toBe(true);
});

test('rate_limited: 429 in a 202, without effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'rate_limited' }]);
  expect(await client.setTip(newKey())).toMatchObject({ status: 202, error: { status: 202, code: 429 } });
  expect(account()).toMatchObject({ has_pin: false, pin_errors: 0 });
  expect(lastEntry(standIn)).toMatchObject({ outcome: 'refused', code: 429, fault: 'rate_limited' });
});

test('server_error: an HTML page, without effect', async () => {
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

test('empty_body: 200 and nothing, without effect', async () => {
  const { client, standIn, account } = await setUp();
  standIn.setFaults([{ name: 'empty_body' }]);
  expect(await client.setTip(newKey())).toMatchObject({ status: 200, text: '' });
  expect(account().has_pin).toBe(false);
});

test('code: the given error, in a 202 or for internal errors in a 500', async () => {
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
  '%s with effect: true spoils the answer only',
  async (name) => {
    const tip = newKey();
    const { client, standIn, account } = await setUp();
    standIn.setFaults([{ name, code: 10001, effect: true }]);
    expect((await client.setTip(tip)).data).toBeUndefined();
    expect(account().tip_public_key).toBe(tip.public_key);
    expect(lastEntry(standIn)).toMatchObject({ outcome: 'accepted', fault: name, bound: { kind: 'tip' } });
  },
);

test('wrong_request_id: the answer belongs to another request', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([{ name: 'wrong_request_id' }]);
  const reply = await client.me();
  expect(reply.data.user_id).toBe(client.keystore.app_id);
  expect(reply.headers.get('x-request-id')).toMatch(UUID);
  expect(reply.headers.get('x-request-id')).not.toBe(lastEntry(standIn).request_id);
});

test('clock_skew: tokens and PINs are measured by the shifted clock, and X-Server-Time shows it', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([
    { name: 'clock_skew', delayMs: HOUR_MS, times: 1 },
    { name: 'clock_skew', delayMs: -299_000, path: '/me' },
  ]);
  const reply = await client.me();
  expect(reply.error.code).toBe(401);
  expect(reply.headers.get('x-server-time')).toBe(`${START_MS + HOUR_MS}000000`);
  expect(lastEntry(standIn)).toMatchObject({ at: new Date(START_MS).toISOString(), fault: 'clock_skew' });
  expect((await client.me()).headers.get('x-server-time')).toBe(`${START_MS}000000`);
  const early = await client.send('GET', '/me');
  expect(early.data.user_id).toBe(client.keystore.app_id);
  expect(early.headers.get('x-server-time')).toBe(`${START_MS - 299_000}000000`);
});

test('lagging_reads: after /pin/update the account looks as if it had no PIN, then it has one', async () => {
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

test('lagging_reads: after /safe/users reads lag, yet no second key is bound', async () => {
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

test('spend_key_hidden: the account object does not tell the spend key', async () => {
  const { client, standIn } = await setUp({ safe: 'foreign' });
  expect((await client.me()).data).toHaveProperty('spend_public_key');
  standIn.setFaults([{ name: 'spend_key_hidden' }]);
  expect((await client.me()).data).not.toHaveProperty('spend_public_key');
});

test('upgrade_suspended: a six-digit PIN stays one', async () => {
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

test('a fault strikes only the method, path and user it names', async () => {
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

test('times counts for each user by itself, and setFaults starts it anew', async () => {
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

test('of two endings the first strikes and the second keeps its times', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([
    { name: 'rate_limited', times: 1 },
    { name: 'code', code: 10001, times: 1 },
  ]);
  const codes = [];
  for (let index = 0; index < 3; index += 1) codes.push((await client.me()).error?.code);
  expect(codes).toEqual([429, 10001, undefined]);
});

test('rate picks the same requests for the same seed, in whatever order users come', async () => {
  const pick = async (seed: number, order: 'one by one' | 'in turn') => {
    const { client, clock, standIn } = await setUp(
      { user_id: '6e8a3f0e-2f1c-4d0b-8f41-0a1b2c3d4e5f' },
      { seed },
    );
    const other = await newClient(standIn, clock, { user_id: '00000000-2f1c-4d0b-8f41-0a1b2c3d4e5f' });
    standIn.setFaults([{ name: 'rate_limited', rate: 0.3 }]);
    const struck: [boolean[], boolean[]] = [[], []];
    const ask = async (index: 0 | 1) => {
      const reply = await [client, other][index]?.me();
      struck[index].push(reply?.error?.code === 429);
    };
    for (let round = 0; round < 100; round += 1) {
      if (order === 'in turn') for (const index of [0, 1] as const) await ask(index);
      else await ask(round < 50 ? 0 : 1);
      if (order === 'in turn' && round === 49) break;
    }
    return struck;
  };
  const first = await pick(1, 'one by one');
  expect(await pick(1, 'in turn')).toEqual(first);
  expect(await pick(2, 'in turn')).not.toEqual(first);
  const hits = first.flat().filter(Boolean).length;
  expect(hits).toBeGreaterThan(15);
  expect(hits).toBeLessThan(45);
});

test('a fault that cannot be is refused and changes nothing', async () => {
  const { client, standIn } = await setUp();
  standIn.setFaults([{ name: 'rate_limited' }]);
  for (const fault of [
    { name: 'gremlins' },
    { name: 'slow', rate: 2 },
    { name: 'slow', times: -1 },
    { name: 'slow', delayMs: Number.NaN },
    { name: 'code' },
  ])
    expect(() => standIn.setFaults([fault as Fault])).toThrow(TypeError);
  expect((await client.me()).error.code).toBe(429);
  expect(faultNames).toHaveLength(13);
});
