/** What must be true when a PIN call is sent, and what is never tried twice. The whole order is in test/flow/promise.test.ts. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { NewUser } from '../../emulators/mixin/server.ts';
import { check } from '../../lib/bots/check.ts';
import { register } from '../../lib/bots/register.ts';
import type { Keystore } from '../../lib/model/keystore.ts';
import type { PinCall, Services } from '../../lib/model/ports.ts';
import { connect as connectClient } from '../emulators/mixin/client.ts';
import { buildBot, deadline, minutesLater, startServices, type TestServices } from '../helpers/services.ts';

let stack: TestServices;
beforeAll(async () => {
  stack = await startServices();
});

const importBot = async (account: NewUser = {}, more: Partial<Keystore> = {}) => {
  const { services, standIn } = stack;
  const { keystore } = await standIn.createUser(account);
  await services.vault.storeKeystore({ ...keystore, ...more });
  const { app_id: user_id, session_id } = keystore;
  await services.table.createBot(buildBot({ bot_id: user_id, session_id, state: 'registering' }));
  return keystore;
};

const readBot = (user_id: string) => stack.services.table.readBot(user_id);
const countCalls = (user_id: string, path: string) =>
  stack.standIn.ledger().filter((entry) => entry.user_id === user_id && entry.path === path).length;

/** Reads row and vault when a POST is sent. */
const observePosts = (look: (name: string, spend: string, call: PinCall) => Promise<void>): Services => {
  const { services } = stack;
  const { mixin } = services;
  return {
    ...services,
    mixin: {
      ...mixin,
      setTipPin: async (keystore, key, call, old) => {
        await look('pin_sent_at', key, call);
        return mixin.setTipPin(keystore, key, call, old);
      },
      registerSafe: async (keystore, spend, tip, call) => {
        await look('safe_sent_at', spend, call);
        return mixin.registerSafe(keystore, spend, tip, call);
      },
    },
  };
};

const recordAtEachPost = async (user_id: string) => {
  const { services } = stack;
  const observations: unknown[] = [];
  const observed = observePosts(async (call, spend, { iterator, validUntilMs }) => {
    const bot = await readBot(user_id);
    const stored = await services.vault.readKeystore(user_id);
    const public_key = await services.keys.derivePublicKey(spend);
    observations.push({
      call,
      vaultHoldsIt: typeof stored === 'object' && stored.key?.public_key === public_key,
      rowNamesIt: bot?.public_key === public_key,
      isMarked: bot?.[call as 'pin_sent_at'] !== undefined,
      isLeased: bot?.lease_owner !== undefined && Date.parse(bot.lease_until ?? '') > Date.now(),
      endsWithLease:
        validUntilMs === Date.parse(bot?.lease_until ?? '') && validUntilMs >= Date.now() + 60_000,
      reserved: (bot?.pin_iterator ?? -1n) - iterator,
    });
  });
  await register(observed, { bot_id: user_id }, deadline(services));
  return observations;
};

const complete = {
  vaultHoldsIt: true,
  rowNamesIt: true,
  isMarked: true,
  isLeased: true,
  endsWithLease: true,
};

describe('the order of writes and POSTs', () => {
  test('when a POST of a bot without a PIN is sent, the vault holds the key, and the row has the key, the call, the lease and the iterator', async () => {
    const { app_id } = await importBot();
    expect(await recordAtEachPost(app_id)).toEqual([
      { call: 'pin_sent_at', ...complete, reserved: 0n },
      { call: 'safe_sent_at', ...complete, reserved: 0n },
    ]);
  });

  test('the same is true of a bot with six digits, whose upgrade takes two iterators', async () => {
    const { app_id } = await importBot({ six_digit_pin: '271828' }, { pin: '271828' });
    expect(await recordAtEachPost(app_id)).toEqual([
      { call: 'pin_sent_at', ...complete, reserved: 1n },
      { call: 'safe_sent_at', ...complete, reserved: 0n },
    ]);
    expect((await readBot(app_id))?.state).toBe('registered');
  });
});

