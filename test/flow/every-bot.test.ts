/**
 * One list with a new bot of every keystore format and in every situation; each must end in its state. The list is
 * JSON; test/lists shows that every format reads the same from CSV and ZIP.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NewUser } from '../../emulators/mixin/server.ts';
import { countKeys } from '../../infra/local/key-counts.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { connect as connectClient, sendOpenly } from '../emulators/mixin/client.ts';
import { startStack, type TestStack, waitFor } from '../helpers/stack.ts';

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const seed = () => randomBytes(32).toString('hex');
const base64url = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');
const littleEndian = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** The reduced scalar of a seed, as fox-one stores keys. */
const deriveScalar = (hex: string): string => {
  const digest = createHash('sha512').update(Buffer.from(hex, 'hex')).digest().subarray(0, 32);
  digest[0] = (digest[0] ?? 0) & 248;
  digest[31] = ((digest[31] ?? 0) & 127) | 64;
  const reduced = (littleEndian(digest) % L).toString(16).padStart(64, '0');
  return Buffer.from(reduced, 'hex').reverse().toString('hex');
};

/** A seed that could as well be a scalar. */
const ambiguousSeed = (): string => {
  for (;;) {
    const hex = seed();
    if (littleEndian(Buffer.from(hex, 'hex')) < L) return hex;
  }
};

let stack: TestStack;
const rows: Record<string, unknown>[] = [];
/** By name of the case: the id of its row, and the state and reason in which it must end. */
const cases = new Map<string, { id: string; ends: string; reason?: string }>();

const expectEnd = (name: string, id: string, ends: string, reason?: string) =>
  cases.set(name, { id, ends, ...(reason !== undefined && { reason }) });

/** The account's keystore as the dashboard exports it, and what older formats have besides. */
const newAccount = async (user: NewUser = {}) => {
  const { keystore } = await stack.standIn.createUser(user);
  const answer = await connectClient(stack.standIn, keystore, { now: Date.now }).me();
  const { pin_token, pin_token_base64 } = answer.data as Record<string, string>;
  return { ...keystore, pin_token: String(pin_token), pin_token_base64: String(pin_token_base64) };
};
type Account = Awaited<ReturnType<typeof newAccount>>;

const seedAndPublic = async (hex: string) => hex + (await stack.services.keys.derivePublicKey(hex));

const formats: Readonly<Record<string, (account: Account) => Promise<Record<string, unknown>>>> = {
  'A dashboard': async ({ pin_token: _, pin_token_base64: __, ...keystore }) => keystore,
  'B legacy': async (it) => ({
    client_id: it.app_id,
    session_id: it.session_id,
    pin_token: it.pin_token_base64,
    private_key: base64url(await seedAndPublic(it.session_private_key)),
    client_secret: seed(),
    pin: '',
  }),
  'D network user': async (it) => ({
    app_id: it.app_id,
    session_id: it.session_id,
    session_private_key: it.session_private_key,
    pin_token_base64: it.pin_token_base64,
  }),
  'F Dart': async (it) => ({
    user_id: it.app_id,
    session_id: it.session_id,
    session_private_key: it.session_private_key,
    pin_token_base64: it.pin_token,
  }),
  'H Ruby': async (it) => ({
    app_id: it.app_id.toUpperCase(),
    session_id: it.session_id,
    server_public_key: it.server_public_key.toUpperCase(),
    session_private_key: await seedAndPublic(it.session_private_key),
    mixin_id: '7000',
  }),
  'I old dashboard': async (it) => ({
    user_id: it.app_id,
    session_id: it.session_id,
    pin_token: it.server_public_key,
    private_key: it.session_private_key,
  }),
};

const addFormats = async () => {
  for (const [name, write] of Object.entries(formats)) {
    const account = await newAccount();
    rows.push(await write(account));
    expectEnd(name, account.app_id, 'registered');
  }
};

const addRsa = async () => {
  for (const [name, pin] of [
    ['C RSA', undefined],
    ['C RSA with six digits', '271828'],
  ] as const) {
    const user = { session_key: 'rsa' as const, ...(pin !== undefined && { six_digit_pin: pin }) };
    const { keystore } = await stack.standIn.createUser(user);
    const private_key = keystore.private_key.replaceAll('\n', '\\r\\n');
    rows.push({ ...keystore, private_key, ...(pin !== undefined && { pin }) });
    expectEnd(name, keystore.client_id, 'registered');
  }
};

