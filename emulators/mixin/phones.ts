/**
 * Phones and the codes that were sent to them. A phone that was not prepared has no account and needs no captcha.
 * No SMS is sent: tests read the codes.
 */
import { randomInt, randomUUID } from 'node:crypto';
import type { Account, Accounts } from './accounts.ts';
import { type Keystore, type NewLegacyUser, type NewUser, saveUser } from './new-user.ts';
import type { Store } from './store.ts';

export type Captcha = 'recaptcha' | 'hcaptcha' | 'geetest';
const captchaKinds: readonly Captcha[] = ['recaptcha', 'hcaptcha', 'geetest'];

export interface NewPhone {
  /** E.164. */
  readonly phone: string;
  /** No code is sent without an answer to this captcha. */
  readonly captcha?: Captcha;
  /** The answer that solves the captcha; for GeeTest it is the `gt4_pass_token`. @default 'solved' */
  readonly captcha_answer?: string;
  /** The person who has this phone already. A plain one when absent, if one of the next two is given. */
  readonly account?: NewPerson;
  /** An ISO time: the account will be deleted then, unless somebody signs in. */
  readonly deactivation_effective_at?: string;
  readonly emergency_contact?: boolean;
}

type AppOption = 'kind' | 'created_by' | 'unpaid';
export type NewPerson = Omit<NewUser, AppOption> | Omit<NewLegacyUser, AppOption>;

export interface PhonePreparation {
  readonly phone: string;
  /** Of the account that has this phone; absent when there is none. */
  readonly user_id?: string;
  /** The keystore of the account's first session, if this preparation created the account. */
  readonly keystore?: Keystore;
}

export interface Phone {
  readonly phone: string;
  readonly captcha?: Captcha;
  readonly captcha_answer: string;
  readonly user_id?: string;
}

export interface Verification {
  readonly id: string;
  readonly phone: string;
  readonly code: string;
  /** Milliseconds since 1970. */
  readonly requested_at: number;
  readonly expires_at: number;
  readonly wrong_codes: number;
  /** Why its code can no longer be used, before it expires. */
  readonly closed?: 'it was used' | 'too many wrong codes' | 'a newer one was requested';
}

export interface VerificationView extends Pick<Verification, 'id' | 'phone' | 'code'> {
  /** ISO time. */
  readonly expires_at: string;
}

const CODE_LIFE_MS = 300_000;

export const isPhone = (value: unknown): value is string =>
  typeof value === 'string' && /^\+[1-9]\d{6,14}$/.test(value);

export const createVerification = (phone: string, nowMs: number): Verification => ({
  id: randomUUID(),
  phone,
  code: String(randomInt(10_000)).padStart(4, '0'),
  requested_at: nowMs,
  expires_at: nowMs + CODE_LIFE_MS,
  wrong_codes: 0,
});

const createView = ({ id, phone, code, expires_at }: Verification): VerificationView => ({
  id,
  phone,
  code,
  expires_at: new Date(expires_at).toISOString(),
});

export interface Phones {
  find(phone: string): Phone;
  save(phone: Phone): void;
  findVerification(id: string): Verification | undefined;
  findLatest(phone: string): Verification | undefined;
  saveVerification(verification: Verification): void;
  /** In the order in which they were requested. */
  listViews(): VerificationView[];
}

export const openPhones = ({ database, query }: Store): Phones => {
  const select = query<Phone>('SELECT document FROM phones WHERE phone = ?');
  const upsert = database.prepare('INSERT OR REPLACE INTO phones (phone, document) VALUES (?, ?)');
  const selectById = query<Verification>('SELECT document FROM verifications WHERE id = ?');
  const selectLatest = query<Verification>(
    'SELECT document FROM verifications WHERE phone = ? ORDER BY position DESC LIMIT 1',
  );
  const selectAll = query<Verification>('SELECT document FROM verifications ORDER BY position');
  const upsertVerification = database.prepare(
    'INSERT INTO verifications (id, phone, document) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document',
  );
  return {
    find: (phone) => select.find(phone) ?? { phone, captcha_answer: '' },
    save: (phone) => {
      upsert.run(phone.phone, JSON.stringify(phone));
    },
    findVerification: selectById.find,
    findLatest: selectLatest.find,
    saveVerification: (verification) => {
      upsertVerification.run(verification.id, verification.phone, JSON.stringify(verification));
    },
    listViews: () => selectAll.list().map(createView),
  };
};

const check = (options: NewPhone): void => {
  const { phone, captcha, captcha_answer, deactivation_effective_at } = options;
  if (!isPhone(phone)) throw new TypeError('phone is not a number in E.164');
  if (captcha !== undefined && !captchaKinds.includes(captcha))
    throw new TypeError('captcha is recaptcha, hcaptcha or geetest');
  if (captcha_answer === '') throw new TypeError('captcha_answer is empty');
  if (deactivation_effective_at !== undefined && Number.isNaN(Date.parse(deactivation_effective_at)))
    throw new TypeError('deactivation_effective_at is not a time');
};

/** The account with the phone and its other options. */
const addPhone = (account: Account, options: NewPhone, nowMs: number): Account => {
  const { phone, deactivation_effective_at, emergency_contact } = options;
  const requested_at = new Date(nowMs).toISOString();
  return {
    ...account,
    phone,
    ...(emergency_contact === true ? { emergency_contact_id: randomUUID() } : {}),
    ...(deactivation_effective_at === undefined
      ? {}
      : { deactivation: { requested_at, effective_at: deactivation_effective_at } }),
  };
};

/** Sets up a phone before a code is requested. A second preparation replaces the captcha. */
export const preparePhone = (
  accounts: Accounts,
  phones: Phones,
  options: NewPhone,
  nowMs: number,
): PhonePreparation => {
  check(options);
  const { phone, captcha, captcha_answer = 'solved' } = options;
  const known = phones.find(phone).user_id;
  if (known !== undefined && options.account !== undefined)
    throw new TypeError('the phone has an account already');
  const { deactivation_effective_at, emergency_contact } = options;
  const needsAccount =
    options.account !== undefined || deactivation_effective_at !== undefined || emergency_contact === true;
  const created =
    known === undefined && needsAccount
      ? saveUser(accounts, { ...options.account, kind: 'person' }, nowMs)
      : undefined;
  const account = created?.account ?? (known === undefined ? undefined : accounts.find(known));
  if (account !== undefined) accounts.save(addPhone(account, options, nowMs));
  const owner = account === undefined ? {} : { user_id: account.user_id };
  phones.save({ phone, captcha_answer, ...(captcha === undefined ? {} : { captcha }), ...owner });
  return { phone, ...owner, ...(created === undefined ? {} : { keystore: created.keystore }) };
};
