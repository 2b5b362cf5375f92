/** The call that makes an account is made once, with a session key that is kept before. */
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
const rowOf = (user_id: string) => stack.services.table.readBot(user_id);
const run = (services: Services, user_id: string) =>
  enroll(services, { bot_id: user_id }, deadline(services));

/** Requests that cost money, since the count began. */
const counting = () => {
  const paid = () => stack.standIn.ledger().filter(({ path }) => path === '/users').length;
  const before = paid();
  return () => paid() - before;
};

const creating = (createUser: Services['accounts']['createUser']): Services => ({
  ...stack.services,
  accounts: { ...stack.services.accounts, createUser },
});

/** Dies instead of the write that changes this, or right after it. */
const dyingAt = (services: Services, attribute: keyof Bot, when: 'before' | 'after'): Services => ({
  ...services,
  table: {
    ...services.table,
    updateBot: async (bot, changes, from) => {
      const isIt = changes[attribute as 'account'] !== undefined;
      if (isIt && when === 'before') throw new Death();
      const written = await services.table.updateBot(bot, changes, from);
      if (isIt) throw new Death();
      return written;
    },
  },
});

/** The account's own keystore works. */
const expectWhole = async (user_id: string) => {
  const { services } = stack;
  const row = await rowOf(user_id);
  expect(row?.state).toBe('enrolled');
  const account = row?.account?.user_id ?? '';
  const kept = await services.vault.readKeystore(account);
  if (typeof kept === 'string') throw new Error(kept);
  expect((await services.mixin.readProfile(kept.keystore)).user_id).toBe(account);
  expect((await rowOf(account))?.state).toBe('queued');
  expect(await services.vault.readEnrolment(user_id)).toBe('pending_deletion');
};

test('when the call leaves, the vault holds the session key, and the row notes the call under a lease', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const seen: unknown[] = [];
  const watched = creating(async (by, user) => {
    const [row, secret] = [await rowOf(user_id), await services.vault.readEnrolment(user_id)];
    seen.push([
      typeof secret === 'object' && secret.session_key === user.session_key,
      row?.account_sent_at !== undefined,
      row?.lease_owner !== undefined,
    ]);
    return services.accounts.createUser(by, user);
  });
  await run(watched, user_id);
  expect(seen).toEqual([[true, true, true]]);
  await expectWhole(user_id);
});

describe('a worker that dies', () => {
  test('after the call, before it noted the account: nobody calls again, and the row says why', async () => {
    const user_id = await newUser();
    const paid = counting();
    await survive(run(dyingAt(stack.services, 'account', 'before'), user_id));
    for (const minutes of [1, 2, 3]) await run(minutesLater(stack.services, minutes), user_id);
    const row = await rowOf(user_id);
    expect([paid(), row?.state, row?.reason?.code]).toEqual([1, 'unsure', 'user_creation_unknown']);
  });

  test('after it noted the call, before it was made: nobody calls', async () => {
    const user_id = await newUser();
    const paid = counting();
    await survive(run(dyingAt(stack.services, 'account_sent_at', 'after'), user_id));
    await run(minutesLater(stack.services, 1), user_id);
    expect([paid(), (await rowOf(user_id))?.state]).toEqual([0, 'unsure']);
  });

  test('after it noted the account: the next one goes on, with the key that Mixin has', async () => {
    const { services } = stack;
    const user_id = await newUser();
    const paid = counting();
    // The first one stores a session key and goes no further.
    await survive(run(dyingAt(services, 'account_sent_at', 'before'), user_id));
    await survive(run(dyingAt(minutesLater(services, 1), 'account', 'after'), user_id));
    await run(minutesLater(services, 2), user_id);
    expect(paid()).toBe(1);
    await expectWhole(user_id);
  });
});

