/**
 * The same controls as MixinStandIn has, over HTTP, for programs in any language:
 *
 * - `POST /_stand-in/users`    body NewUser, or a list of them → CreatedUser, or a list
 * - `POST /_stand-in/phones`   body NewPhone, or a list of them → PhonePreparation, or a list
 * - `GET  /_stand-in/verifications` → VerificationView[], the codes that were sent
 * - `GET  /_stand-in/accounts` → AccountView[]
 * - `GET  /_stand-in/ledger`   → LedgerEntry[]; `?after=<id>`: only later ones; `?bound=true`: only those that set a key
 * - `GET  /_stand-in/faults`   → Fault[]
 * - `PUT  /_stand-in/faults`   body Fault[] replaces them all and starts their counts anew
 *
 * Not signed: the server listens on 127.0.0.1 only. Errors are HTTP 400 or 404 with the usual `error` object.
 */
import type { Accounts } from './accounts.ts';
import type { Answer } from './answers.ts';
import type { Call } from './call.ts';
import type { Fault, Faults } from './faults.ts';
import type { Ledger } from './ledger.ts';
import { createUser, type NewLegacyUser, type NewUser } from './new-user.ts';
import { type NewPhone, type Phones, preparePhone } from './phones.ts';

export const ADMIN_PREFIX = '/_stand-in/';

export interface AdminContext {
  readonly accounts: Accounts;
  readonly phones: Phones;
  readonly ledger: Ledger;
  readonly faults: Faults;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  body: JSON.stringify(value),
  contentType: 'application/json; charset=utf-8',
});

const createError = (status: number, description: string): Answer =>
  json(status, { error: { status, code: status, description } });

const readLedger = (ledger: Ledger, query: URLSearchParams) => {
  const after = Number(query.get('after') ?? 0);
  if (!Number.isInteger(after)) throw new TypeError('after is not a whole number');
  return query.get('bound') === 'true'
    ? ledger.bound().filter(({ id }) => id > after)
    : ledger.entries(after);
};

const requireList = <T>(value: unknown): readonly T[] => {
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
  if (!isList) throw new TypeError('the body is not a list of objects');
  return value as T[];
};

/** Takes one item or a list, and answers in the same form. */
const mapOneOrMany = <T>(body: unknown, create: (item: T) => unknown): unknown => {
  const results = requireList<T>(Array.isArray(body) ? body : [body]).map(create);
  return Array.isArray(body) ? results : results[0];
};

/** Runs within one transaction: a list of users is created as a whole or not at all. */
export const handleAdminCall = (call: Call, administered: AdminContext, nowMs: number): Answer => {
  const { accounts, phones, ledger, faults } = administered;
  const body = (): unknown => JSON.parse(call.body.toString() || '{}');
  switch (`${call.method} ${call.path.slice(ADMIN_PREFIX.length)}`) {
    case 'POST users':
      return json(
        200,
        mapOneOrMany<NewUser | NewLegacyUser>(body(), (user) => createUser(accounts, user, nowMs)),
      );
    case 'POST phones':
      return json(
        200,
        mapOneOrMany<NewPhone>(body(), (phone) => preparePhone(accounts, phones, phone, nowMs)),
      );
    case 'GET verifications':
      return json(200, phones.listViews());
    case 'GET accounts':
      return json(200, accounts.listViews(nowMs));
    case 'GET ledger':
      return json(200, readLedger(ledger, call.query));
    case 'GET faults':
      return json(200, faults.list());
    case 'PUT faults':
      faults.set(requireList<Fault>(body()));
      return json(200, faults.list());
    default:
      return createError(404, 'expected users, phones, verifications, accounts, ledger or faults');
  }
};

export const createAdminError = (error: unknown): Answer =>
  createError(400, error instanceof Error ? error.message : 'the request cannot be read');
