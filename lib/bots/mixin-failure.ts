/** What a refusal or a silence of Mixin does to a bot. Pure. */
import type { Reason } from '../model/bot.ts';
import type { MixinError } from '../model/mixin-error.ts';
import { timing } from '../model/timing.ts';
import { retryDelaySeconds } from './backoff.ts';

export interface Trouble {
  readonly move: 'postpone' | 'mark_unsure' | 'block' | 'fail';
  readonly reason: Reason;
  /** Set for postpone and doubt. */
  readonly delaySeconds?: number;
}

/** Refusals that no operator can mend: the request itself was wrong. */
const final: ReadonlySet<string> = new Set(['invalid_request', 'invalid_field', 'not_found']);

const detailOf = ({ field, skew_seconds }: MixinError): string => {
  if (field !== undefined) return ` (field ${field})`;
  return skew_seconds === undefined ? '' : ` (${skew_seconds} s)`;
};

/** The same words for every bot that meets this; the call's request id stands in the history. */
export const reasonOf = (error: MixinError): Reason => ({
  code: error.code,
  message: `${error.message}${detailOf(error)}`,
  fix: error.fix,
});

/**
 * @param attempts tries so far, for the growing pause
 * @param chance 0 ≤ chance < 1, for the jitter
 */
export const troubleOf = (error: MixinError, attempts: number, chance: number): Trouble => {
  const reason = reasonOf(error);
  const delaySeconds = retryDelaySeconds(attempts, chance);
  if (error.verdict === 'unsure') return { move: 'mark_unsure', reason, delaySeconds };
  if (error.code === 'pin_locked') return { move: 'postpone', reason, delaySeconds: timing.pinLockSeconds };
  if (error.verdict === 'again') return { move: 'postpone', reason, delaySeconds };
  return { move: final.has(error.code) ? 'fail' : 'block', reason };
};
