/**
 * The server's answers: refusals, the envelope around them, and the account as its owner sees it.
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
  10003: 'The SMS could not be delivered.',
  10004: 'reCAPTCHA is invalid.',
  10005: 'reCAPTCHA is required.',
  10006: 'Please update the app to continue.',
  20110: 'Invalid phone number.',
  20113: 'Invalid phone verification code.',
  20114: 'Expired phone verification code.',
  20118: 'Invalid PIN format.',
  20119: 'PIN incorrect.',
  20123: 'The number of apps is used up, or a bill is not paid.',
  20129: 'A verification code was requested a moment ago.',
};

/** What the client sees beside the code. */
export interface RefusalDetails {
  readonly extra?: Readonly<Record<string, string>>;
  readonly description?: string;
}

/** Ends a request with an error code. `reason` goes to the ledger only: the client sees no more than Mixin shows. */
export class Refusal extends Error {
  readonly code: number;
  readonly details: RefusalDetails;

  constructor(code: number, reason: string, details: RefusalDetails = {}) {
    super(reason);
    this.name = 'Refusal';
    this.code = code;
    this.details = details;
  }
}

/** 10002 names the field, as the error page promises; the exact shape of `extra` is not documented. */
export const invalidField = (field: string, reason: string): Refusal =>
  new Refusal(10002, reason, { extra: { field, reason } });

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  /** Where a redirect leads. */
  readonly location?: string;
  /** The error code, for the ledger. */
  readonly code?: number;
}

export const createAnswer = (
  status: number,
  body: string,
  contentType = 'application/json; charset=utf-8',
): Answer => ({ status, body, contentType });

export const createJsonAnswer = (status: number, value: unknown): Answer =>
  createAnswer(status, JSON.stringify(value));

export const createFailure = (code: number, details: RefusalDetails = {}): Answer => {
  const status = code === 500 || code === 7000 || code === 7001 ? 500 : 202;
  const error = { status, code, description: descriptions[code] ?? `Error ${code}.`, ...details };
  return { ...createJsonAnswer(status, { error }), code };
};

/** The account as GET /safe/me and the POSTs answer it. */
export const createUserObject = (account: Account, showsSpendKey: boolean): Record<string, unknown> => ({
  type: 'user',
  user_id: account.user_id,
  identity_number: account.identity_number,
  phone: account.phone,
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
  has_emergency_contact: account.emergency_contact_id !== undefined,
  ...(showsSpendKey ? { spend_public_key: account.spend_public_key } : {}),
});

/**
 * The account as POST /verifications/:id answers it, in today's form of that page. Without `server_public_key`:
 * it was seen at network users only, and a client must manage with `pin_token`.
 */
export const createSignedInUserObject = (
  account: Account,
  showsSpendKey: boolean,
): Record<string, unknown> => {
  const { server_public_key: _, ...user } = createUserObject(account, showsSpendKey);
  return { ...user, invitation_code: '' };
};
