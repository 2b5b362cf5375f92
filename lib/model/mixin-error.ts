/** A call to Mixin that failed. The table of codes and sentences is in lib/mixin/errors.ts. */
import type { Problem } from './problem.ts';

/**
 * What may follow an error. `again`: nothing happened, try later. `never`: Mixin refused and will refuse again
 * until an operator acts. `unsure`: the call may have taken effect, and only a GET can tell.
 */
export type Verdict = 'again' | 'never' | 'unsure';

/** Our codes for what Mixin refuses, and for calls without an answer. Stable: a bot's reason has one as its code. */
export const mixinErrorCodes = [
  'bad_keystore',
  'invalid_request',
  'session_refused',
  'clock_skew',
  'forbidden',
  'not_found',
  'wrong_address',
  'rate_limited',
  'server_error',
  'internal_error',
  'invalid_field',
  'sms_not_delivered',
  'captcha_wrong',
  'captcha_required',
  'client_too_old',
  'wallet_not_ready',
  'not_in_safe',
  'phone_invalid',
  'no_identity_numbers',
  'invitation_invalid',
  'sms_code_wrong',
  'sms_code_expired',
  'legacy_pin',
  'pin_refused',
  'authorization_expired',
  'phone_taken',
  'too_many_apps',
  'sms_too_often',
  'too_late',
  'no_connection',
  'no_answer',
  'broken_answer',
  'unknown_error',
] as const;
export type MixinErrorCode = (typeof mixinErrorCodes)[number];

/** Whose captcha Mixin wants solved. */
export type CaptchaKind = 'recaptcha' | 'hcaptcha' | 'geetest';

/** Numbers, ids and names only: these get into rows and logs. */
export interface MixinErrorFacts {
  /** Mixin's own number. */
  readonly mixin_code?: number | undefined;
  /** HTTP status. */
  readonly status?: number | undefined;
  /** The X-Request-Id we sent. */
  readonly request_id?: string | undefined;
  /** The field that `invalid_field` is about, where Mixin names it. */
  readonly field?: string | undefined;
  /** Which captcha `captcha_required` and `captcha_wrong` are about. */
  readonly captcha?: CaptchaKind | undefined;
  /** Mixin's time less the time of our signature: positive where our clock is behind, or the call was late. */
  readonly skew_seconds?: number | undefined;
  /** Code or name of the error behind it (`ECONNRESET`, `TimeoutError`), never the error itself. */
  readonly cause?: string | undefined;
}

/** `message` is our own sentence: it never quotes a request or an answer. */
export class MixinError extends Error implements Problem {
  override readonly name = 'MixinError';
  readonly code: string;
  readonly fix: string;
  readonly verdict: Verdict;
  readonly mixin_code?: number;
  readonly status?: number;
  readonly request_id?: string;
  readonly field?: string;
  readonly captcha?: CaptchaKind;
  readonly skew_seconds?: number;

  constructor(
    { code, message, fix, verdict }: Problem & { readonly verdict: Verdict },
    { cause, ...facts }: MixinErrorFacts = {},
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.fix = fix;
    this.verdict = verdict;
    for (const [name, value] of Object.entries(facts))
      if (value !== undefined) Object.assign(this, { [name]: value });
  }
}
