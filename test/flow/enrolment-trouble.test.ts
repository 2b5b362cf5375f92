/** Every refusal and every lost answer of the calls that create an account, and the state of the row after it. */
import { randomInt, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../emulators/mixin/server.ts';
import { enroll } from '../../lib/bots/enroll.ts';
import { deriveEnrolmentId } from '../../lib/bots/enrolment.ts';
import { upsertBot } from '../../lib/bots/upsert.ts';
import { createMixinError, type MixinErrorCode, mixinErrors } from '../../lib/mixin/errors.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Enrolment, SignInRequest } from '../../lib/model/enrolment.ts';
import { sendOpenly } from '../emulators/mixin/client.ts';
import { startStack, type TestStack, waitFor } from '../helpers/stack.ts';

let stack: TestStack;
let owner = '';
beforeAll(async () => {
  stack = await startStack();
  const { keystore } = await stack.standIn.createUser();
  await stack.services.vault.storeKeystore(keystore);
  owner = keystore.app_id;
});
afterAll(() => stack[Symbol.asyncDispose]());

const newRow = async (enrolment: Enrolment): Promise<string> => {
  const batch_id = randomUUID();
  const user_id = deriveEnrolmentId(enrolment, batch_id, 1);
  await upsertBot(
    stack.services,
    'intake',
    { bot_id: user_id, batch_id, line: 1, row_digest: '', enrolment },
    true,
  );
  return user_id;
};

/** Counts the POSTs to a path that begins so. Other bots run at the same time, and have other paths. */
const countPosts = (address: string): number =>
  stack.standIn.ledger().filter(({ method, path }) => method === 'POST' && path.startsWith(address)).length;

/** The path that the sign-in of a row is sent to. */
const findPath = ({ enrolment }: Bot): string =>
  enrolment?.kind === 'sign_in' ? `/verifications/${enrolment.verification_id}` : '';

const deadline = () => stack.services.now() + 30_000;

/** Runs the step on a row with these faults, and reads the row after it. */
const enrollUnder = async (user_id: string, faults: readonly Fault[]): Promise<Bot> => {
  stack.standIn.setFaults(faults);
  await enroll(stack.services, { bot_id: user_id }, deadline());
  stack.standIn.setFaults([]);
  const row = await stack.services.table.readBot(user_id);
  if (!row) throw new Error('the row does not exist');
  return row;
};

const newPhone = () => `+861${randomInt(1e9, 1e10)}`;

const askForCode = async () => {
  const phone = newPhone();
  stack.standIn.preparePhone({ phone });
  await sendOpenly(stack.standIn, '/verifications', { phone, purpose: 'SESSION', platform: 'Android' });
  const verification = stack.standIn.verifications().find((it) => it.phone === phone);
  if (!verification) throw new Error('no code was sent');
  return { ...verification, phone };
};

const signInRow = async (change: Partial<SignInRequest> = {}) => {
  const { id: verification_id, code } = await askForCode();
  const user_id = await newRow({ kind: 'sign_in', verification_id });
  const sign_in: SignInRequest = {
    code,
    device_id: randomUUID(),
    platform: 'Android',
    platform_version: '16',
    app_version: '3.0.0',
    package_name: 'one.mixin.messenger',
    purpose: 'SESSION',
    registration_id: 7,
    ...change,
  };
  const session_key = Buffer.from(stack.services.randomBytes(32)).toString('hex');
  await stack.services.vault.storeEnrolment(user_id, { session_key, sign_in });
  return user_id;
};

const newOwner = async (): Promise<string> => {
  const { keystore } = await stack.standIn.createUser();
  await stack.services.vault.storeKeystore(keystore);
  return keystore.app_id;
};

const userRow = (by = owner) => newRow({ kind: 'network_user', owner: by, full_name: 'Wallet' });

type End = readonly [code: number, state: Bot['state'], reason: MixinErrorCode];
const common: readonly End[] = [
  [400, 'failed', 'invalid_request'],
  [403, 'blocked', 'forbidden'],
  [429, 'waiting', 'rate_limited'],
  [10_002, 'failed', 'invalid_field'],
  [10_006, 'blocked', 'client_too_old'],
  [20_111, 'blocked', 'no_identity_numbers'],
  [20_112, 'blocked', 'invitation_invalid'],
  [99_999, 'blocked', 'unknown_error'],
];
const endsOfUsers: readonly End[] = [
  ...common,
  [404, 'waiting', 'wrong_address'],
  [401, 'blocked', 'session_refused'],
  [20_123, 'blocked', 'too_many_apps'],
];
const endsOfSignIns: readonly End[] = [
  ...common,
  [404, 'failed', 'not_found'],
  [10_003, 'blocked', 'sms_not_delivered'],
  [10_004, 'blocked', 'captcha_wrong'],
  [10_005, 'blocked', 'captcha_required'],
  [20_110, 'blocked', 'phone_invalid'],
  [20_113, 'blocked', 'sms_code_wrong'],
  [20_114, 'blocked', 'sms_code_expired'],
  [20_122, 'blocked', 'phone_taken'],
  [20_129, 'waiting', 'sms_too_often'],
];
const unknownOutcomes: readonly (readonly [string, Omit<Fault, 'path' | 'method'>])[] = [
  ['a lost answer', { name: 'answer_lost' }],
  ['a lost request', { name: 'request_lost' }],
  ['a server error', { name: 'server_error' }],
  ['a server error after the effect', { name: 'server_error', effect: true }],
  ['an empty answer', { name: 'empty_body', effect: true }],
  ['an answer to another request', { name: 'wrong_request_id' }],
  ['an internal error (10001)', { name: 'code', code: 10_001 }],
  ['a redirect', { name: 'redirect', effect: true }],
  ['HTML', { name: 'html', effect: true }],
];

const expectReason = (row: Bot, code: MixinErrorCode) => {
  expect(row.reason?.code).toBe(code);
  expect(row.reason?.message).toContain(mixinErrors[code].message.replace(/\.$/, ''));
  expect(row.reason?.fix).toBe(mixinErrors[code].fix);
};

describe('POST /users', () => {
  const users = { method: 'POST', path: '/users' };

  test.each(endsOfUsers)(
    'POST /users refused with %i leads to %s, %s, and the row is not unsure',
    async (code, state, reason) => {
      const row = await enrollUnder(await userRow(), [{ name: 'code', code, ...users }]);
      expect(row.state).toBe(state);
      expectReason(row, reason);
      expect([row.account_sent_at, row.account]).toEqual([undefined, undefined]);
    },
  );

  test.each(unknownOutcomes)(
    'a row is unsure, and its POST /users is never sent again by itself, after %s',
    async (_name, fault) => {
      const by = await newOwner();
      const user_id = await userRow(by);
      const row = await enrollUnder(user_id, [{ ...fault, ...users }]);
      expect([row.state, row.reason?.code]).toEqual(['unsure', 'user_creation_unknown']);
      expect(row.reason?.message).toContain('0.5 USD');
      expect(row.due_at).toBeUndefined();
      for (let i = 0; i < 3; i += 1) await enroll(stack.services, { bot_id: user_id }, deadline());
      const bought = stack.standIn
        .ledger()
        .filter((entry) => entry.path === '/users' && entry.user_id === by);
      expect(bought.length).toBeLessThanOrEqual(1);
    },
  );

  test('a POST /users with an unknown outcome is sent again when an operator says so, with the same session key', async () => {
    const user_id = await userRow();
    const { batch_id } = await enrollUnder(user_id, [{ name: 'answer_lost', ...users }]);
    await stack.services.table.createBatch({
      batch_id,
      status: 'imported',
      created_at: new Date().toISOString(),
      total: 1,
      invalid: 0,
      duplicates: 0,
      paid_rows: 1,
      chunks: 1,
      chunks_done: [1],
    });
    const key = await stack.services.vault.readEnrolment(user_id);
    const { body: unsureBatch } = await stack.get(`/batches/${batch_id}`);
    expect(unsureBatch).toMatchObject({ cost: { created_users: 0, unsure_users: 1, unsure_usd: 0.5 } });
    const refusal = await stack.post(`/batches/${batch_id}/retry`, { states: ['unsure'] });
    expect(refusal).toMatchObject({ status: 400, body: { code: 'bad_body' } });
    const unsureRow = await stack.services.table.readBot(user_id);
    expect(unsureRow?.state).toBe('unsure');
    expect((await stack.post(`/batches/${batch_id}/retry`, {})).body).toMatchObject({ retried: 0 });
    const retry = await stack.post(`/batches/${batch_id}/retry`, {
      states: ['unsure'],
      pay_again: [{ bot_id: user_id, state_since: unsureRow?.state_since }],
    });
    expect(retry.body).toMatchObject({ retried: 1 });
    const row = await waitFor(async () => {
      const current = await stack.services.table.readBot(user_id);
      return current?.state === 'enrolled' ? current : undefined;
    });
    const stored = await stack.services.vault.readKeystore(row.account?.user_id ?? '');
    expect(stored).toMatchObject({
      keystore: { session_private_key: typeof key === 'object' ? key.session_key : '' },
    });
    const { body: finishedBatch } = await stack.get(`/batches/${batch_id}`);
    expect(finishedBatch).toMatchObject({ cost: { created_users: 1, unsure_users: 0 } });
  });

  test('a POST /users without a connection is sent again, and costs once', async () => {
    const user_id = await userRow();
    const accounts = {
      ...stack.services.accounts,
      createUser: () => Promise.reject(createMixinError('no_connection', { method: 'POST' })),
    };
    await enroll({ ...stack.services, accounts }, { bot_id: user_id }, deadline());
    const row = await stack.services.table.readBot(user_id);
    expect([row?.state, row?.reason?.code, row?.account_sent_at]).toEqual([
      'waiting',
      'no_connection',
      undefined,
    ]);
  });

  test('a POST /users that is answered with a user of another row changes nothing of that row', async () => {
    const { keystore } = await stack.standIn.createUser();
    await stack.services.vault.storeKeystore(keystore);
    const fields = { session_id: keystore.session_id, batch_id: randomUUID(), line: 1, row_digest: '' };
    await upsertBot(stack.services, 'intake', { bot_id: keystore.app_id, ...fields }, true);
    const user_id = await userRow();
    const answer = {
      user_id: keystore.app_id,
      session_id: randomUUID(),
      server_public_key: keystore.server_public_key,
      request_id: randomUUID(),
    };
    let calls = 0;
    const createUser = async () => {
      calls += 1;
      return answer;
    };
    const accounts = { ...stack.services.accounts, createUser };
    await enroll({ ...stack.services, accounts }, { bot_id: user_id }, deadline());
    const row = await stack.services.table.readBot(user_id);
    // What Mixin answered stays on the row, for Mixin's support.
    expect([row?.state, row?.reason?.code, row?.account]).toEqual(['blocked', 'user_not_new', answer]);
    expect(await stack.services.vault.readKeystore(keystore.app_id)).toMatchObject({ keystore });
    const again = { ...stack.services, accounts };
    await stack.services.table.updateBot(row as Bot, { state: 'queued' });
    await enroll(again, { bot_id: user_id }, deadline());
    expect([(await stack.services.table.readBot(user_id))?.state, calls]).toEqual(['blocked', 1]);
    expect(await stack.services.vault.readKeystore(keystore.app_id)).toMatchObject({ keystore });
  });
});

describe('POST /verifications/:id', () => {
  const verifications = { method: 'POST', path: '/verifications/:id' };

  test.each(endsOfSignIns)(
    'POST /verifications/:id refused with %i leads to %s, %s',
    async (code, state, reason) => {
      const row = await enrollUnder(await signInRow(), [{ name: 'code', code, ...verifications }]);
      expect(row.state).toBe(state);
      expectReason(row, reason);
      expect(row.account_sent_at).toBeUndefined();
    },
  );

  test.each(unknownOutcomes)(
    'a row is unsure, and its POST /verifications/:id is never sent again by itself, after %s',
    async (_name, fault) => {
      const user_id = await signInRow();
      const row = await enrollUnder(user_id, [{ ...fault, ...verifications }]);
      expect([row.state, row.reason?.code]).toEqual(['unsure', 'sign_in_unknown']);
      const address = findPath(row);
      const before = countPosts(address);
      for (let i = 0; i < 3; i += 1) await enroll(stack.services, { bot_id: user_id }, deadline());
      expect(countPosts(address)).toBe(before);
    },
  );

  test('a sign-in with a wrong code is not sent again with the same code', async () => {
    const user_id = await signInRow({ code: '0000' });
    const first = await enrollUnder(user_id, []);
    if (first.state === 'enrolled') return; // One code in ten thousand is 0000.
    expect(first.reason?.code).toBe('sms_code_wrong');
    const address = findPath(first);
    const before = countPosts(address);
    await enroll(stack.services, { bot_id: user_id }, deadline());
    expect(countPosts(address)).toBe(before);
  });
});

describe('a sign-in over HTTP', () => {
  const ask = (fields: Record<string, unknown>) => stack.post('/accounts/verifications', fields);
  const findVerification = (phone: string) =>
    stack.standIn.verifications().findLast((it) => it.phone === phone);
  const askAndRead = async (prepare: Parameters<TestStack['standIn']['preparePhone']>[0]) => {
    stack.standIn.preparePhone(prepare);
    const { status, body } = await ask({ phone: prepare.phone });
    expect(status).toBe(200);
    const { verification_id } = body as { verification_id: string };
    return {
      verification_id,
      code: findVerification(prepare.phone)?.code ?? '',
      body: body as Record<string, unknown>,
    };
  };

  test.each(['ed25519', 'rsa'] as const)(
    'a sign-in over HTTP registers the account as a bot, with an %s session',
    async (session_key) => {
      const { verification_id, code } = await askAndRead({ phone: newPhone() });
      const { status, body } = await stack.post(`/accounts/verifications/${verification_id}`, {
        code,
        session_key,
        notification_token: 'invented',
        registration_id: 3_702,
      });
      expect(status).toBe(201);
      const { user_id, batch_id, account } = body as Record<string, string>;
      expect(account).toMatchObject({ has_pin: false, receive_message_source: 'EVERYBODY' });
      expect(JSON.stringify(account)).not.toMatch(/pin_token|session/);
      const bot = await waitFor(async () => {
        const current = await stack.services.table.readBot(user_id ?? '');
        return current?.state === 'registered' ? current : undefined;
      });
      expect(bot.batch_id).toBe(batch_id);
      expect((await stack.get(`/batches/${batch_id}`)).body).toMatchObject({
        total: 1,
        percent_done: 100,
        states: { registered: 1, enrolled: 1 },
      });
      const stored = await stack.services.vault.readKeystore(user_id ?? '');
      expect(Object.keys((stored as { keystore: object }).keystore)).toContain(
        session_key === 'rsa' ? 'pin_token' : 'session_private_key',
      );
      const again = await stack.post(`/accounts/verifications/${verification_id}`, { code, session_key });
      expect(again).toMatchObject({ status: 409, body: { code: 'signed_in_already', user_id } });
    },
  );

  test('a sign-in over HTTP can repeat with another code after a wrong one, and keeps its session key', async () => {
    const { verification_id, code } = await askAndRead({ phone: newPhone() });
    const wrong = code === '1111' ? '2222' : '1111';
    const path = `/accounts/verifications/${verification_id}`;
    expect(await stack.post(path, { code: wrong })).toMatchObject({
      status: 422,
      body: { code: 'sms_code_wrong', verdict: 'never' },
    });
    expect(await stack.post(path, { code, session_key: 'rsa' })).toMatchObject({
      status: 409,
      body: { code: 'session_key_exists' },
    });
    expect((await stack.post(path, { code })).status).toBe(201);
  });

  test('a sign-in over HTTP needs consent before it cancels a deactivation', async () => {
    const phone = newPhone();
    const at = '2027-01-01T00:00:00Z';
    const verification = await askAndRead({ phone, deactivation_effective_at: at });
    expect(Date.parse(String(verification.body.deactivation_effective_at))).toBe(Date.parse(at));
    const path = `/accounts/verifications/${verification.verification_id}`;
    const refusal = await stack.post(path, { code: verification.code });
    expect(refusal).toMatchObject({ status: 409, body: { code: 'deactivation_pending' } });
    const deactivation = () =>
      stack.standIn.accounts().find((it) => it.phone === phone)?.deactivation?.aborted_at;
    expect(deactivation()).toBeUndefined();
    expect((await stack.post(path, { code: verification.code, abort_deactivation: true })).status).toBe(201);
    expect(deactivation()).toBeDefined();
  });

  test('a sign-in over HTTP reports a captcha and its kind, passes its answer on, and reports a wrong answer', async () => {
    const phone = newPhone();
    stack.standIn.preparePhone({ phone, captcha: 'hcaptcha', captcha_answer: 'right' });
    expect(await ask({ phone })).toMatchObject({
      status: 422,
      body: { code: 'captcha_required', captcha: 'hcaptcha' },
    });
    expect(await ask({ phone, hcaptcha_response: 'no' })).toMatchObject({
      status: 422,
      body: { code: 'captcha_wrong' },
    });
    expect((await ask({ phone, hcaptcha_response: 'right' })).status).toBe(200);
    expect(await ask({ phone, hcaptcha_response: 'right' })).toMatchObject({
      status: 429,
      body: { code: 'sms_too_often', verdict: 'again' },
    });
  });

  test.each([
    ['answer_lost', 504],
    ['server_error', 504],
  ] as const)(
    'a sign-in over HTTP with the fault %s answers %i, and its code cannot be used again',
    async (name, expected) => {
      const { verification_id, code } = await askAndRead({ phone: newPhone() });
      const path = `/accounts/verifications/${verification_id}`;
      stack.standIn.setFaults([{ name, method: 'POST', path: '/verifications/:id' }]);
      expect(await stack.post(path, { code })).toMatchObject({
        status: expected,
        body: { code: 'sign_in_unknown' },
      });
      stack.standIn.setFaults([]);
      const before = countPosts('/verifications/');
      expect(await stack.post(path, { code })).toMatchObject({
        status: 409,
        body: { code: 'sign_in_unknown' },
      });
      expect(countPosts('/verifications/')).toBe(before);
    },
  );

  test('a sign-in over HTTP names the invalid field of a body, and quotes nothing of it', async () => {
    const { status, body } = await ask({ phone: 'canary-phone' });
    expect([status, (body as { field: string }).field]).toEqual([400, 'phone']);
    const wrong = await stack.post(`/accounts/verifications/${randomUUID()}`, { code: 'canary-code' });
    expect([wrong.status, (wrong.body as { field: string }).field]).toEqual([400, 'code']);
    expect(JSON.stringify([body, wrong.body, stack.logs])).not.toContain('canary');
  });
});