test('the iterator of a call is greater than one that is ahead of the clock', async () => {
  const { app_id: user_id } = await importBot();
  const ahead = BigInt(Date.now() + 3_600_000) * 1_000_000n;
  const row = await readBot(user_id);
  if (row) await stack.services.table.updateBot(row, { pin_iterator: ahead });
  const iterators: bigint[] = [];
  const observed = observePosts(async (_name, _spend, { iterator }) => void iterators.push(iterator));
  await register(observed, { bot_id: user_id }, deadline(stack.services));
  expect(iterators).toEqual([ahead + 1n, ahead + 2n]);
});

describe('six digits that are wrong', () => {
  const wrong = { six_digit_pin: '271828' };

  test('six digits that are wrong are sent once, and no other PIN after them, whatever is listed', async () => {
    const { services, standIn } = stack;
    const { app_id: user_id, ...keystore } = await importBot(wrong, { pin: '000000' });
    await register(services, { bot_id: user_id }, deadline(services));
    const bot = await readBot(user_id);
    expect([bot?.state, bot?.reason?.code]).toEqual(['blocked', 'wrong_pin']);
    expect(bot?.wrong_pin_at).toBeDefined();
    await services.vault.storeKeystore({ app_id: user_id, ...keystore, pin: '111111' });
    for (const state of ['registering', 'queued'] as const) {
      const row = await readBot(user_id);
      if (row) await services.table.updateBot(row, { state });
      await (state === 'queued' ? check : register)(services, { bot_id: user_id }, deadline(services));
      expect((await readBot(user_id))?.reason?.code).toBe('wrong_pin');
    }
    expect(standIn.accounts().find((it) => it.user_id === user_id)?.pin_errors).toBe(1);
  });

  test('wrong six digits whose answer was lost are found in the log of the account, and not sent again', async () => {
    const { services, standIn } = stack;
    const { app_id: user_id } = await importBot(wrong, { pin: '000000' });
    standIn.setFaults([{ name: 'answer_lost', path: '/pin/update', user_id, times: 1 }]);
    await register(services, { bot_id: user_id }, deadline(services));
    expect((await readBot(user_id))?.state).toBe('unsure');
    const minutesOn = minutesLater(services, 2);
    await check(minutesOn, { bot_id: user_id });
    await register(minutesOn, { bot_id: user_id }, deadline(minutesOn));
    const bot = await readBot(user_id);
    expect([bot?.state, bot?.reason?.code, countCalls(user_id, '/pin/update')]).toEqual([
      'blocked',
      'wrong_pin',
      1,
    ]);
  });

  test('six digits whose answer was lost are not sent again before the call can no longer take effect', async () => {
    const { services, standIn } = stack;
    const { app_id: user_id } = await importBot(wrong, { pin: '271828' });
    standIn.setFaults([{ name: 'request_lost', path: '/pin/update', user_id, times: 1 }]);
    await register(services, { bot_id: user_id }, deadline(services));
    const row = await readBot(user_id);
    if (row) await services.table.updateBot(row, { state: 'registering' });
    await register(services, { bot_id: user_id }, deadline(services));
    const bot = await readBot(user_id);
    expect([bot?.reason?.code, countCalls(user_id, '/pin/update')]).toEqual(['pin_not_visible', 1]);
  });

  test('six digits are not tried when one more wrong PIN could lock the account', async () => {
    const { services, standIn } = stack;
    const keystore = await importBot(wrong, { pin: '271828' });
    const client = connectClient(standIn, keystore, { now: Date.now });
    for (let i = 0; i < 4; i += 1)
      await client.send('POST', '/pin/verify', { pin_base64: client.encrypt(Buffer.from('000000')) });
    const { app_id: user_id } = keystore;
    await register(services, { bot_id: user_id }, deadline(services));
    const bot = await readBot(user_id);
    expect([bot?.state, bot?.reason?.code]).toEqual(['waiting', 'pin_nearly_locked']);
    expect(countCalls(user_id, '/pin/update')).toBe(0);
  });
});

