/** Accounts: how they begin (createUser), what is kept of them and what a test may see. */
import { randomUUID } from 'node:crypto';
import { isPublicKey, montgomeryPublicKey, newSeed, publicKeyOf } from './curve.ts';
import type { Store } from './store.ts';

/** What can be set once and never changed; apart from the rest because reads may lag behind it. */
export interface Keys {
  /** Empty when there is none. */
  six_digit_pin: string;
  /** Hex, empty when there is none; so are the other keys. */
  tip_public_key: string;
  tip_counter: number;
  spend_public_key: string;
  has_safe: boolean;
}

export interface PinError {
  readonly log_id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface Account extends Keys {
  readonly user_id: string;
  readonly kind: 'app' | 'network';
  /** The app that created this network user. */
  readonly created_by?: string;
  readonly identity_number: string;
  readonly full_name: string;
  readonly created_at: string;
  readonly code_id: string;

  session_id: string;
  session_public_key: string;
  session_live: boolean;
  server_seed: string;
  server_public_key: string;
  /** The server's key in X25519 form, base64url. */
  pin_token: string;
  /** The greatest PIN iterator of this session, as decimal digits: it does not fit a number. */
  last_iterator: string;

  pin_errors: PinError[];
  /** Milliseconds since 1970; 0 when never locked. */
  pin_locked_until: number;

  /** What reads still show, until `until` (fault lagging_reads). */
  stale?: { readonly until: number; readonly keys: Keys };
}

export const DAY_MS = 86_400_000;
export const PIN_ERRORS_MAX = 5;

export interface NewUser {
  /**
   * A random one when absent. The id of an account that exists gives it a new session and revokes the old one,
   * as the dashboard does; only the session's fields may then stand beside it.
   */
  readonly user_id?: string;
  readonly full_name?: string;
  /** Only an app may create network users. Default 'app', or 'network' when `created_by` is given. */
  readonly kind?: 'app' | 'network';
  readonly created_by?: string;
  /** A TIP PIN from the start, with this hex seed; 'foreign': with a key nobody holds. */
  readonly tip?: { readonly private_key: string } | 'foreign';
  readonly six_digit_pin?: string;
  /** In Safe from the start, with this hex seed; 'foreign': with a key nobody holds. */
  readonly safe?: { readonly private_key: string } | 'foreign';
  readonly session?: 'live' | 'revoked';
  readonly pin_locked?: boolean;
  /** Fixed keys and ids for test vectors; random when absent. Private keys are hex seeds. */
  readonly session_id?: string;
  readonly session_private_key?: string;
  readonly server_private_key?: string;
}

export interface CreatedUser {
  /** As the dashboard exports it: everything in lower-case hex, private keys as 32-byte seeds. */
  readonly keystore: {
    readonly app_id: string;
    readonly session_id: string;
    readonly server_public_key: string;
    readonly session_private_key: string;
  };
}

/** What a test may see of an account; no secret in it. */
export interface AccountView {
  readonly user_id: string;
  readonly kind: 'app' | 'network';
  readonly created_by?: string;
  readonly session_id: string;
  readonly session: 'live' | 'revoked';
  readonly has_pin: boolean;
  readonly has_safe: boolean;
  /** Hex, empty when there is none. */
  readonly tip_public_key: string;
  /** Hex, empty when there is none. */
  readonly spend_public_key: string;
  readonly tip_counter: number;
  /** Wrong PINs of the last 24 hours. */
  readonly pin_errors: number;
  /** Milliseconds since 1970; absent when the PIN is not locked. */
  readonly pin_locked_until?: number;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

const seedFrom = (hex: string): Buffer => {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new TypeError('a private key is 64 lower-case hex characters');
  return Buffer.from(hex, 'hex');
};

const presetKey = (preset: NewUser['tip']): string => {
  if (preset === undefined) return '';
  return publicKeyOf(preset === 'foreign' ? newSeed() : seedFrom(preset.private_key));
};

type Session = Pick<
  Account,
  | 'session_id'
  | 'session_public_key'
  | 'session_live'
  | 'server_seed'
  | 'server_public_key'
  | 'pin_token'
  | 'last_iterator'
>;

export const newSession = (sessionPublicKey: string, serverSeed: Buffer = newSeed()): Session => {
  const server_public_key = publicKeyOf(serverSeed);
  return {
    session_id: randomUUID(),
    session_public_key: sessionPublicKey,
    session_live: true,
    server_seed: serverSeed.toString('hex'),
    server_public_key,
    pin_token: montgomeryPublicKey(server_public_key).toString('base64url'),
    last_iterator: '0',
  };
};

interface Person {
  readonly user_id: string;
  readonly full_name: string;
  readonly kind: Account['kind'];
  readonly created_by?: string;
  readonly identity_number: string;
}

export const newAccount = (person: Person, session: Session, nowMs: number): Account => ({
  ...person,
  ...session,
  created_at: new Date(nowMs).toISOString(),
  code_id: randomUUID(),
  six_digit_pin: '',
  tip_public_key: '',
  tip_counter: 0,
  spend_public_key: '',
  has_safe: false,
  pin_errors: [],
  pin_locked_until: 0,
});

/** Where the old and the new state differ while a write spreads, reads show the old one. */
export const asReadersSee = (account: Account, nowMs: number): Account =>
  account.stale !== undefined && nowMs < account.stale.until
    ? { ...account, ...account.stale.keys }
    : account;

export const keysOf = (account: Account): Keys => ({
  six_digit_pin: account.six_digit_pin,
  tip_public_key: account.tip_public_key,
  tip_counter: account.tip_counter,
  spend_public_key: account.spend_public_key,
  has_safe: account.has_safe,
});

export const recentPinErrors = (account: Account, nowMs: number): PinError[] =>
  account.pin_errors.filter((error) => error.at > nowMs - DAY_MS);

const viewOf = (account: Account, nowMs: number): AccountView => ({
  user_id: account.user_id,
  kind: account.kind,
  ...(account.created_by === undefined ? {} : { created_by: account.created_by }),
  session_id: account.session_id,
  session: account.session_live ? 'live' : 'revoked',
  has_pin: account.six_digit_pin !== '' || account.tip_public_key !== '',
  has_safe: account.has_safe,
  tip_public_key: account.tip_public_key,
  spend_public_key: account.spend_public_key,
  tip_counter: account.tip_counter,
  pin_errors: recentPinErrors(account, nowMs).length,
  ...(account.pin_locked_until > nowMs ? { pin_locked_until: account.pin_locked_until } : {}),
});

export interface Accounts {
  find(user_id: string): Account | undefined;
  save(account: Account): void;
  views(nowMs: number): AccountView[];
  nextIdentityNumber(): string;
  create(options: NewUser, nowMs: number): CreatedUser;
}

export const openAccounts = ({ database }: Store): Accounts => {
  const select = database.prepare('SELECT document FROM accounts WHERE user_id = ?');
  const selectAll = database.prepare('SELECT document FROM accounts ORDER BY user_id');
  const upsert = database.prepare('INSERT OR REPLACE INTO accounts (user_id, document) VALUES (?, ?)');
  const count = database.prepare('SELECT COUNT(*) AS accounts FROM accounts');
  const parse = (row: unknown): Account => JSON.parse((row as { document: string }).document) as Account;

  const find: Accounts['find'] = (user_id) => {
    const row = select.get(user_id);
    return row === undefined ? undefined : parse(row);
  };
  const save: Accounts['save'] = (account) => {
    upsert.run(account.user_id, JSON.stringify(account));
  };
  const nextIdentityNumber = (): string =>
    String(7_000_000_001 + Number((count.get() as { accounts: number }).accounts));

  const rotate = (account: Account, options: NewUser, session: Session): void => {
    const sessionFields = ['user_id', 'session', 'session_id', 'session_private_key', 'server_private_key'];
    const other = Object.keys(options).find((name) => !sessionFields.includes(name));
    if (other !== undefined) throw new TypeError(`the account exists already: ${other} cannot be set again`);
    save({ ...account, ...session });
  };

  const create: Accounts['create'] = (options, nowMs) => {
    const user_id = options.user_id ?? randomUUID();
    if (!isUuid(user_id)) throw new TypeError('user_id is not a lower-case UUID');
    if (options.session_id !== undefined && !isUuid(options.session_id))
      throw new TypeError('session_id is not a lower-case UUID');
    if (options.six_digit_pin !== undefined && !/^\d{6}$/.test(options.six_digit_pin))
      throw new TypeError('six_digit_pin is not six digits');
    if (options.six_digit_pin !== undefined && options.tip !== undefined)
      throw new TypeError('an account has a six-digit PIN or a TIP PIN, not both');

    const seed =
      options.session_private_key === undefined ? newSeed() : seedFrom(options.session_private_key);
    const serverSeed =
      options.server_private_key === undefined ? newSeed() : seedFrom(options.server_private_key);
    const session: Session = {
      ...newSession(publicKeyOf(seed), serverSeed),
      ...(options.session_id === undefined ? {} : { session_id: options.session_id }),
      session_live: options.session !== 'revoked',
    };

    const known = find(user_id);
    if (known === undefined) {
      const account = newAccount(
        {
          user_id,
          full_name: options.full_name ?? 'Bot',
          kind: options.kind ?? (options.created_by === undefined ? 'app' : 'network'),
          ...(options.created_by === undefined ? {} : { created_by: options.created_by }),
          identity_number: nextIdentityNumber(),
        },
        session,
        nowMs,
      );
      account.six_digit_pin = options.six_digit_pin ?? '';
      account.tip_public_key = presetKey(options.tip);
      account.tip_counter = options.tip === undefined ? 0 : 1;
      account.spend_public_key = presetKey(options.safe);
      account.has_safe = options.safe !== undefined;
      if (options.pin_locked === true) {
        account.pin_errors = Array.from({ length: PIN_ERRORS_MAX }, () => ({
          log_id: randomUUID(),
          at: nowMs,
        }));
        account.pin_locked_until = nowMs + DAY_MS;
      }
      save(account);
    } else rotate(known, options, session);

    return {
      keystore: {
        app_id: user_id,
        session_id: session.session_id,
        server_public_key: session.server_public_key,
        session_private_key: seed.toString('hex'),
      },
    };
  };

  return {
    find,
    save,
    nextIdentityNumber,
    create,
    views: (nowMs) => selectAll.all().map((row) => viewOf(parse(row), nowMs)),
  };
};

/** A session key as clients send it: 32 bytes in either base64; undefined when it is no Ed25519 point. */
export const sessionKeyFrom = (raw: Buffer | undefined): string | undefined => {
  const key = raw?.length === 32 ? raw.toString('hex') : '';
  return isPublicKey(key) ? key : undefined;
};
