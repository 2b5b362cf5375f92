/** What follows for a bot when a call to Mixin failed. Pure. */
import { mixin } from '../model/mixin.ts';
import type { MixinError } from '../model/mixin-error.ts';
import type { Problem } from '../model/problem.ts';
import { isoTimeAfter, timing } from '../model/timing.ts';

export interface FailureOutcome {
  readonly move: 'postpone' | 'mark_unsure' | 'block' | 'fail';
  readonly reason: Problem;
  /** Of `postpone` and `mark_unsure` only. */
  readonly delaySeconds?: number;
}

/** Refusals that no operator can fix: the request itself was wrong. */
const final: ReadonlySet<string> = new Set(['invalid_request', 'invalid_field', 'not_found']);

const describeDetail = ({ field, skew_seconds }: MixinError): string => {
  if (field !== undefined) return ` (field ${field})`;
  return skew_seconds === undefined ? '' : ` (${skew_seconds} s)`;
};

/** The reason for the bot's row: the same words for every bot. The request id of the call is in the history. */
export const describeMixinError = (error: MixinError): Problem => ({
  code: error.code,
  message: `${error.message}${describeDetail(error)}`,
  fix: error.fix,
});

/**
 * 429 to a PIN call is a PIN lock or a rate limit, and only the log of wrong PINs shows which. Returns the end of the
 * lock; undefined where none is proven.
 * @param errors times of wrong PINs, newest first, as GET /logs answers them
 * @param lockedUntil the end of the last lock that was proven: our own call after it may have extended that lock
 */
export const findPinLockEnd = (
  errors: readonly string[],
  nowMs: number,
  lockedUntil?: string,
): string | undefined => {
  const oldest = errors[mixin.pinErrorsToLock - 1];
  const endMs = oldest === undefined ? 0 : Date.parse(oldest) + 1_000 * mixin.pinErrorWindowSeconds;
  if (endMs > nowMs) return isoTimeAfter(endMs, 0);
  const sinceMs = lockedUntil === undefined ? Number.POSITIVE_INFINITY : nowMs - Date.parse(lockedUntil);
  return sinceMs < 1_000 * timing.pinLockSeconds ? isoTimeAfter(nowMs, timing.pinLockSeconds) : undefined;
};

/** The move that must follow. @param delaySeconds the pause before the next attempt */
export const classifyMixinError = (error: MixinError, delaySeconds: number): FailureOutcome => {
  const reason = describeMixinError(error);
  // guard: unsure-after-lost-answer
  if (error.verdict === 'unsure') return { move: 'mark_unsure', reason, delaySeconds };
  if (error.verdict === 'again') return { move: 'postpone', reason, delaySeconds };
  return { move: final.has(error.code) ? 'fail' : 'block', reason };
};