test('no worker uses a locked PIN', async () => {
  const { services } = stack;
  const { app_id: user_id } = await importBot();
  const row = await readBot(user_id);
  const pin_locked_until = new Date(Date.now() + 3_600_000).toISOString();
  if (row) await services.table.updateBot(row, { pin_locked_until });
  await register(services, { bot_id: user_id }, deadline(services));
  expect((await readBot(user_id))?.state).toBe('waiting');
  expect(countCalls(user_id, '/pin/update')).toBe(0);
});

test.each(['/pin/update', '/safe/users'])(
  'a POST %s that would not end before its invocation is not sent',
  async (path) => {
    const { services } = stack;
    const tip = Buffer.from(services.randomBytes(32)).toString('hex');
    const { app_id: user_id } =
      path === '/pin/update'
        ? await importBot()
        : await importBot({ tip: { private_key: tip } }, { tip_private_key: tip });
    await register(services, { bot_id: user_id }, services.now() + 7_000);
    const bot = await readBot(user_id);
    expect([bot?.state, bot?.lease_owner, bot?.pin_iterator, countCalls(user_id, path)]).toEqual([
      'registering',
      undefined,
      undefined,
      0,
    ]);
  },
);

describe('429 to a PIN call', () => {
  const limit = (user_id: string, path: string) =>
    ({ name: 'rate_limited', path, user_id, times: 1 }) as const;
  const importTipBot = async () => {
    const tip = Buffer.from(stack.services.randomBytes(32)).toString('hex');
    return importBot({ tip: { private_key: tip } }, { tip_private_key: tip });
  };
  const secondsLeft = async (user_id: string) =>
    (Date.parse((await readBot(user_id))?.wait_until ?? '') - Date.now()) / 1_000;
  const sendWrongPins = async (
    keystore: Parameters<typeof connectClient>[1],
    count: number,
    now = Date.now,
  ) => {
    const client = connectClient(stack.standIn, keystore, { now });
    for (let i = 0; i < count; i += 1)
      await client.send('POST', '/pin/verify', { pin_base64: client.encrypt(Buffer.from('000000')) });
  };

  test.each(['/pin/update', '/safe/users'])(
    '429 to POST %s without wrong PINs in the log is a rate limit: the bot waits for minutes and is not locked',
    async (path) => {
      const { services, standIn } = stack;
      const { app_id: user_id } = path === '/pin/update' ? await importBot() : await importTipBot();
      standIn.setFaults([limit(user_id, path)]);
      await register(services, { bot_id: user_id }, deadline(services));
      const bot = await readBot(user_id);
      expect([bot?.state, bot?.reason?.code]).toEqual(['waiting', 'rate_limited']);
      expect(JSON.stringify(bot?.reason)).not.toMatch(/lock/);
      expect(bot).not.toHaveProperty('pin_locked_until');
      const seconds = await secondsLeft(user_id);
      expect(seconds).toBeGreaterThan(30);
      expect(seconds).toBeLessThan(300);
      const later = minutesLater(services, 5);
      await check(later, { bot_id: user_id });
      await register(later, { bot_id: user_id }, deadline(later));
      expect((await readBot(user_id))?.state).toBe('registered');
    },
  );

  test('429 with five wrong PINs in the log is a lock, until the oldest of them is a day old', async () => {
    const { services, standIn } = stack;
    const tip = Buffer.from(services.randomBytes(32)).toString('hex');
    const { app_id: user_id } = await importBot(
      { tip: { private_key: tip }, pin_locked: true },
      { tip_private_key: tip },
    );
    standIn.setFaults([]);
    await register(services, { bot_id: user_id }, deadline(services));
    const bot = await readBot(user_id);
    expect([bot?.state, bot?.reason?.code]).toEqual(['waiting', 'pin_locked']);
    expect(bot?.pin_locked_until).toBeDefined();
    const seconds = await secondsLeft(user_id);
    expect(seconds).toBeGreaterThan(86_000);
    expect(seconds).toBeLessThanOrEqual(86_402);
  });

  test('four wrong PINs are no lock, whatever the answer to a PIN call', async () => {
    const { services, standIn } = stack;
    const keystore = await importTipBot();
    await sendWrongPins(keystore, 4);
    standIn.setFaults([limit(keystore.app_id, '/safe/users')]);
    await register(services, { bot_id: keystore.app_id }, deadline(services));
    expect((await readBot(keystore.app_id))?.reason?.code).toBe('rate_limited');
  });

  test('where the log does not answer, the bot waits for minutes and no lock is noted', async () => {
    const { services, standIn } = stack;
    const { app_id: user_id } = await importTipBot();
    standIn.setFaults([limit(user_id, '/safe/users'), { name: 'server_error', path: '/logs', user_id }]);
    await register(services, { bot_id: user_id }, deadline(services));
    const bot = await readBot(user_id);
    expect([bot?.reason?.code, bot?.pin_locked_until]).toEqual(['rate_limited', undefined]);
    expect(await secondsLeft(user_id)).toBeLessThan(300);
  });
});

