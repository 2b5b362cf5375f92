/** The call that creates an account is made once, with a session key that is stored before. */
import { beforeAll, describe, expect, test } from 'vitest';
import { enroll } from '../../lib/bots/enroll.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Services } from '../../lib/model/ports.ts';
import {
  buildBot,
  Death,
  deadline,
  minutesLater,
  startServices,
  survive,
  type TestServices,
} from '../helpers/services.ts';

let stack: TestServices;
let owner: string;
beforeAll(async () => {
  stack = await startServices();
  const { keystore } = await stack.standIn.createUser();
  owner = keystore.app_id;
  await stack.services.vault.storeKeystore(keystore);
});

const FULL_NAME = () => `User ${stack.services.randomId()}`;
const newUser = async () => {
  const { services } = stack;
  const enrolment = { kind: 'network_user', owner, full_name: FULL_NAME() } as const;
  const row = buildBot({ enrolment });
  await services.table.createBot(row);
  return row.bot_id;
};
const readBot = (user_id: string) => stack.services.table.readBot(user_id);
const run = (services: Services, user_id: string) =>
  enroll(services, { bot_id: user_id }, deadline(services));

/** Counts the requests that cost money from now on. */
const startCount = () => {
  const countPaid = () => stack.standIn.ledger().filter(({ path }) => path === '/users').length;
  const before = countPaid();
  return () => countPaid() - before;
};

const replaceCreateUser = (createUser: Services['accounts']['createUser']): Services => ({
  ...stack.services,
  accounts: { ...stack.services.accounts, createUser },
});

/** Crashes instead of the write that changes this attribute, or right after it. */
const crashAt = (services: Services, attribute: keyof Bot, when: 'before' | 'after'): Services => ({
  ...services,
  table: {
    ...services.table,
    updateBot: async (bot, changes, from) => {
      const isIt = changes[attribute as 'account'] !== undefined;
      if (isIt && when === 'before') throw new Death();
      const result = await services.table.updateBot(bot, changes, from);
      if (isIt) throw new Death();
      return result;
    },
  },
});

/** Expects that the account is enrolled and that its keystore works. */
const expectEnrolled = async (user_id: string) => {
  const { services } = stack;
  const row = await readBot(user_id);
  expect(row?.state).toBe('enrolled');
  const account = row?.account?.user_id ?? '';
  const stored = await services.vault.readKeystore(account);
  if (typeof stored === 'string') throw new Error(stored);
  expect((await services.mixin.readProfile(stored.keystore)).user_id).toBe(account);
  expect((await readBot(account))?.state).toBe('queued');
  expect(await services.vault.readEnrolment(user_id)).toBe('pending_deletion');
};

test('when the call is sent, the vault holds the session key, and the row records the call under a lease', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const observations: unknown[] = [];
  const observed = replaceCreateUser(async (by, user) => {
    const [row, secret] = [await readBot(user_id), await services.vault.readEnrolment(user_id)];
    observations.push([
      typeof secret === 'object' && secret.session_key === user.session_key,
      row?.account_sent_at !== undefined,
      row?.lease_owner !== undefined,
    ]);
    return services.accounts.createUser(by, user);
  });
  await run(observed, user_id);
  expect(observations).toEqual([[true, true, true]]);
  await expectEnrolled(user_id);
});

describe('workers that crash', () => {
  test('no worker calls again after one crashed between the call and recording the account, and the row says why', async () => {
    const user_id = await newUser();
    const countPaid = startCount();
    await survive(run(crashAt(stack.services, 'account', 'before'), user_id));
    for (const minutes of [1, 2, 3]) await run(minutesLater(stack.services, minutes), user_id);
    const row = await readBot(user_id);
    expect([countPaid(), row?.state, row?.reason?.code]).toEqual([1, 'unsure', 'user_creation_unknown']);
  });

  test('no worker calls after one crashed between recording the call and the call', async () => {
    const user_id = await newUser();
    const countPaid = startCount();
    await survive(run(crashAt(stack.services, 'account_sent_at', 'after'), user_id));
    await run(minutesLater(stack.services, 1), user_id);
    expect([countPaid(), (await readBot(user_id))?.state]).toEqual([0, 'unsure']);
  });

  test('the next worker continues, with the key that Mixin has, after one crashed once it had recorded the account', async () => {
    const { services } = stack;
    const user_id = await newUser();
    const countPaid = startCount();
    // The first worker stores a session key and crashes.
    await survive(run(crashAt(services, 'account_sent_at', 'before'), user_id));
    await survive(run(crashAt(minutesLater(services, 1), 'account', 'after'), user_id));
    await run(minutesLater(services, 2), user_id);
    expect(countPaid()).toBe(1);
    await expectEnrolled(user_id);
  });
});

