/** New accounts for tests (createUser): the options, and the keystore of the new account. */
import { randomUUID } from 'node:crypto';
import {
  type Account,
  type AccountKind,
  type Accounts,
  createAccount,
  DAY_MS,
  isUuid,
  PIN_ERRORS_MAX,
} from './accounts.ts';
import { createSeed, derivePublicKey } from './ed25519.ts';
import { readRsaKeyPair } from './rsa.ts';
import { createServerSession, type Session, type SessionKey } from './sessions.ts';

export interface NewUser {
  /**
   * A random one when absent. The id of an account that exists gives it a new session and revokes the old one,
   * as the dashboard does; then only the session's fields may be given with it.
   */
  readonly user_id?: string;
  readonly full_name?: string;
  /** Default 'app', or 'network' when `created_by` is given. */
  readonly kind?: AccountKind;
  readonly created_by?: string;
  /** An app whose bill is not paid: POST /users is refused with 20123. */
  readonly unpaid?: boolean;
  /** A TIP PIN from the start, with this hex seed; 'foreign': with a key that nobody has. */
  readonly tip?: { readonly private_key: string } | 'foreign';
  readonly six_digit_pin?: string;
  /** In Safe from the start, with this hex seed; 'foreign': with a key that nobody has. */
  readonly safe?: { readonly private_key: string } | 'foreign';
  readonly session?: 'live' | 'revoked';
  readonly pin_locked?: boolean;
  /** @default 'ed25519' */
  readonly session_key?: 'ed25519';
  /** Fixed keys and ids for test vectors; random when absent. Private keys are hex seeds. */
  readonly session_id?: string;
  readonly session_private_key?: string;
  readonly server_private_key?: string;
}

/**
 * The same with an RSA session: `session_private_key` is a PEM then, and `server_private_key` the key of the
 * session's PINs, in hex.
 */
export interface NewLegacyUser extends Omit<NewUser, 'session_key'> {
  readonly session_key: 'rsa';
}

export type UserOptions = NewUser | NewLegacyUser;

export interface CreatedUser {
  /** As the dashboard exports it: everything in lower-case hex, private keys as 32-byte seeds. */
  readonly keystore: {
    readonly app_id: string;
    readonly session_id: string;
    readonly server_public_key: string;
    readonly session_private_key: string;
  };
}

export interface CreatedLegacyUser {
  /** As keystores of RSA sessions were written. */
  readonly keystore: {
    readonly client_id: string;
    readonly session_id: string;
    /** Standard base64 of the key of the PINs, sealed with RSA-OAEP. */
    readonly pin_token: string;
    /** PKCS#1, PEM. */
    readonly private_key: string;
  };
}

export type Keystore = (CreatedUser | CreatedLegacyUser)['keystore'];

const parseSeed = (hex: string): Buffer => {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError('a private key is 64 lower-case hex characters');
  return Buffer.from(hex, 'hex');
};

const derivePresetKey = (preset: NewUser['tip']): string => {
  if (preset === undefined) return '';
  return derivePublicKey(preset === 'foreign' ? createSeed() : parseSeed(preset.private_key));
};

const FULL_NAME = { app: 'Bot', network: 'Bot', person: '' } as const;

const chooseKind = ({ kind, created_by }: UserOptions): AccountKind =>
  kind ?? (created_by === undefined ? 'app' : 'network');

const checkOptions = (options: UserOptions): void => {
  const { user_id, session_id, session_key, six_digit_pin, tip, unpaid } = options;
  if (user_id !== undefined && !isUuid(user_id)) throw new TypeError('user_id is not a lower-case UUID');
  if (session_id !== undefined && !isUuid(session_id))
    throw new TypeError('session_id is not a lower-case UUID');
  if (session_key !== undefined && session_key !== 'ed25519' && session_key !== 'rsa')
    throw new TypeError('session_key is ed25519 or rsa');
  if (six_digit_pin !== undefined && !/^\d{6}$/.test(six_digit_pin))
    throw new TypeError('six_digit_pin is not six digits');
  if (six_digit_pin !== undefined && tip !== undefined)
    throw new TypeError('an account has a six-digit PIN or a TIP PIN, not both');
  if (!Object.hasOwn(FULL_NAME, chooseKind(options))) throw new TypeError('kind is app, network or person');
  if (chooseKind(options) === 'person' && options.created_by !== undefined)
    throw new TypeError('a person is not created by an app');
  if (unpaid === true && chooseKind(options) !== 'app') throw new TypeError('only an app has a bill');
};

