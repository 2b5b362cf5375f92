/** A request as it arrived, read once: exact bytes for the signature, fields for the endpoints. */
import type { IncomingMessage } from 'node:http';
import { readBody } from '../loopback.ts';
import type { Account, Accounts } from './accounts.ts';
import { invalidField, Refusal } from './answers.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Phones } from './phones.ts';

export interface Call {
  readonly method: string;
  /** Path with query, exactly as sent: the token's `sig` covers it. */
  readonly target: string;
  readonly path: string;
  /** The path with `:id` in place of an id, as the routes have it. */
  readonly route: string;
  /** What stands in place of `:id`; '' where there is none. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly authorization: string;
  readonly request_id: string | undefined;
  /** The header Mixin-Device-Id, which the apps send. */
  readonly device_id: string | undefined;
}

const MAX_BODY_BYTES = 1_048_576;

const idPaths = [/^(\/verifications\/)([^/]+)()$/, /^(\/safe\/apps\/)([^/]+)(\/billing)$/];

const parseRoute = (path: string): Pick<Call, 'route' | 'id'> => {
  for (const pattern of idPaths) {
    const [, before, id, after] = pattern.exec(path) ?? [];
    if (id !== undefined) return { route: `${before}:id${after}`, id };
  }
  return { route: path, id: '' };
};

const readHeader = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** Throws when the body is longer than MAX_BODY_BYTES. */
export const readCall = async (request: IncomingMessage): Promise<Call> => {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (body === undefined) throw new RangeError('the body is too large');
  const target = request.url ?? '/';
  const [path = '/', query = ''] = target.split(/\?(.*)/s);
  return {
    method: request.method ?? 'GET',
    target,
    path,
    ...parseRoute(path),
    query: new URLSearchParams(query),
    body,
    authorization: request.headers.authorization ?? '',
    request_id: readHeader(request, 'x-request-id'),
    device_id: readHeader(request, 'mixin-device-id'),
  };
};

/** A JSON number by its digits: a PIN timestamp is greater than 2^53 and is signed digit by digit. */
interface Digits {
  readonly digits: string;
}

export type Fields = Readonly<Record<string, unknown>>;

/** The reviver's third argument (TC39 JSON.parse source text access) is missing in TypeScript's library. */
const parseKeepingDigits = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

export const readFields = (body: Buffer): Fields => {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    value = parseKeepingDigits(text, (_key, inner, { source }) =>
      typeof inner === 'number' ? { digits: source ?? String(inner) } : inner,
    );
  } catch {
    throw new Refusal(400, 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(400, 'the body is not a JSON object');
  return value as Fields;
};

/** The first of these fields that holds a text, or ''. */
export const readText = (fields: Fields, ...names: readonly string[]): string => {
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
};

/** A text that must be there: 10002 with its name otherwise. */
export const requireText = (fields: Fields, name: string): string => {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw invalidField(name, 'missing, or not a text');
  return value;
};

/** The digits of a number that must be there, not negative and whole: 10002 with its name otherwise. */
export const requireDigits = (fields: Fields, name: string, maxLength: number): string => {
  const digits = (fields[name] as Digits | null | undefined)?.digits;
  if (typeof digits !== 'string' || !/^\d+$/.test(digits) || digits.length > maxLength)
    throw invalidField(name, 'not an integer');
  return digits;
};

/** Fields that may be absent, but must be texts where they are given. */
export const checkTexts = (fields: Fields, ...names: readonly string[]): void => {
  const other = names.find((name) => fields[name] !== undefined && typeof fields[name] !== 'string');
  if (other !== undefined) throw invalidField(other, 'not a text');
};

/** Both alphabets, padded or not, as shipped SDKs send both; undefined when it is neither. */
export const decodeBase64 = (text: string): Buffer | undefined => {
  const bare = text.replace(/={1,2}$/, '');
  if (bare === '' || bare.length % 4 === 1) return undefined;
  if (text !== bare && text.length % 4 !== 0) return undefined;
  if (!/^[A-Za-z0-9+/]+$/.test(bare) && !/^[A-Za-z0-9_-]+$/.test(bare)) return undefined;
  return Buffer.from(bare, 'base64url');
};

/** What every endpoint works with. */
export interface CallContext {
  readonly call: Call;
  readonly accounts: Accounts;
  readonly phones: Phones;
  readonly settings: Settings;
  /** The server's clock. */
  readonly nowMs: number;
  /** The clock tokens and PINs are measured by; differs from `nowMs` under the fault clock_skew. */
  readonly clockMs: number;
}

/** For endpoints that need a session. They change `account`, and the server saves it. */
export interface SignedContext extends CallContext {
  readonly account: Account;
}

export interface Settings {
  /** Which `signature` POST /safe/users expects: that of the shipped SDKs, or that of the page. @default 'shipped' */
  readonly signature: 'shipped' | 'documented';
  /** Whether the account object has `spend_public_key`. @default true */
  readonly shows_spend_key: boolean;
  /** Whether six-digit PINs can no longer become TIP PINs (20118). @default false */
  readonly suspend_upgrade: boolean;
  /** Whether `jti` must equal X-Request-Id where that is sent; Mixin demands it of OAuth tokens only. @default false */
  readonly strict_request_id: boolean;
}

export interface EndpointResult extends Pick<LedgerEntry, 'bound' | 'created' | 'signed_in'> {
  readonly data: unknown;
}
