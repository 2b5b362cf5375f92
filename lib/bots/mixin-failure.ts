/** What follows for a bot when a call to Mixin failed. Pure. */
import type { MixinError } from '../model/mixin-error.ts';
import type { Problem } from '../model/problem.ts';
import { timing } from '../model/timing.ts';

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

/** The move that must follow. @param delaySeconds the pause before the next attempt, unless the PIN is locked */
export const classifyMixinError = (error: MixinError, delaySeconds: number): FailureOutcome => {
  const reason = describeMixinError(error);
  // guard: unsure-after-lost-answer
  if (error.verdict === 'unsure') return { move: 'mark_unsure', reason, delaySeconds };
  if (error.code === 'pin_locked') return { move: 'postpone', reason, delaySeconds: timing.pinLockSeconds };
  if (error.verdict === 'again') return { move: 'postpone', reason, delaySeconds };
  return { move: final.has(error.code) ? 'fail' : 'block', reason };
};
