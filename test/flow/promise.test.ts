/**
 * The promise (one key, stored and registered) when workers meet, answers are lost and Mixin does not show everything.
 * test/fire/crash.ts has the workers that crash at each of their calls.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { type Emulators, startEmulators } from '../../infra/local/emulators.ts';
import { check } from '../../lib/bots/check.ts';
import { register } from '../../lib/bots/register.ts';
import type { Keystore } from '../../lib/model/keystore.ts';
import type { Services } from '../../lib/model/ports.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';
import { createLog } from '../../lib/runtime/log.ts';

let standIn: MixinStandIn;
let emulators: Emulators;
let services: Services;

beforeAll(async () => {
  standIn = await startMixinStandIn({});
  emulators = await startEmulators();
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  services = connect(
    readConfig(environment),
    createLog(() => undefined, Date.now),
  ).services;
});
afterAll(async () => {
  await emulators.stop();
  await standIn.stop();
});

/** Imports a bot that is about to be registered. */
const importBot = async (
  account: Parameters<MixinStandIn['createUser']>[0] = {},
  more: Partial<Keystore> = {},
) => {
  const { keystore } = await standIn.createUser(account);
  await services.vault.storeKeystore({ ...keystore, ...more });
  const at = new Date().toISOString();
  await services.table.createBot({
    bot_id: keystore.app_id,
    session_id: keystore.session_id,
    batch_id: services.randomId(),
    line: 1,
    row_digest: '',
    state: 'registering',
    state_since: at,
    revision: 1,
    attempts: 0,
    history: [],
  });
  return keystore.app_id;
};

/** The same services some minutes later, when leases have run out. */
const later = (minutes: number): Services => ({ ...services, now: () => Date.now() + minutes * 60_000 });
const deadline = (from: Services) => from.now() + 30_000;

/** Delivers again, as SQS would, until the bot finishes. */
const runOn = async (user_id: string): Promise<string | undefined> => {
  for (let round = 1; round < 5; round += 1) {
    const now = later(round);
    const bot = await now.table.readBot(user_id);
    if (bot?.state === 'registered') return bot.state;
    if (bot?.state === 'registering') await register(now, { bot_id: user_id }, deadline(now));
    else await check(now, { bot_id: user_id });
  }
  return (await services.table.readBot(user_id))?.state;
};

const boundKeys = (user_id: string) => [
  ...new Set(
    standIn
      .ledger()
      .flatMap((entry) => (entry.user_id === user_id && entry.bound ? [entry.bound.public_key] : [])),
  ),
];

const countAccepted = (user_id: string, path: string) =>
  standIn
    .ledger()
    .filter((entry) => entry.user_id === user_id && entry.path === path && entry.outcome === 'accepted')
    .length;

const expectOneKey = async (user_id: string, hint: string) => {
  const stored = await services.vault.readKeystore(user_id);
  const key = typeof stored === 'object' ? stored.key?.public_key : undefined;
  expect(boundKeys(user_id), hint).toEqual([key]);
  expect((await services.table.readBot(user_id))?.public_key, hint).toBe(key);
  expect(countAccepted(user_id, '/safe/users'), hint).toBe(1);
};

