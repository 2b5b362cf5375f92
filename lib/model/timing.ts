/** When a bot is tried, checked or audited again. Pure: the time and the random numbers come in as arguments. */
import type { Bot } from './bot.ts';
import { DAY_SECONDS } from './deployment.ts';
import type { BotState } from './states.ts';

export const timing = {
  /** The first pause; it doubles with each attempt and is varied at random. */
  retryBaseSeconds: 5,
  retryMaxSeconds: 240,
  /** The first pause after Mixin asked for fewer PIN calls: where it does not show its log, this may be a lock. */
  pinLimitSeconds: 60,
  /** An audit that Mixin did not answer is made again after this. */
  auditRetrySeconds: 3_600,
  /** A PIN call during a lock extends it by a day: wait a little longer than that. */
  pinLockSeconds: 25 * 3_600,
  /** How long the sweep leaves a bot to its message before it queues the bot itself. */
  graceSeconds: 900,
  /** A bot that waits in a queue longer than this is queued again. */
  stalledSeconds: DAY_SECONDS,
  /** A finished bot is checked again after this: does Mixin still show the key that the vault holds? */
  auditSeconds: 7 * DAY_SECONDS,
  /** SQS delays no message longer than this; the sweep takes care of longer pauses. */
  maxMessageDelaySeconds: 900,
} as const;

/** For so long a removed enrolment's secret can be restored. Its session key is in the account's own secret then. */
export const enrolmentRecoveryDays = 7;

/**
 * Seconds before attempt number `attempts + 1`: the base doubles with each attempt up to the maximum, and the pause
 * is drawn evenly from the upper half of that, so that bots which failed together are not tried again together.
 * @param fraction a random number, 0 ≤ fraction < 1
 */
export const computeRetryDelaySeconds = (attempts: number, fraction: number): number => {
  const full = Math.min(timing.retryMaxSeconds, timing.retryBaseSeconds * 2 ** Math.min(attempts, 30));
  return Math.ceil(full * (0.5 + fraction / 2));
};

/** Four random bytes → a number from 0 up to 1. */
export const readFraction = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;

/** ISO time so many seconds after `nowMs`. */
export const isoTimeAfter = (nowMs: number, seconds: number): string =>
  new Date(nowMs + seconds * 1_000).toISOString();

/** SQS counts delays in whole seconds, and clocks differ a little. */
const EARLY_MS = 1_500;

/** Is the pause of this bot over? True for a bot that has no pause. */
export const isWaitOver = ({ wait_until }: Pick<Bot, 'wait_until'>, nowMs: number): boolean =>
  wait_until === undefined || Date.parse(wait_until) <= nowMs + EARLY_MS;

/**
 * When the sweep queues a bot that has just come into this state, whatever becomes of its messages; undefined: never.
 * @param wait_until the pause that begins now, if there is one
 */
export const computeDueAt = (
  bot: Pick<Bot, 'enrolment'>,
  state: BotState,
  nowMs: number,
  wait_until: string | undefined,
  auditSeconds: number,
): string | undefined => {
  if (state === 'registered' || state === 'external') return isoTimeAfter(nowMs, auditSeconds);
  if (state === 'blocked' || state === 'failed') return undefined;
  // guard: due-until-secret-removed
  if (state === 'enrolled') return isoTimeAfter(nowMs, timing.graceSeconds);
  // No GET shows whether an account was created: only an operator can decide.
  if (state === 'unsure' && bot.enrolment) return undefined;
  if (wait_until === undefined) return isoTimeAfter(nowMs, timing.stalledSeconds);
  const delaySeconds = (Date.parse(wait_until) - nowMs) / 1_000;
  const hasMessage = delaySeconds <= timing.maxMessageDelaySeconds;
  return isoTimeAfter(nowMs, delaySeconds + (hasMessage ? timing.graceSeconds : 0));
};
