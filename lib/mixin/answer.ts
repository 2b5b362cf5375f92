/**
 * The only reader of Mixin's envelope, `{"data": …}` or `{"error": {"status", "code", "description", "extra"}}`.
 * Business errors have HTTP status 202, so the presence of `error` decides and not the status; server errors may
 * be HTML of a web layer. https://developers.mixin.one/docs/api/error-codes (read 2026-11-21).
 */

import type { CaptchaKind, MixinError } from '../model/mixin-error.ts';
import {
  createMixinError,
  findCode,
  type Method,
  type MixinErrorCode,
  type MixinErrorDetails,
} from './errors.ts';

/** An HTTP answer that was read to its end. */
export interface HttpAnswer {
  readonly method: Method;
  /** The call carried no token: 401 then cannot be about a session, and 404 is about a verification. */
  readonly open?: boolean | undefined;
  readonly httpStatus: number;
  readonly headers: { get(name: string): string | null };
  readonly bodyText: string;
  readonly sentRequestId: string;
  /** When the request was signed, and when its answer was here; milliseconds since 1970, our clock. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

export interface MixinAnswer {
  /** Never undefined or null; its shape is for the caller to check. */
  readonly data: unknown;
  /** The X-Request-Id we sent. */
  readonly request_id: string;
  /** Milliseconds since 1970; absent when Mixin did not send it. */
  readonly server_time_ms?: number;
}

/** Mixin itself allows five minutes; the apps sign again after one. */
const MAX_SKEW_MS = 60_000;
/** X-Server-Time is in nanoseconds; numbers of other units fall outside the years 2001 to 2128. */
const PLAUSIBLE_NS = { from: 10n ** 18n, to: 5n * 10n ** 18n };

const readServerTimeMs = (headers: HttpAnswer['headers']): number | undefined => {
  const text = headers.get('x-server-time') ?? '';
  if (!/^\d{19}$/.test(text)) return undefined;
  const ns = BigInt(text);
  return ns >= PLAUSIBLE_NS.from && ns < PLAUSIBLE_NS.to ? Number(ns / 1_000_000n) : undefined;
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parseEnvelope = (bodyText: string): Readonly<Record<string, unknown>> => {
  try {
    const parsed: unknown = JSON.parse(bodyText);
    return isRecord(parsed) ? parsed : {};
  } catch {
    return {};
  }
};

const createFailure = (
  answer: HttpAnswer,
  code: MixinErrorCode,
  details: MixinErrorDetails = {},
): MixinError =>
  createMixinError(code, {
    method: answer.method,
    status: answer.httpStatus,
    request_id: answer.sentRequestId,
    ...details,
  });

/** The schema of `extra` is undocumented: only a short plain name is used, and nothing that looks like a key. */
const readField = (extra: unknown): string | undefined => {
  const field = isRecord(extra) ? extra.field : undefined;
  if (typeof field !== 'string' || !/^[a-z0-9_.]{1,64}$/.test(field)) return undefined;
  return /[0-9a-f]{32}/.test(field) ? undefined : field;
};

/**
 * The description names hCaptcha or GeeTest, and otherwise it is reCAPTCHA (ErrorHandler.kt of the Android app).
 * Nothing else of it is taken.
 */
const readCaptchaKind = (description: unknown): CaptchaKind => {
  const text = typeof description === 'string' ? description : '';
  if (/hcaptcha/i.test(text)) return 'hcaptcha';
  return /geetest/i.test(text) ? 'geetest' : 'recaptcha';
};

/** Seconds between our signature and Mixin's time, where that is too long for a signature to be good. */
const computeSkewSeconds = (answer: HttpAnswer): number | undefined => {
  const skewMs = (readServerTimeMs(answer.headers) ?? answer.receivedAtMs) - answer.sentAtMs;
  return Math.abs(skewMs) > MAX_SKEW_MS ? Math.round(skewMs / 1000) : undefined;
};

const createRefusal = (answer: HttpAnswer, error: unknown): MixinError => {
  if (!isRecord(error)) return createUnreadable(answer);
  const mixin_code = error.code;
  if (typeof mixin_code !== 'number' || !Number.isSafeInteger(mixin_code)) return createUnreadable(answer);
  const code = findCode(mixin_code);
  switch (code) {
    case 'session_refused': {
      if (answer.open) return createFailure(answer, 'forbidden', { mixin_code });
      const skew_seconds = computeSkewSeconds(answer);
      const late = skew_seconds !== undefined;
      return createFailure(answer, late ? 'clock_skew' : code, { mixin_code, skew_seconds });
    }
    case 'not_found':
      if (answer.open) return createFailure(answer, code, { mixin_code });
      // No signed call names an object: the address is wrong. Who does not know it did nothing, as after a GET.
      return createFailure(answer, 'wrong_address', { mixin_code, method: 'GET' });
    case 'invalid_field':
      return createFailure(answer, code, { mixin_code, field: readField(error.extra) });
    case 'captcha_required':
    case 'captcha_wrong':
      return createFailure(answer, code, { mixin_code, captcha: readCaptchaKind(error.description) });
    case 'unknown_error':
      return createFailure(answer, answer.httpStatus >= 500 ? 'server_error' : code, { mixin_code });
    default:
      return createFailure(answer, code, { mixin_code });
  }
};

/** Mixin answers with HTTP 20x or 5xx, and JSON: a page or another 4xx comes from another server. */
const isOfAnotherServer = ({ httpStatus, bodyText }: HttpAnswer): boolean =>
  httpStatus >= 400 || /^\s*</.test(bodyText);

/** For an answer without data and without a readable error: only its status says what happened. */
const createUnreadable = (answer: HttpAnswer): MixinError => {
  if (answer.httpStatus >= 500) return createFailure(answer, 'server_error');
  if (answer.httpStatus === 429) return createFailure(answer, 'rate_limited');
  return createFailure(answer, isOfAnotherServer(answer) ? 'wrong_address' : 'broken_answer');
};

const isBelievable = ({ headers, httpStatus, sentRequestId }: HttpAnswer): boolean => {
  const echoed = headers.get('x-request-id');
  const ours = !echoed || echoed.toLowerCase() === sentRequestId.toLowerCase();
  return ours && httpStatus >= 200 && !(httpStatus >= 300 && httpStatus < 400);
};

/**
 * Reads an answer: its data, or throws MixinError. An answer that echoes another X-Request-Id, or redirects,
 * is `broken_answer` whatever it says; of data and error in one answer the error counts; 401 is `clock_skew`
 * when Mixin's time is more than 60 s off our signature, and `forbidden` where nothing was signed; 5xx without a
 * known code is `server_error`; a page, another 4xx, and 404 to a signed call are `wrong_address`; anything else that
 * is not 2xx with data is `broken_answer`. No text of the answer gets into the error.
 */
export const readAnswer = (answer: HttpAnswer): MixinAnswer => {
  if (!isBelievable(answer)) throw createFailure(answer, 'broken_answer');
  const { data, error } = parseEnvelope(answer.bodyText);
  if (error !== undefined && error !== null) throw createRefusal(answer, error);
  if (answer.httpStatus >= 300 || data === undefined || data === null) throw createUnreadable(answer);
  const server_time_ms = readServerTimeMs(answer.headers);
  return { data, request_id: answer.sentRequestId, ...(server_time_ms !== undefined && { server_time_ms }) };
};
