/**
 * POST /verifications and POST /verifications/:id: a code to a phone, and with it a session. Nobody has a session
 * yet, so these calls carry no token.
 *
 * Chosen where the live server's reply is unknown: the captcha is checked before the pause between two codes; a new
 * code ends the previous one; an unknown verification is 404; a code that is not four digits is 10002 and not counted;
 * the fifth wrong code is still 20113, and every code after it 20114.
 */
import { randomUUID } from 'node:crypto';
import { type Account, type Accounts, createAccount } from './accounts.ts';
import { createSignedInUserObject, invalidField, Refusal } from './answers.ts';
import {
  type Call,
  type CallContext,
  checkTexts,
  type EndpointResult,
  type Fields,
  readFields,
  readText,
  requireDigits,
  requireText,
} from './call.ts';
import {
  type Captcha,
  createVerification,
  isPhone,
  type Phone,
  type Phones,
  type Verification,
} from './phones.ts';
import { createServerSession, parseSessionKey, type Session, type SessionKey } from './sessions.ts';

/** The apps let their users request a new code after this pause. */
const RESEND_PAUSE_MS = 60_000;
const WRONG_CODES_MAX = 5;

interface CaptchaForm {
  /** How error descriptions begin: the apps tell the kinds apart by it. */
  readonly name: string;
  /** What holds the answer. */
  readonly token: string;
  /** The fields that must come with it. */
  readonly others: readonly string[];
}

const captchaForms: Readonly<Record<Captcha, CaptchaForm>> = {
  recaptcha: { name: 'reCAPTCHA', token: 'g_recaptcha_response', others: [] },
  hcaptcha: { name: 'hCaptcha', token: 'hcaptcha_response', others: [] },
  geetest: {
    name: 'GeeTest',
    token: 'gt4_pass_token',
    others: ['gt4_lot_number', 'gt4_captcha_output', 'gt4_gen_time'],
  },
};

const DEVICE_ID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** Checks the fields in which both calls describe the client. */
const checkClient = ({ device_id }: Call, fields: Fields): void => {
  if (device_id !== undefined && !DEVICE_ID.test(device_id))
    throw invalidField('Mixin-Device-Id', 'not a UUID');
  if (requireText(fields, 'purpose') !== 'SESSION')
    throw invalidField('purpose', 'only SESSION is supported here');
  const platform = requireText(fields, 'platform');
  if (platform !== 'iOS' && platform !== 'Android') throw invalidField('platform', 'not iOS or Android');
  checkTexts(fields, 'package_name', 'platform_version', 'app_version', 'notification_token');
};

const checkCaptcha = ({ captcha, captcha_answer }: Phone, fields: Fields): void => {
  if (captcha === undefined) return;
  const { name, token, others } = captchaForms[captcha];
  const answers = [token, ...others].map((field) => readText(fields, field));
  if (answers.every((text) => text === ''))
    throw new Refusal(10005, `${name} is required`, { description: `${name} is required.` });
  if (answers.includes('') || answers[0] !== captcha_answer)
    throw new Refusal(10004, `${name} is not solved`, { description: `${name} is invalid.` });
};

const checkPause = (before: Verification | undefined, nowMs: number): void => {
  if (before !== undefined && nowMs < before.requested_at + RESEND_PAUSE_MS)
    throw new Refusal(20129, 'a code was sent within the last minute');
};

/** The verification, with what its page shows of the account: whether signing in would stop a deletion. */
const createVerificationObject = (id: string, account: Account | undefined): Record<string, unknown> => {
  const pending = account?.deactivation?.aborted_at === undefined ? account?.deactivation : undefined;
  return {
    type: 'verification',
    id,
    has_emergency_contact: account?.emergency_contact_id !== undefined,
    contact_id: account?.emergency_contact_id ?? '',
    deactivation_requested_at: pending?.requested_at ?? '',
    deactivation_effective_at: pending?.effective_at ?? '',
  };
};