describe('several workers', () => {
  test('four workers at once register one key, and their PIN calls neither overlap nor repeat an iterator', async () => {
    const user_id = await importBot();
    await Promise.all(
      Array.from({ length: 4 }, () => register(services, { bot_id: user_id }, deadline(services))),
    );
    expect(await runOn(user_id)).toBe('registered');
    await expectOneKey(user_id, 'four at once');
    const refusals = standIn
      .ledger()
      .filter((entry) => entry.user_id === user_id && entry.outcome === 'refused');
    expect(refusals).toEqual([]);
    expect(countAccepted(user_id, '/pin/update')).toBe(1);
  });

  test('a second worker that comes while the first is at work comes back later and sends nothing', async () => {
    const user_id = await importBot();
    let resume = () => {};
    const paused = new Promise<void>((resolve) => {
      resume = resolve;
    });
    let reached = () => {};
    const atWork = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const slow: Services = {
      ...services,
      mixin: {
        ...services.mixin,
        setTipPin: async (...args) => {
          reached();
          await paused;
          return services.mixin.setTipPin(...args);
        },
      },
    };
    const first = register(slow, { bot_id: user_id }, deadline(services));
    await atWork;
    await register(services, { bot_id: user_id }, deadline(services));
    const posts = () =>
      standIn.ledger().filter((entry) => entry.user_id === user_id && entry.method === 'POST').length;
    expect(posts()).toBe(0);
    resume();
    await first;
    expect(posts()).toBe(2);
    await expectOneKey(user_id, 'second while first');
  });

  test('nothing is sent when the answer of the reserved iterator comes too late', async () => {
    const user_id = await importBot();
    let lateMs = 0;
    const slow: Services = {
      ...services,
      now: () => Date.now() + lateMs,
      table: {
        ...services.table,
        updateBot: async (bot, changes, from) => {
          const result = await services.table.updateBot(bot, changes, from);
          if (changes.pin_iterator !== undefined) lateMs = 60_000;
          return result;
        },
      },
    };
    await register(slow, { bot_id: user_id }, deadline(services));
    expect(standIn.ledger().filter((entry) => entry.user_id === user_id && entry.method === 'POST')).toEqual(
      [],
    );
    const bot = await services.table.readBot(user_id);
    expect([bot?.state, bot?.lease_owner, bot?.pin_sent_at]).toEqual(['registering', undefined, undefined]);
    expect(await runOn(user_id)).toBe('registered');
    await expectOneKey(user_id, 'late iterator');
  });

  test('a worker that cannot read the vault gives its lease back, so that the crash is counted', async () => {
    const user_id = await importBot();
    const unreadable: Services = {
      ...services,
      vault: { ...services.vault, readKeystore: () => Promise.reject(new Error('no access to the key')) },
    };
    await expect(register(unreadable, { bot_id: user_id }, deadline(services))).rejects.toThrow('no access');
    await expect(register(unreadable, { bot_id: user_id }, deadline(services))).rejects.toThrow('no access');
    expect((await services.table.readBot(user_id))?.lease_owner).toBeUndefined();
  });

  test('a worker that is frozen until its lease has run out cannot write any more', async () => {
    const user_id = await importBot();
    let resume = () => {};
    const paused = new Promise<void>((resolve) => {
      resume = resolve;
    });
    const slow: Services = {
      ...services,
      vault: {
        ...services.vault,
        storeKey: async (...args) => {
          const key = await services.vault.storeKey(...args);
          await paused;
          return key;
        },
      },
    };
    const late = register(slow, { bot_id: user_id }, deadline(services));
    const next = later(1);
    await new Promise((wake) => setTimeout(wake, 300));
    await register(next, { bot_id: user_id }, deadline(next));
    resume();
    await late;
    await expectOneKey(user_id, 'frozen');
    expect((await services.table.readBot(user_id))?.state).toBe('registered');
  });
});

describe('lost answers', () => {
  test.each(['/pin/update', '/safe/users'])(
    'a lost answer of POST %s is followed by a GET, never by a second POST',
    async (path) => {
      const user_id = await importBot();
      standIn.setFaults([{ name: 'answer_lost', method: 'POST', path, user_id, times: 1 }]);
      await register(services, { bot_id: user_id }, deadline(services));
      expect((await services.table.readBot(user_id))?.state).toBe('unsure');
      expect(await runOn(user_id)).toBe('registered');
      expect(
        standIn.ledger().filter((entry) => entry.user_id === user_id && entry.path === path),
      ).toHaveLength(1);
      await expectOneKey(user_id, path);
    },
  );

  test('a PIN that was accepted is not set again while Mixin still shows the old state', async () => {
    const user_id = await importBot();
    standIn.setFaults([{ name: 'lagging_reads', delayMs: 1_000, method: 'POST', user_id }]);
    await register(services, { bot_id: user_id }, deadline(services));
    expect((await services.table.readBot(user_id))?.reason?.code).toBe('pin_not_visible');
    const soon = later(1);
    await check(soon, { bot_id: user_id });
    expect((await services.table.readBot(user_id))?.reason?.code).toBe('pin_not_visible');
    await new Promise((wake) => setTimeout(wake, 1_100));
    standIn.setFaults([]);
    expect(await runOn(user_id)).toBe('registered');
    expect(countAccepted(user_id, '/pin/update')).toBe(1);
    await expectOneKey(user_id, 'lag');
  });
});