const addScalars = async () => {
  const tip = seed();
  const tipAccount = await newAccount({ tip: { private_key: tip } });
  rows.push({ ...tipAccount, pin: deriveScalar(tip) });
  expectEnd('G fox-one: TIP key as a scalar', tipAccount.app_id, 'registered');

  const spend = seed();
  const inSafe = await newAccount({ tip: { private_key: spend }, safe: { private_key: spend } });
  rows.push({ ...inSafe, spend_key: deriveScalar(spend) });
  expectEnd('G fox-one: spend key as a scalar, in Safe', inSafe.app_id, 'registered');

  const both = ambiguousSeed();
  const account = await newAccount({ tip: { private_key: both } });
  rows.push({ ...account, spend_key: both });
  expectEnd('a seed that could be a scalar, whose form the TIP key shows', account.app_id, 'registered');

  const fresh = await newAccount();
  rows.push({ ...fresh, spend_key: deriveScalar(seed()) });
  expectEnd('a scalar whose form nothing shows', fresh.app_id, 'blocked', 'key_form_unknown');

  const foreign = await newAccount({ tip: 'foreign', safe: 'foreign' });
  rows.push({ ...foreign, spend_key: deriveScalar(seed()) });
  expectEnd('a scalar of another account', foreign.app_id, 'external', 'external_key');
};

const wrongPins = async (account: Account, count: number) => {
  const client = connectClient(stack.standIn, account, { now: Date.now });
  for (let i = 0; i < count; i += 1) {
    const pin_base64 = client.encrypt(Buffer.from('000000'));
    const { error } = await client.send('POST', '/pin/verify', { pin_base64 });
    expect(error.code).toBe(20_119);
  }
};

const addPins = async () => {
  const six_digit_pin = '314159';
  const add = async (name: string, pin: string | undefined, ends: string, reason?: string) => {
    const account = await newAccount({ six_digit_pin });
    rows.push({ ...account, ...(pin !== undefined && { pin }) });
    expectEnd(name, account.app_id, ends, reason);
    return account;
  };
  await add('six digits', six_digit_pin, 'registered');
  await add('six digits that are wrong', '000000', 'blocked', 'wrong_pin');
  await add('six digits that are not in the list', undefined, 'blocked', 'six_digit_pin');
  const nearly = await add('four wrong PINs before', six_digit_pin, 'waiting', 'pin_nearly_locked');
  await wrongPins(nearly, 4);
  const some = await add('three wrong PINs before', six_digit_pin, 'registered');
  await wrongPins(some, 3);
  const suspended = await add('an upgrade that is suspended', six_digit_pin, 'blocked', 'legacy_pin');
  stack.standIn.setFaults([{ name: 'upgrade_suspended', user_id: suspended.app_id }]);

  const foreign = await newAccount({ tip: 'foreign' });
  rows.push({ ...foreign, pin: seed() });
  expectEnd('another TIP key', foreign.app_id, 'blocked', 'tip_key_mismatch');
};

/** Asks Mixin for a code as a phone does; the row has this code. */
const askForCode = async (phone: string) => {
  stack.standIn.preparePhone({ phone });
  await sendOpenly(stack.standIn, '/verifications', { phone, purpose: 'SESSION', platform: 'Android' });
  const verification = stack.standIn.verifications().find((it) => it.phone === phone);
  if (!verification) throw new Error('no code was sent');
  return verification;
};

const addSignIns = async () => {
  for (const [name, phone, session_key] of [
    ['a sign-in', '+8613800000001', 'ed25519'],
    ['a sign-in with an RSA session', '+8613800000002', 'rsa'],
  ] as const) {
    const { id, code } = await askForCode(phone);
    rows.push({ verification_id: id, code, session_key });
    expectEnd(name, id, 'enrolled');
  }
  const { id, code } = await askForCode('+8613800000003');
  rows.push({ verification_id: id, code: code === '1111' ? '2222' : '1111' });
  expectEnd('a sign-in with a wrong code', id, 'blocked', 'sms_code_wrong');
};

let owner = '';
const addUsers = async () => {
  const account = await newAccount();
  owner = account.app_id;
  rows.push(account);
  expectEnd('the owner of network users', owner, 'registered');
  rows.push({ owner, full_name: 'Wallet 1' }, { owner, full_name: 'Wallet 1' });
  const unpaid = await newAccount({ unpaid: true });
  rows.push(unpaid, { owner: unpaid.app_id, full_name: 'Wallet 2' });
  rows.push({ owner: randomUUID(), full_name: 'Wallet 3' });
};

const readBatch = async (batch_id: string) =>
  (await stack.get(`/batches/${batch_id}`)).body as {
    status: string;
    invalid: number;
    states: Record<string, number>;
    cost: Record<string, number>;
    percent_done: number;
    errors: { code: string; field: string }[];
  };

const allBots = async (batch_id: string): Promise<(Bot & { user_id?: string })[]> => {
  const bots: Bot[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await stack.get(`/batches/${batch_id}/bots${cursor && `?cursor=${cursor}`}`);
    const page = body as { bots: Bot[]; cursor?: string };
    bots.push(...page.bots);
    if (page.cursor === undefined) return bots;
    cursor = page.cursor;
  }
};

let batch_id = '';
let bots: (Bot & { user_id?: string })[] = [];