describe('a table that takes no account', () => {
  /** Refuses so often to note an account. */
  const refusing = (services: Services, times: number): Services => {
    let left = times;
    const updateBot: Services['table']['updateBot'] = async (bot, changes, from) => {
      if (changes.account === undefined || left === 0) return services.table.updateBot(bot, changes, from);
      left -= 1;
      throw new Error('the table takes nothing');
    };
    return { ...services, table: { ...services.table, updateBot } };
  };

  test('for a while: the account is noted all the same', async () => {
    const user_id = await newUser();
    const paid = counting();
    await run(refusing(stack.services, 5), user_id);
    expect(paid()).toBe(1);
    await expectWhole(user_id);
  });

  test('for long: the row is in doubt, and the log names the account', async () => {
    const user_id = await newUser();
    const paid = counting();
    const logged: unknown[][] = [];
    const log: Services['log'] = (...line) => void logged.push(line);
    await expect(run({ ...refusing(stack.services, Infinity), log }, user_id)).rejects.toThrow(
      'takes nothing',
    );
    await run(minutesLater(stack.services, 1), user_id);
    expect([paid(), (await rowOf(user_id))?.state]).toEqual([1, 'unsure']);
    const made = stack.standIn.ledger().findLast(({ created }) => created)?.created?.user_id;
    expect(logged).toContainEqual([
      'error',
      'account_not_recorded',
      expect.objectContaining({ bot_id: made, step: 'enroll', request_id: expect.any(String) }),
    ]);
  });
});

test('an answer that was lost leaves the row unsure, and the call is not made again', async () => {
  const { services, standIn } = stack;
  const user_id = await newUser();
  const paid = counting();
  standIn.setFaults([{ name: 'answer_lost', path: '/users', user_id: owner, times: 1 }]);
  await run(services, user_id);
  expect((await rowOf(user_id))?.state).toBe('unsure');
  await run(minutesLater(services, 5), user_id);
  expect(paid()).toBe(1);
});

test('an answer that was lost is told by the row before the invocation ends', async () => {
  const { services } = stack;
  const user_id = await newUser();
  stack.standIn.setFaults([{ name: 'answer_lost', path: '/users', user_id: owner, times: 1 }]);
  await run(services, user_id);
  const row = await rowOf(user_id);
  expect([row?.reason?.code, row?.account_sent_at !== undefined]).toEqual(['user_creation_unknown', true]);
});

test('of four workers at once one makes the call', async () => {
  const user_id = await newUser();
  const paid = counting();
  await Promise.all(Array.from({ length: 4 }, () => run(stack.services, user_id)));
  expect(paid()).toBe(1);
  await expectWhole(user_id);
});

test('a worker that comes while another is at work makes no call', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const paid = counting();
  const slow = creating(async (by, user) => {
    await run(services, user_id);
    return services.accounts.createUser(by, user);
  });
  await run(slow, user_id);
  expect(paid()).toBe(1);
  await expectWhole(user_id);
});

test('a call that would outlive its invocation is not made, and leaves no mark', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const paid = counting();
  await enroll(services, { bot_id: user_id }, services.now() + 7_000);
  const row = await rowOf(user_id);
  expect([paid(), row?.account_sent_at, row?.lease_owner]).toEqual([0, undefined, undefined]);
  // Made, taken up, leased, given back: the call was not even noted.
  expect(row?.revision).toBe(4);
});

test('where the note of the call took too long, the call is not made and the note is taken back', async () => {
  const { services } = stack;
  const user_id = await newUser();
  const paid = counting();
  let lateMs = 0;
  const slow: Services = {
    ...services,
    now: () => Date.now() + lateMs,
    table: {
      ...services.table,
      updateBot: async (bot, changes, from) => {
        const written = await services.table.updateBot(bot, changes, from);
        if (changes.account_sent_at !== undefined) lateMs = 60_000;
        return written;
      },
    },
  };
  await enroll(slow, { bot_id: user_id }, deadline(services));
  const row = await rowOf(user_id);
  expect([paid(), row?.account_sent_at, row?.lease_owner]).toEqual([0, undefined, undefined]);
});

test('an answer about a user that is known here touches nobody’s keystore', async () => {
  const { services } = stack;
  const known = await stack.standIn.createUser();
  await services.vault.storeKeystore(known.keystore);
  const { app_id, session_id } = known.keystore;
  await services.table.createBot(buildBot({ bot_id: app_id, session_id }));
  const user_id = await newUser();
  const confused = creating(async (by, user) => ({
    ...(await services.accounts.createUser(by, user)),
    user_id: app_id,
  }));
  await run(confused, user_id);
  const row = await rowOf(user_id);
  expect([row?.state, row?.reason?.code]).toEqual(['blocked', 'user_not_new']);
  expect(await services.vault.readKeystore(app_id)).toEqual({ keystore: known.keystore });
});