describe('a registration that is not visible yet', () => {
  test('an accepted POST /safe/users that is not visible yet is never sent again', async () => {
    const tip = Buffer.from(services.randomBytes(32)).toString('hex');
    const user_id = await importBot({ tip: { private_key: tip } }, { tip_private_key: tip });
    standIn.setFaults([{ name: 'lagging_reads', delayMs: 1_000, method: 'POST', user_id, times: 1 }]);
    await register(services, { bot_id: user_id }, deadline(services));
    const unsureBot = await services.table.readBot(user_id);
    expect([unsureBot?.state, unsureBot?.reason?.code]).toEqual(['unsure', 'not_confirmed']);
    await check(later(1), { bot_id: user_id });
    const waiting = await services.table.readBot(user_id);
    expect([waiting?.state, waiting?.reason?.code]).toEqual(['waiting', 'not_confirmed']);
    await new Promise((wake) => setTimeout(wake, 1_100));
    expect(await runOn(user_id)).toBe('registered');
    await expectOneKey(user_id, 'lagging');
  });
});

describe('a server that does not show the spend key', () => {
  const registerBot = async (user_id: string) => register(services, { bot_id: user_id }, deadline(services));

  test('a bot whose spend key Mixin does not show is registered after our own POST, and at every audit', async () => {
    const user_id = await importBot();
    standIn.setFaults([{ name: 'spend_key_hidden', user_id }]);
    await registerBot(user_id);
    expect((await services.table.readBot(user_id))?.state).toBe('registered');
    await check(later(1), { bot_id: user_id });
    expect((await services.table.readBot(user_id))?.state).toBe('registered');
  });

  test('a bot whose spend key Mixin does not show is external after our POST was refused', async () => {
    const user_id = await importBot();
    const refusals: Services = {
      ...services,
      mixin: {
        ...services.mixin,
        registerSafe: async (keystore, _spend, tip, iterator) => {
          const foreign = Buffer.from(services.randomBytes(32)).toString('hex');
          await services.mixin.registerSafe(keystore, foreign, tip, iterator);
          return services.mixin.registerSafe(keystore, foreign, tip, {
            ...iterator,
            iterator: iterator.iterator + 1n,
          });
        },
      },
    };
    standIn.setFaults([{ name: 'spend_key_hidden', user_id }]);
    await register(refusals, { bot_id: user_id }, deadline(services));
    expect((await services.table.readBot(user_id))?.state).toBe('external');
  });
});

describe('an audit', () => {
  test('an audit leaves a bot registered when its session is refused, and records why', async () => {
    const user_id = await importBot();
    await register(services, { bot_id: user_id }, deadline(services));
    standIn.setFaults([{ name: 'code', code: 401, user_id, times: 1 }]);
    await check(services, { bot_id: user_id });
    const audited = await services.table.readBot(user_id);
    expect([audited?.state, audited?.reason?.code]).toEqual(['registered', 'session_refused']);
    await check(services, { bot_id: user_id });
    expect((await services.table.readBot(user_id))?.reason).toBeUndefined();
  });
});

describe('contradictions', () => {
  test('a bot whose row names another key than the vault is blocked', async () => {
    const user_id = await importBot();
    const stored = await services.vault.readKeystore(user_id);
    if (typeof stored !== 'object') throw new Error(stored);
    await services.vault.storeKey(stored.keystore, 'cd'.repeat(32));
    const row = await services.table.readBot(user_id);
    if (row) await services.table.updateBot(row, { public_key: 'ab'.repeat(32) });
    await register(services, { bot_id: user_id }, deadline(services));
    const bot = await services.table.readBot(user_id);
    expect([bot?.state, bot?.reason?.code]).toEqual(['blocked', 'key_conflict']);
    expect(boundKeys(user_id)).toEqual([]);
  });

  test('a key that cannot be read back is not sent', async () => {
    const user_id = await importBot();
    const forgetful: Services = {
      ...services,
      vault: {
        ...services.vault,
        storeKey: () => Promise.reject(new Error('the key could not be read back')),
      },
    };
    await expect(register(forgetful, { bot_id: user_id }, deadline(services))).rejects.toThrow('read back');
    expect(standIn.ledger().filter((entry) => entry.user_id === user_id && entry.method === 'POST')).toEqual(
      [],
    );
    expect(await runOn(user_id)).toBe('registered');
    await expectOneKey(user_id, 'forgetful');
  });
});

describe('a bot with a TIP PIN', () => {
  test('a bot with a TIP PIN keeps it: its key signs, and another key is registered as its spend key', async () => {
    const tip = Buffer.from(services.randomBytes(32)).toString('hex');
    const user_id = await importBot({ tip: { private_key: tip } }, { tip_private_key: tip });
    await register(services, { bot_id: user_id }, deadline(services));
    await expectOneKey(user_id, 'tip');
    expect(countAccepted(user_id, '/pin/update')).toBe(0);
    const stored = await services.vault.readKeystore(user_id);
    expect(typeof stored === 'object' && stored.keystore.tip_private_key).toBe(tip);
  });
});