beforeAll(async () => {
  stack = await startStack();
  await addFormats();
  await addRsa();
  await addScalars();
  await addPins();
  await addSignIns();
  await addUsers();
  const oauth = await newAccount();
  rows.push({ ...oauth, authorization_id: randomUUID() });
  const answer = await stack.post('/batches', rows);
  batch_id = (answer.body as { batch_id: string }).batch_id;
}, 60_000);
afterAll(() => stack[Symbol.asyncDispose]());

describe('a list with a bot of every kind', () => {
  test('a list that costs money does nothing until its cost is accepted', async () => {
    const planned = await waitFor(async () => {
      const batch = await readBatch(batch_id);
      return batch.status === 'planned' && batch;
    });
    expect(planned.cost).toMatchObject({ planned_users: 4, planned_usd: 2, created_users: 0 });
    expect(planned).toMatchObject({ invalid: 1, errors: [{ code: 'oauth_keystore' }] });
    expect(await allBots(batch_id)).toEqual([]);
    const tooLittle = await stack.post(`/batches/${batch_id}/confirm`, { accept_cost_usd: 1.5 });
    expect(tooLittle).toMatchObject({ status: 422, body: { code: 'cost_not_accepted' } });
    const confirmed = await stack.post(`/batches/${batch_id}/confirm`, { accept_cost_usd: 2 });
    expect(confirmed).toMatchObject({ status: 200, body: { status: 'importing' } });
  }, 30_000);

  test('every bot of the list finishes', async () => {
    await waitFor(async () => {
      const { status, states } = await readBatch(batch_id);
      const { queued, enrolling, registering, unsure } = states;
      return status === 'imported' && !queued && !enrolling && !registering && !unsure;
    }, 90_000);
    bots = await allBots(batch_id);
  }, 100_000);

  test('every bot of the list ends in the state that its case expects', () => {
    const endings = [...cases].map(([name, { id, ends, reason }]) => {
      const bot = bots.find(
        ({ bot_id, enrolment }) =>
          bot_id === id || (enrolment?.kind === 'sign_in' && enrolment.verification_id === id),
      );
      const code = ends === 'registered' || ends === 'enrolled' ? {} : { reason: bot?.reason?.code };
      return [
        { name, ends: bot?.state, ...code },
        { name, ends, ...(reason !== undefined && { reason }) },
      ];
    });
    expect(endings.map(([is]) => is)).toEqual(endings.map(([, must]) => must));
  });

  test('every account that was created is registered next', () => {
    const created = bots.flatMap(({ enrolment, user_id }) => (enrolment && user_id) ?? []);
    expect(created).toHaveLength(4);
    for (const id of created) expect(bots.find(({ bot_id }) => bot_id === id)?.state).toBe('registered');
  });

  test('refused network users are blocked, and none is created twice', async () => {
    const users = bots.filter(({ enrolment }) => enrolment?.kind === 'network_user');
    const ends = users.map(({ state, reason }) => [state, reason?.code]);
    expect(ends.sort()).toEqual([
      ['blocked', 'owner_missing'],
      ['blocked', 'too_many_apps'],
      ['enrolled', undefined],
      ['enrolled', undefined],
    ]);
    const created = stack.standIn.ledger().filter((entry) => entry.created?.kind === 'network');
    expect(created.map(({ user_id }) => user_id)).toEqual([owner, owner]);
    expect((await readBatch(batch_id)).cost).toMatchObject({
      created_users: 2,
      created_usd: 1,
      unsure_users: 0,
    });
  });

  test('a bot with a wrong PIN is sent one wrong PIN, and no account is locked', () => {
    const account = (name: string) => {
      const id = cases.get(name)?.id;
      return stack.standIn.accounts().find(({ user_id }) => user_id === id);
    };
    expect(account('six digits that are wrong')?.pin_errors).toBe(1);
    expect(account('four wrong PINs before')?.pin_errors).toBe(4);
    const locked = stack.standIn.accounts().filter((it) => it.pin_locked_until !== undefined);
    expect(locked).toEqual([]);
  });

  test('no key is lost and no bot has two keys', async () => {
    const counts = await countKeys(stack.embedded.environment, stack.standIn.ledger());
    expect(counts.keys_lost).toBe(0);
    expect(counts.keys_bound).toBeGreaterThan(15);
  });
});

describe('a wrong six-digit PIN', () => {
  test('a six-digit PIN that was wrong once is not tried again, and no other PIN either', async () => {
    const id = cases.get('six digits that are wrong')?.id ?? '';
    const row = rows.find((it) => it.app_id === id);
    const answer = await stack.post('/batches', [{ ...row, pin: '111111' }]);
    expect(answer.status).toBe(202);
    await waitFor(async () => {
      const bot = await stack.services.table.readBot(id);
      return bot?.batch_id !== batch_id && bot?.state === 'blocked';
    });
    expect((await stack.services.table.readBot(id))?.reason?.code).toBe('wrong_pin');
    expect(stack.standIn.accounts().find(({ user_id }) => user_id === id)?.pin_errors).toBe(1);
  }, 30_000);
});
