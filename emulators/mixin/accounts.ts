/** Accounts: what the server stores of them and what a test may see. */
import { randomUUID } from 'node:crypto';
import type { Session, SessionKind } from './sessions.ts';
import type { Store } from './store.ts';

/** What is set once and never changed. Apart from the rest, because reads may lag behind these fields. */
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

/** A `person` signed up with a phone; only an `app` may create `network` users. */
export type AccountKind = 'app' | 'network' | 'person';

/** A requested deletion of the account. Signing in aborts it. */
export interface Deactivation {
  /** ISO times. */
  readonly requested_at: string;
  readonly effective_at: string;
  /** Absent while the deletion is pending. */
  readonly aborted_at?: string;
}

export interface Account extends Keys, Session {
  readonly user_id: string;
  readonly kind: AccountKind;
  /** The app that created this network user. */
  readonly created_by?: string;
  readonly identity_number: string;
  readonly full_name: string;
  readonly created_at: string;
  readonly code_id: string;
  /** The app's bill is not paid: it can create no users. */
  readonly unpaid?: boolean;

  /** Empty for apps and network users. */
  phone: string;
  emergency_contact_id?: string;
  deactivation?: Deactivation;

  pin_errors: PinError[];
  /** Milliseconds since 1970; 0 when never locked. */
  pin_locked_until: number;

  /** What reads still show, until `until` (fault lagging_reads). */
  stale?: { readonly until: number; readonly keys: Keys };
}

export const DAY_MS = 86_400_000;
export const PIN_ERRORS_MAX = 5;

type ViewedField =
  | 'user_id'
  | 'kind'
  | 'created_by'
  | 'deactivation'
  | 'session_id'
  | 'has_safe'
  | 'tip_public_key'
  | 'tip_counter'
  | 'spend_public_key';

/** What a test may see of an account; no secret in it. */
export interface AccountView extends Readonly<Pick<Account, ViewedField>> {
  /** Absent for apps and network users. */
  readonly phone?: string;
  readonly session_key: SessionKind;
  readonly session: 'live' | 'revoked';
  readonly has_pin: boolean;
  /** Wrong PINs of the last 24 hours. */
  readonly pin_errors: number;
  /** Milliseconds since 1970; absent when the PIN is not locked. */
  readonly pin_locked_until?: number;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

type Identity = Pick<Account, 'user_id' | 'full_name' | 'kind' | 'created_by' | 'unpaid' | 'identity_number'>;

export const createAccount = (identity: Identity, session: Session, nowMs: number): Account => ({
  ...identity,
  phone: '',
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

/** The account as reads show it: the old keys, as long as the fault lagging_reads lasts. */
export const createReadView = (account: Account, nowMs: number): Account =>
  account.stale !== undefined && nowMs < account.stale.until
    ? { ...account, ...account.stale.keys }
    : account;

export const pickKeys = (account: Account): Keys => ({
  six_digit_pin: account.six_digit_pin,
  tip_public_key: account.tip_public_key,
  tip_counter: account.tip_counter,
  spend_public_key: account.spend_public_key,
  has_safe: account.has_safe,
});

export const findRecentPinErrors = (account: Account, nowMs: number): PinError[] =>
  account.pin_errors.filter((error) => error.at > nowMs - DAY_MS);

const createView = (account: Account, nowMs: number): AccountView => ({
  user_id: account.user_id,
  kind: account.kind,
  ...(account.created_by === undefined ? {} : { created_by: account.created_by }),
  ...(account.phone === '' ? {} : { phone: account.phone }),
  ...(account.deactivation === undefined ? {} : { deactivation: account.deactivation }),
  session_id: account.session_id,
  session_key: account.session_kind,
  session: account.session_live ? 'live' : 'revoked',
  has_pin: account.six_digit_pin !== '' || account.tip_public_key !== '',
  has_safe: account.has_safe,
  tip_public_key: account.tip_public_key,
  spend_public_key: account.spend_public_key,
  tip_counter: account.tip_counter,
  pin_errors: findRecentPinErrors(account, nowMs).length,
  ...(account.pin_locked_until > nowMs ? { pin_locked_until: account.pin_locked_until } : {}),
});

export interface Accounts {
  find(user_id: string): Account | undefined;
  /** Any account but this one. */
  findAnother(user_id: string): Account | undefined;
  save(account: Account): void;
  listViews(nowMs: number): AccountView[];
  /** How many network users this app has. */
  countCreatedBy(user_id: string): number;
  createIdentityNumber(): string;
}

export const openAccounts = ({ database, query }: Store): Accounts => {
  const select = query<Account>('SELECT document FROM accounts WHERE user_id = ?');
  const selectOther = query<Account>(
    'SELECT document FROM accounts WHERE user_id <> ? ORDER BY user_id LIMIT 1',
  );
  const selectAll = query<Account>('SELECT document FROM accounts ORDER BY user_id');
  const upsert = database.prepare('INSERT OR REPLACE INTO accounts (user_id, document) VALUES (?, ?)');
  const count = database.prepare('SELECT COUNT(*) AS accounts FROM accounts');
  const countCreated = database.prepare(
    "SELECT COUNT(*) AS accounts FROM accounts WHERE document ->> 'created_by' = ?",
  );
  return {
    find: select.find,
    findAnother: selectOther.find,
    save: (account) => {
      upsert.run(account.user_id, JSON.stringify(account));
    },
    countCreatedBy: (user_id) => Number(countCreated.get(user_id)?.accounts),
    createIdentityNumber: () => String(7_000_000_001 + Number(count.get()?.accounts)),
    listViews: (nowMs) => selectAll.list().map((account) => createView(account, nowMs)),
  };
};
