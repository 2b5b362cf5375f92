import { DAY_SECONDS } from './deployment.ts';

/** When a bot is looked at again. */

export const timing = {
  /** First pause after trouble; doubles with each attempt, with jitter. */
  retryBaseSeconds: 5,
  retryMaxSeconds: 3_600,
  /** A PIN lock lasts a day and every attempt lengthens it: stay away a little longer. */
  pinLockSeconds: 25 * 3_600,
  /** Grace the sweep gives a message before it looks for the bot itself. */
  graceSeconds: 900,
  /** A bot that waits in a queue longer than this is queued again. */
  stalledSeconds: DAY_SECONDS,
  /** Registered bots are looked at again: is the key on Mixin's side still the one we keep? */
  auditSeconds: 7 * DAY_SECONDS,
  /** SQS delays no message longer than this; longer pauses are left to the sweep. */
  maxMessageDelaySeconds: 900,
} as const;