test('a worker that slept through its lease sends no PIN call, and its bot is tried again', async () => {
  const { services } = stack;
  const { app_id: user_id } = await importBot();
  const { mixin } = services;
  const sleepy: Services = {
    ...services,
    mixin: {
      ...mixin,
      setTipPin: async (keystore, key, call, old) => {
        // As if 31 seconds had passed since the last look at the clock.
        return mixin.setTipPin(keystore, key, { ...call, validUntilMs: call.validUntilMs - 31_000 }, old);
      },
    },
  };
  await register(sleepy, { bot_id: user_id }, services.now() + 30_000);
  const bot = await readBot(user_id);
  expect([bot?.state, bot?.reason?.code, bot?.pin_sent_at]).toEqual(['waiting', 'too_late', undefined]);
  expect(countCalls(user_id, '/pin/update')).toBe(0);
});

describe('what a check or an audit finds', () => {
  test('a key that is only on the row is missing, and no other is stored', async () => {
    const { services } = stack;
    const { app_id } = await importBot();
    const public_key = await services.keys.derivePublicKey('ab'.repeat(32));
    const bot = await readBot(app_id);
    if (bot) await services.table.updateBot(bot, { public_key });
    await register(services, { bot_id: app_id }, deadline(services));
    expect(await readBot(app_id)).toMatchObject({ state: 'blocked', reason: { code: 'key_missing' } });
    const stored = await services.vault.readKeystore(app_id);
    expect(typeof stored === 'object' && stored.key).toBeUndefined();
  });

  test('an audit has the key restored to the current version', async () => {
    const { services } = stack;
    const { app_id } = await importBot();
    await register(services, { bot_id: app_id }, deadline(services));
    expect((await readBot(app_id))?.state).toBe('registered');
    const stored = await services.vault.readKeystore(app_id);
    if (typeof stored !== 'object') throw new Error(stored);
    const hidden: Services = {
      ...services,
      vault: { ...services.vault, readKeystore: async () => ({ ...stored, isKeyHidden: true }) },
    };
    const queues: string[] = [];
    await check(
      { ...hidden, queues: { ...services.queues, send: async (queue) => void queues.push(queue) } },
      { bot_id: app_id },
    );
    expect(queues).toContain('register');
    await register(services, { bot_id: app_id }, deadline(services));
    expect((await readBot(app_id))?.state).toBe('registered');
  });

  test('a check with an old session does not block a bot that was listed with another meanwhile', async () => {
    const { services, standIn } = stack;
    const { keystore } = await standIn.createUser({});
    const { app_id: bot_id, session_id } = keystore;
    const old = { ...keystore, session_id: bot_id };
    await services.vault.storeKeystore(old);
    await services.table.createBot(buildBot({ bot_id, session_id: bot_id, state: 'queued' }));
    const relisting: Services = {
      ...services,
      mixin: {
        ...services.mixin,
        readProfile: async (it) => {
          await services.vault.storeKeystore(keystore);
          const bot = await readBot(bot_id);
          if (bot) await services.table.updateBot(bot, { session_id });
          return services.mixin.readProfile(it);
        },
      },
    };
    await check(relisting, { bot_id });
    expect((await readBot(bot_id))?.state).toBe('queued');
    await check(services, { bot_id });
    expect((await readBot(bot_id))?.state).toBe('registering');
  });
});