describe('a table that does not record an account', () => {
  /** Refuses so often to record an account. */
  const refuseAccount = (services: Services, times: number): Services => {
    let refusals = times;
    const updateBot: Services['table']['updateBot'] = async (bot, changes, from) => {
      if (changes.account === undefined || refusals === 0)
        return services.table.updateBot(bot, changes, from);
      refusals -= 1;
      throw new Error('the table refuses it');
    };
    return { ...services, table: { ...services.table, updateBot } };
  };

  test('an account is recorded although the table refused it some times', async () => {
    const user_id = await newUser();
    const countPaid = startCount();
    await run(refuseAccount(stack.services, 5), user_id);
    expect(countPaid()).toBe(1);
    await expectEnrolled(user_id);
  });

  test('a row is unsure, and the log names its account, when the table never records it', async () => {
    const user_id = await newUser();
    const countPaid = startCount();
    const lines: unknown[][] = [];
    const log: Services['log'] = (...line) => void lines.push(line);
    await expect(run({ ...refuseAccount(stack.services, Infinity), log }, user_id)).rejects.toThrow(
      'refuses it',
    );
    await run(minutesLater(stack.services, 1), user_id);
    expect([countPaid(), (await readBot(user_id))?.state]).toEqual([1, 'unsure']);
    const created = stack.standIn.ledger().findLast(({ created }) => created)?.created?.user_id;
    expect(lines).toContainEqual([
      'error',
      'account_not_recorded',
      expect.objectContaining({ bot_id: created, step: 'enroll', request_id: expect.any(String) }),
    ]);
  });
});

test('an account that was paid for is on the row although the table answers no read after the call', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const countPaid = startCount();
  let isPaid = false;
  const failing: Services = {
    ...replaceCreateUser(async (by, user) => {
      const account = await services.accounts.createUser(by, user);
      isPaid = true;
      return account;
    }),
    table: {
      ...services.table,
      readBot: async (bot_id) => {
        if (!isPaid) return services.table.readBot(bot_id);
        throw Object.assign(new Error(), { name: 'ProvisionedThroughputExceededException' });
      },
    },
  };
  await expect(run(failing, user_id)).rejects.toThrow();
  const created = stack.standIn.ledger().findLast((entry) => entry.created)?.created?.user_id;
  expect((await readBot(user_id))?.account?.user_id).toBe(created);
  await run(minutesLater(services, 1), user_id);
  expect(countPaid()).toBe(1);
  await expectEnrolled(user_id);
});

test('a lost answer leaves the row unsure, and the call is not made again', async () => {
  const { services, standIn } = stack;
  const user_id = await newUser();
  const countPaid = startCount();
  standIn.setFaults([{ name: 'answer_lost', path: '/users', user_id: owner, times: 1 }]);
  await run(services, user_id);
  expect((await readBot(user_id))?.state).toBe('unsure');
  await run(minutesLater(services, 5), user_id);
  expect(countPaid()).toBe(1);
});

test('a lost answer is a reason in the row before the invocation ends', async () => {
  const { services } = stack;
  const user_id = await newUser();
  stack.standIn.setFaults([{ name: 'answer_lost', path: '/users', user_id: owner, times: 1 }]);
  await run(services, user_id);
  const row = await readBot(user_id);
  expect([row?.reason?.code, row?.account_sent_at !== undefined]).toEqual(['user_creation_unknown', true]);
});

test('one of four workers at once makes the call', async () => {
  const user_id = await newUser();
  const countPaid = startCount();
  await Promise.all(Array.from({ length: 4 }, () => run(stack.services, user_id)));
  expect(countPaid()).toBe(1);
  await expectEnrolled(user_id);
});

test('a worker that comes while another is at work makes no call', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const countPaid = startCount();
  const slow = replaceCreateUser(async (by, user) => {
    await run(services, user_id);
    return services.accounts.createUser(by, user);
  });
  await run(slow, user_id);
  expect(countPaid()).toBe(1);
  await expectEnrolled(user_id);
});

test('a call that would not end before its invocation is not made, and is not recorded', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const countPaid = startCount();
  await enroll(services, { bot_id: user_id }, services.now() + 7_000);
  const row = await readBot(user_id);
  expect([countPaid(), row?.account_sent_at, row?.lease_owner]).toEqual([0, undefined, undefined]);
  // Four writes: created, started, leased, released. The call was not even recorded.
  expect(row?.revision).toBe(4);
});

test('a call is not made, and its record is removed, when recording it took too long', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const countPaid = startCount();
  let lateMs = 0;
  const slow: Services = {
    ...services,
    now: () => Date.now() + lateMs,
    table: {
      ...services.table,
      updateBot: async (bot, changes, from) => {
        const result = await services.table.updateBot(bot, changes, from);
        if (changes.account_sent_at !== undefined) lateMs = 60_000;
        return result;
      },
    },
  };
  await enroll(slow, { bot_id: user_id }, deadline(services));
  const row = await readBot(user_id);
  expect([countPaid(), row?.account_sent_at, row?.lease_owner]).toEqual([0, undefined, undefined]);
});

test('an answer with a user that is already known changes no keystore', async () => {
  const { services } = stack;
  const other = await stack.standIn.createUser();
  await services.vault.storeKeystore(other.keystore);
  const { app_id, session_id } = other.keystore;
  await services.table.createBot(buildBot({ bot_id: app_id, session_id }));
  const user_id = await newUser();
  const wrongUser = replaceCreateUser(async (by, user) => ({
    ...(await services.accounts.createUser(by, user)),
    user_id: app_id,
  }));
  await run(wrongUser, user_id);
  const row = await readBot(user_id);
  expect([row?.state, row?.reason?.code]).toEqual(['blocked', 'user_not_new']);
  expect(await services.vault.readKeystore(app_id)).toEqual({ keystore: other.keystore });
});
