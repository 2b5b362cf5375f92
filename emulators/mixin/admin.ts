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
import { type Answer, createJsonAnswer } from './answers.ts';
import type { Call } from './call.ts';
import type { Fault, Faults } from './faults.ts';
import type { Ledger } from './ledger.ts';
import { createUser, type UserOptions } from './new-user.ts';
import { type NewPhone, type Phones, preparePhone } from './phones.ts';
import type { Store } from './store.ts';

export const ADMIN_PREFIX = '/_stand-in/';

export interface AdminContext {
  readonly store: Store;
  readonly accounts: Accounts;
  readonly phones: Phones;
  readonly ledger: Ledger;
  readonly faults: Faults;
  readonly nowMs: number;
}

const createError = (status: number, description: string): Answer =>
  createJsonAnswer(status, { error: { status, code: status, description } });

const readLedger = (ledger: Ledger, query: URLSearchParams) => {
  const after = Number(query.get('after') ?? 0);
  if (!Number.isInteger(after)) throw new TypeError('after is not a whole number');
  return query.get('bound') === 'true'
    ? ledger.listBound().filter(({ id }) => id > after)
    : ledger.list(after);
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

const answerAdminCall = (call: Call, context: AdminContext): Answer => {
  const { accounts, phones, ledger, faults, nowMs } = context;
  const readBody = (): unknown => JSON.parse(call.body.toString() || '{}');
  switch (`${call.method} ${call.path.slice(ADMIN_PREFIX.length)}`) {
    case 'POST users':
      return createJsonAnswer(
        200,
        mapOneOrMany<UserOptions>(readBody(), (user) => createUser(accounts, user, nowMs)),
      );
    case 'POST phones':
      return createJsonAnswer(
        200,
        mapOneOrMany<NewPhone>(readBody(), (phone) => preparePhone(accounts, phones, phone, nowMs)),
      );
    case 'GET verifications':
      return createJsonAnswer(200, phones.listViews());
    case 'GET accounts':
      return createJsonAnswer(200, accounts.listViews(nowMs));
    case 'GET ledger':
      return createJsonAnswer(200, readLedger(ledger, call.query));
    case 'GET faults':
      return createJsonAnswer(200, faults.list());
    case 'PUT faults':
      faults.set(requireList<Fault>(readBody()));
      return createJsonAnswer(200, faults.list());
    default:
      return createError(404, 'expected users, phones, verifications, accounts, ledger or faults');
  }
};

/** One transaction: a list of users is created as a whole or not at all. */
export const handleAdminCall = (call: Call, context: AdminContext): Answer => {
  try {
    return context.store.transaction(() => answerAdminCall(call, context));
  } catch (error) {
    return createError(400, error instanceof Error ? error.message : 'the request cannot be read');
  }
};