/** The new account, from checked options. */
const buildAccount = (
  options: UserOptions,
  names: Pick<Account, 'user_id' | 'identity_number'>,
  session: Session,
  nowMs: number,
): Account => {
  const kind = chooseKind(options);
  const { created_by, unpaid, pin_locked } = options;
  const identity = {
    ...names,
    full_name: options.full_name ?? FULL_NAME[kind],
    kind,
    ...(created_by === undefined ? {} : { created_by }),
    ...(unpaid === undefined ? {} : { unpaid }),
  };
  const lock = {
    pin_errors: Array.from({ length: PIN_ERRORS_MAX }, () => ({ log_id: randomUUID(), at: nowMs })),
    pin_locked_until: nowMs + DAY_MS,
  };
  return {
    ...createAccount(identity, session, nowMs),
    six_digit_pin: options.six_digit_pin ?? '',
    tip_public_key: derivePresetKey(options.tip),
    tip_counter: options.tip === undefined ? 0 : 1,
    spend_public_key: derivePresetKey(options.safe),
    has_safe: options.safe !== undefined,
    ...(pin_locked === true ? lock : {}),
  };
};

const createSessionKey = (options: UserOptions): SessionKey & { readonly private_key: string } => {
  const { session_private_key } = options;
  if (options.session_key === 'rsa') return { kind: 'rsa', ...readRsaKeyPair(session_private_key) };
  const seed = session_private_key === undefined ? createSeed() : parseSeed(session_private_key);
  return { kind: 'ed25519', public_key: derivePublicKey(seed), private_key: seed.toString('hex') };
};

const createKeystore = (user_id: string, session: Session, private_key: string): Keystore => {
  const { session_id, session_kind, server_public_key } = session;
  if (session_kind === 'ed25519')
    return { app_id: user_id, session_id, server_public_key, session_private_key: private_key };
  const pin_token = Buffer.from(session.pin_token, 'base64url').toString('base64');
  return { client_id: user_id, session_id, pin_token, private_key };
};

const SESSION_OPTIONS = [
  'user_id',
  'session',
  'session_key',
  'session_id',
  'session_private_key',
  'server_private_key',
];

const checkSessionOnly = (options: UserOptions): void => {
  const other = Object.keys(options).find((name) => !SESSION_OPTIONS.includes(name));
  if (other !== undefined) throw new TypeError(`the account exists already: ${other} cannot be set again`);
};

/** A new account, or a new session of one that exists. */
export const saveUser = (
  accounts: Accounts,
  options: UserOptions,
  nowMs: number,
): { readonly account: Account; readonly keystore: Keystore } => {
  checkOptions(options);
  const { user_id = randomUUID(), session_id, server_private_key } = options;
  const { private_key, ...key } = createSessionKey(options);
  const server_seed = server_private_key === undefined ? undefined : parseSeed(server_private_key);
  const session = {
    ...createServerSession(key, { session_id, server_seed }),
    session_live: options.session !== 'revoked',
  };
  const known = accounts.find(user_id);
  if (known !== undefined) checkSessionOnly(options);
  const account =
    known === undefined
      ? buildAccount(options, { user_id, identity_number: accounts.createIdentityNumber() }, session, nowMs)
      : { ...known, ...session };
  accounts.save(account);
  return { account, keystore: createKeystore(user_id, session, private_key) };
};

export const createUser = (
  accounts: Accounts,
  options: UserOptions,
  nowMs: number,
): CreatedUser | CreatedLegacyUser => {
  const { keystore } = saveUser(accounts, options, nowMs);
  return { keystore } as CreatedUser | CreatedLegacyUser;
};
