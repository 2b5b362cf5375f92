/**
 * The answers of POST /users and POST /verifications/:id: an account with a new session. Fields as in the page of
 * 2018 and in the Account objects of the Android, iOS and Flutter apps, of Go's User and of the Node SDK's types
 * (read 2026-11-21).
 */
import * as z from 'zod';
import type { NewAccount } from '../model/enrolment.ts';
import { isRsaKey, type SessionKey, withoutSign } from '../model/keystore.ts';
import type { MixinError } from '../model/mixin-error.ts';
import type { SignInResult } from '../model/ports.ts';
import { uuidSchema } from '../model/uuid.ts';
import type { MixinAnswer } from './answer.ts';
import { createMixinError } from './errors.ts';
import { ed25519FromX25519, isPublicKey } from './keys.ts';
import { canDecryptPinToken } from './rsa.ts';

/** A missing key is absent, empty or null. */
const text = z
  .string()
  .nullish()
  .transform((value) => (value ? value : undefined));

const schema = z.object({
  user_id: uuidSchema,
  session_id: uuidSchema,
  server_public_key: text,
  pin_token_base64: text,
  pin_token: text,
});
type Session = z.infer<typeof schema>;

const createBrokenAnswer = (request_id: string): MixinError =>
  createMixinError('broken_answer', { method: 'POST', request_id });

const decodeX25519Key = (base64: string): string =>
  /^[A-Za-z0-9+/_-]{43}=?$/.test(base64) ? Buffer.from(base64, 'base64').toString('hex') : '';

const parseServerKey = (hex: string | undefined): string | undefined =>
  hex === undefined || !isPublicKey(hex) ? undefined : hex.toLowerCase();

/**
 * Mixin's key of an Ed25519 session, 64 hex characters. It may come as an Ed25519 point (`server_public_key`, from
 * 2025-07 on) and as its image on Curve25519 (`pin_token`, `pin_token_base64`). All that the answer has must be keys
 * and agree, else undefined; the point is preferred, for it has its sign.
 */
const readServerKey = ({ server_public_key, pin_token_base64, pin_token }: Session): string | undefined => {
  const images = [pin_token_base64, pin_token].filter((token) => token !== undefined);
  const serverKeys = [
    ...(server_public_key === undefined ? [] : [parseServerKey(server_public_key)]),
    ...images.map((token) => ed25519FromX25519(decodeX25519Key(token))),
  ];
  const distinct = new Set(serverKeys.map((key) => key && withoutSign(key)));
  return distinct.size === 1 ? serverKeys[0] : undefined;
};

/** The pin_token of an RSA session in standard base64; undefined when the session's key cannot decrypt it. */
const readPinToken = (session: Session, pem: string): string | undefined => {
  const tokens = [session.pin_token, session.pin_token_base64].filter((token) => token !== undefined);
  const good = tokens.find((token) => canDecryptPinToken(pem, token, session.session_id));
  return good === undefined ? undefined : Buffer.from(good, 'base64').toString('base64');
};

/** What PIN calls of the session need; undefined when the answer does not have it. */
const readPinPart = (
  session: Session,
  key: SessionKey,
): Pick<NewAccount, 'server_public_key' | 'pin_token'> | undefined => {
  if (isRsaKey(key)) {
    const pin_token = readPinToken(session, key);
    return pin_token === undefined ? undefined : { pin_token };
  }
  const server_public_key = readServerKey(session);
  return server_public_key === undefined ? undefined : { server_public_key };
};

const readAccount = ({ data, request_id }: MixinAnswer, session_key: SessionKey): NewAccount => {
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw createBrokenAnswer(request_id);
  const pinPart = readPinPart(parsed.data, session_key);
  if (pinPart === undefined) throw createBrokenAnswer(request_id);
  const { user_id, session_id } = parsed.data;
  return { user_id, session_id, ...pinPart, request_id };
};

/** A user that was just created is outside Safe and has no TIP key. */
const fresh = z.object({
  has_safe: z.literal(false).nullish(),
  tip_key_base64: z.literal('').nullish(),
});

/**
 * Reads the answer of POST /users. `session_key` is the private half of the session that was requested. Throws
 * MixinError `broken_answer` when an id is not a UUID, when Mixin's key of the session is missing, is not a key, or
 * has two forms that differ, when an RSA session's pin_token cannot be decrypted, or when the answer is about the
 * owner, or about an account that is not new. None of its content gets into the error.
 */
export const readNewUser = (
  answer: MixinAnswer,
  session_key: SessionKey,
  owner: { readonly app_id: string; readonly session_id: string },
): NewAccount => {
  const account = readAccount(answer, session_key);
  const isOwner =
    account.user_id === owner.app_id.toLowerCase() || account.session_id === owner.session_id.toLowerCase();
  if (isOwner || !fresh.safeParse(answer.data).success) throw createBrokenAnswer(answer.request_id);
  return account;
};

/** Fields about the person of an account and its settings. None is a key or contains one. */
const personFields = [
  'type',
  'identity_number',
  'full_name',
  'biography',
  'avatar_url',
  'relationship',
  'mute_until',
  'created_at',
  'is_verified',
  'phone',
  'invitation_code',
  'code_id',
  'code_url',
  'has_pin',
  'has_safe',
  'has_emergency_contact',
  'receive_message_source',
] as const;

const MAX_TEXT_CHARACTERS = 2_000;

const isPlain = (value: unknown): boolean =>
  typeof value === 'boolean' ||
  typeof value === 'number' ||
  (typeof value === 'string' && value.length <= MAX_TEXT_CHARACTERS);

const pickPerson = (data: unknown): SignInResult['person'] => {
  const fields = data as Readonly<Record<string, unknown>>;
  const plain = personFields.filter((field) => Object.hasOwn(fields, field) && isPlain(fields[field]));
  return Object.fromEntries(plain.map((field) => [field, fields[field]]));
};

/**
 * Reads the answer of POST /verifications/:id: the account, checked as that of POST /users is, and the fields of the
 * list above that are plain and not overlong. Throws MixinError `broken_answer`.
 */
export const readSignInResult = (answer: MixinAnswer, session_key: SessionKey): SignInResult => ({
  account: readAccount(answer, session_key),
  person: pickPerson(answer.data),
});
