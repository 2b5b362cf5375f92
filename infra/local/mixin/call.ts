/** A request as it came in, read once: exact bytes for the signature, fields for the endpoints. */
import type { Account, Accounts } from './accounts.ts';
import { Refusal } from './answers.ts';
import type { BoundKey } from './ledger.ts';

export interface Call {
  readonly method: string;
  /** Path with query, exactly as sent: the token's `sig` covers it. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly authorization: string;
  readonly request_id: string | undefined;
}

/** A JSON number by its digits: a PIN timestamp is greater than 2^53 and is signed digit by digit. */
export interface Digits {
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
export const textField = (fields: Fields, ...names: readonly string[]): string => {
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
};

/** What an endpoint works with. It changes `account` and the server saves it. */
export interface Visit {
  readonly call: Call;
  readonly account: Account;
  readonly accounts: Accounts;
  readonly settings: Settings;
  /** The server's clock. */
  readonly nowMs: number;
  /** The clock tokens and PINs are measured by; differs from `nowMs` under the fault clock_skew. */
  readonly clockMs: number;
}

export interface Settings {
  /** Whose reading of `signature` in POST /safe/users is demanded: the shipped SDKs' or the page's. */
  readonly signature: 'shipped' | 'documented';
  /** Whether the account object has `spend_public_key`. */
  readonly tells_spend_key: boolean;
  /** Whether six-digit PINs can no longer become TIP PINs (20118). */
  readonly suspend_upgrade: boolean;
}

export interface Outcome {
  readonly data: unknown;
  readonly bound?: BoundKey;
}
