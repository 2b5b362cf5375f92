/** What must be true when a PIN call is sent, and what is never tried twice. The whole order is in test/flow/promise.test.ts. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { NewUser } from '../../emulators/mixin/server.ts';
import { check } from '../../lib/bots/check.ts';
import { register } from '../../lib/bots/register.ts';
import type { Keystore } from '../../lib/model/keystore.ts';
import type { Services } from '../../lib/model/ports.ts';
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
const observePosts = (look: (call: string, spend: string, iterator: bigint) => Promise<void>): Services => {
  const { services } = stack;
  const { mixin } = services;
  return {
    ...services,
    mixin: {
      ...mixin,
      setTipPin: async (keystore, key, iterator, old) => {
        await look('pin_sent_at', key, iterator);
        return mixin.setTipPin(keystore, key, iterator, old);
      },
      registerSafe: async (keystore, spend, tip, iterator) => {
        await look('safe_sent_at', spend, iterator);
        return mixin.registerSafe(keystore, spend, tip, iterator);
      },
    },
  };
};

const recordAtEachPost = async (user_id: string) => {
  const { services } = stack;
  const observations: unknown[] = [];
  const observed = observePosts(async (call, spend, iterator) => {
    const bot = await readBot(user_id);
    const stored = await services.vault.readKeystore(user_id);
    const public_key = await services.keys.derivePublicKey(spend);
    observations.push({
      call,
      vaultHoldsIt: typeof stored === 'object' && stored.key?.public_key === public_key,
      rowNamesIt: bot?.public_key === public_key,
      isMarked: bot?.[call as 'pin_sent_at'] !== undefined,
      isLeased: bot?.lease_owner !== undefined && Date.parse(bot.lease_until ?? '') > Date.now(),
      reserved: (bot?.pin_iterator ?? -1n) - iterator,
    });
  });
  await register(observed, { bot_id: user_id }, deadline(services));
  return observations;
};

const complete = { vaultHoldsIt: true, rowNamesIt: true, isMarked: true, isLeased: true };

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
  const observed = observePosts(async (_call, _spend, iterator) => void iterators.push(iterator));
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