const findOwner = (accounts: Accounts, { user_id }: Phone): Account | undefined =>
  user_id === undefined ? undefined : accounts.find(user_id);

export const requestCode = ({ call, accounts, phones, nowMs }: CallContext): EndpointResult => {
  const fields = readFields(call.body);
  checkClient(call, fields);
  const number = requireText(fields, 'phone');
  if (!isPhone(number)) throw new Refusal(20110, 'the phone is not a number in E.164');
  const phone = phones.find(number);
  checkCaptcha(phone, fields);
  const before = phones.findLatest(number);
  checkPause(before, nowMs);

  if (before !== undefined && before.closed === undefined)
    phones.saveVerification({ ...before, closed: 'a newer one was requested' });
  const verification = createVerification(number, nowMs);
  phones.saveVerification(verification);
  return { data: createVerificationObject(verification.id, findOwner(accounts, phone)) };
};

interface SignInRequest {
  readonly code: string;
  readonly key: SessionKey;
}

const readSignIn = (call: Call, fields: Fields): SignInRequest => {
  checkClient(call, fields);
  requireText(fields, 'platform_version');
  requireText(fields, 'app_version');
  const code = requireText(fields, 'code');
  if (!/^\d{4}$/.test(code)) throw invalidField('code', 'not four digits');
  requireDigits(fields, 'registration_id', 10);
  const key = parseSessionKey(requireText(fields, 'session_secret'));
  if (key === undefined) throw invalidField('session_secret', 'not base64 of an Ed25519 or RSA public key');
  return { code, key };
};

/** A code counts as used, whether it was right or wrong. */
const useCode = (phones: Phones, verification: Verification, code: string, nowMs: number): void => {
  const { closed, expires_at } = verification;
  if (closed !== undefined) throw new Refusal(20114, `the verification is over: ${closed}`);
  if (nowMs >= expires_at) throw new Refusal(20114, 'the code is expired');
  if (code === verification.code) {
    phones.saveVerification({ ...verification, closed: 'it was used' });
    return;
  }
  const wrong_codes = verification.wrong_codes + 1;
  const counted: Verification = { ...verification, wrong_codes };
  phones.saveVerification(
    wrong_codes < WRONG_CODES_MAX ? counted : { ...counted, closed: 'too many wrong codes' },
  );
  throw new Refusal(20113, 'the code is wrong');
};

/** The account with a new session in place of the old one; its PIN, keys and Safe stay. */
const replaceSession = (account: Account, session: Session, nowMs: number): Account => {
  const { deactivation } = account;
  if (deactivation === undefined || deactivation.aborted_at !== undefined) return { ...account, ...session };
  const aborted_at = new Date(nowMs).toISOString();
  return { ...account, ...session, deactivation: { ...deactivation, aborted_at } };
};

const createPerson = (accounts: Accounts, phone: string, session: Session, nowMs: number): Account => {
  const identity_number = accounts.createIdentityNumber();
  const identity = { user_id: randomUUID(), full_name: '', kind: 'person', identity_number } as const;
  return { ...createAccount(identity, session, nowMs), phone };
};

export const signIn = ({ call, accounts, phones, settings, nowMs }: CallContext): EndpointResult => {
  const fields = readFields(call.body);
  const verification = phones.findVerification(call.id);
  if (verification === undefined) throw new Refusal(404, 'there is no such verification');
  const { code, key } = readSignIn(call, fields);
  useCode(phones, verification, code, nowMs);

  const phone = phones.find(verification.phone);
  const session = createServerSession(key);
  const known = findOwner(accounts, phone);
  const account =
    known === undefined
      ? createPerson(accounts, phone.phone, session, nowMs)
      : replaceSession(known, session, nowMs);
  const { user_id, session_id } = account;
  accounts.save(account);
  phones.save({ ...phone, user_id });
  return {
    data: createSignedInUserObject(account, settings.shows_spend_key),
    signed_in: { user_id, session_id },
    ...(known === undefined ? { created: { kind: 'person', user_id } } : {}),
  };
};
