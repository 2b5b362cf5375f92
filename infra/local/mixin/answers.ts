/**
 * What the server says: refusals, the envelope around them, and the account as its owner sees it.
 * Business errors are answers with HTTP status 202; only an internal error is a 500.
 */
import type { Account } from './accounts.ts';

/** Descriptions are for people; clients must decide by `code` alone. */
const descriptions: Readonly<Record<number, string>> = {
  400: 'The request body can’t be parsed as valid data.',
  401: 'Unauthorized, maybe invalid token.',
  403: 'Forbidden.',
  404: 'The endpoint is not found.',
  429: 'Too Many Requests.',
  500: 'Internal Server Error.',
  10002: 'The request data has invalid field.',
  20118: 'Invalid PIN format.',
  20119: 'PIN incorrect.',
};

/** Ends a request with an error code. `reason` goes to the ledger only: the client learns no more than Mixin tells. */
export class Refusal extends Error {
  readonly code: number;
  readonly extra: Readonly<Record<string, string>> | undefined;

  constructor(code: number, reason: string, extra?: Readonly<Record<string, string>>) {
    super(reason);
    this.name = 'Refusal';
    this.code = code;
    this.extra = extra;
  }
}

/** 10002 names the field, as the error page promises; the exact shape of `extra` is not documented. */
export const invalidField = (field: string, reason: string): Refusal =>
  new Refusal(10002, reason, { field, reason });

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  /** The error code, for the ledger. */
  readonly code?: number;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  body: JSON.stringify(value),
  contentType: 'application/json; charset=utf-8',
});

export const success = (data: unknown): Answer => json(200, { data });

export const failure = (code: number, extra?: Readonly<Record<string, string>>): Answer => {
  const status = code === 500 || code === 7000 || code === 7001 ? 500 : 202;
  const description = descriptions[code] ?? `Error ${code}.`;
  const error = { status, code, description, ...(extra === undefined ? {} : { extra }) };
  return { ...json(status, { error }), code };
};

/** What stands before the API answers in HTML when it fails. */
export const brokenGateway = (status: number): Answer => ({
  status,
  body: `<html><head><title>${status}</title></head><body><h1>${status} Server Error</h1></body></html>\n`,
  contentType: 'text/html',
});

export const nothing: Answer = { status: 200, body: '', contentType: 'application/json; charset=utf-8' };

/** The account as GET /safe/me and the POSTs answer it. */
export const userObject = (account: Account, tellsSpendKey: boolean): Record<string, unknown> => ({
  type: 'user',
  user_id: account.user_id,
  identity_number: account.identity_number,
  phone: '',
  full_name: account.full_name,
  biography: '',
  avatar_url: '',
  relationship: 'ME',
  mute_until: '0001-01-01T00:00:00Z',
  created_at: account.created_at,
  is_verified: false,
  is_scam: false,
  code_id: account.code_id,
  code_url: `https://mixin.one/codes/${account.code_id}`,
  features: [],
  has_safe: account.has_safe,
  session_id: account.session_id,
  device_status: '',
  has_pin: account.six_digit_pin !== '' || account.tip_public_key !== '',
  receive_message_source: 'EVERYBODY',
  accept_conversation_source: 'EVERYBODY',
  accept_search_source: 'EVERYBODY',
  fiat_currency: 'USD',
  transfer_notification_threshold: 0,
  transfer_confirmation_threshold: 0,
  pin_token: Buffer.from(account.pin_token, 'base64url').toString('base64'),
  pin_token_base64: account.pin_token,
  server_public_key: account.server_public_key,
  salt_base64: '',
  tip_key_base64: Buffer.from(account.tip_public_key, 'hex').toString('base64url'),
  tip_counter: account.tip_counter,
  has_emergency_contact: false,
  ...(tellsSpendKey ? { spend_public_key: account.spend_public_key } : {}),
});
