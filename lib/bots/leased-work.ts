/** Work on one bot under its lease: take the lease, work, and give it back however the work ends. */

import type { Bot, BotChanges } from '../model/bot.ts';
import { mixin } from '../model/mixin.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services } from '../model/ports.ts';
import { describeReason, type ReasonCode } from '../model/reasons.ts';
import { type LeasedBot, LeaseLost, takeLease } from './lease.ts';
import { handleMixinError } from './outcome.ts';
import { drawRetryDelaySeconds, moveBot, sendToStep } from './transition.ts';

/** The longest pause of work that ran out of time. */
const PAUSE_MAX_SECONDS = 120;

/** One bot at work: its leased row, and when the invocation ends (milliseconds since 1970). */
export interface LeasedWork {
  readonly services: Services;
  readonly step: 'register' | 'enroll';
  readonly leased: LeasedBot;
  readonly deadlineMs: number;
  /** The token of every PIN call ends then, and the lease with it. */
  readonly leaseUntilMs: number;
}

/** Thrown to end the work where nothing is wrong: the bot was moved, or a message will bring it back. */
export class WorkEnd extends Error {
  override readonly name = 'WorkEnd';
}

/** Moves the bot, then throws WorkEnd. */
export const endWork = async (
  { services, step, leased }: LeasedWork,
  move: 'block' | 'mark_unsure',
  code: ReasonCode,
  request_id?: string,
): Promise<never> => {
  await moveBot(services, leased.bot, move, { step, reason: describeReason(code), request_id });
  throw new WorkEnd();
};

/**
 * Returns only when there is time for one more call before the invocation ends. Else it gives the lease back, sends the
 * message again after a pause that grows, and throws WorkEnd.
 * @param undo written with the release: takes back what the row says about the call
 */
export const requireTime = async (
  { services, step, leased, deadlineMs }: LeasedWork,
  undo: BotChanges = {},
): Promise<void> => {
  if (services.now() + mixin.timeoutMs < deadlineMs) return;
  // The row counts the attempt, so that the pause grows while calls stay slow.
  const { attempts } = leased.bot;
  await leased.release({ ...undo, attempts: attempts + 1 });
  await sendToStep(
    services,
    step,
    leased.bot,
    Math.min(drawRetryDelaySeconds(services, leased.bot), PAUSE_MAX_SECONDS),
  );
  throw new WorkEnd();
};

/** @param busyMs how long another worker may hold the lease; 0 where it only changed the row first */
const sendLater = async (services: Services, step: LeasedWork['step'], bot: Bot, busyMs: number) => {
  if (busyMs > 0) services.log('info', 'lease_held', { step, bot_id: bot.bot_id });
  await sendToStep(services, step, bot, Math.ceil(busyMs / 1_000) + 1);
};

/** A move ends the lease. Work that ends without one gives the lease back. */
const finish = async ({ services, step, leased }: LeasedWork, error: unknown): Promise<void> => {
  if (error instanceof WorkEnd) return;
  const { bot } = leased;
  if (error instanceof LeaseLost) return services.log('info', 'lost_race', { step, bot_id: bot.bot_id });
  if (error instanceof MixinError) return handleMixinError(services, bot, error, step);
  await leased.release().catch(() => undefined);
  throw error;
};

/**
 * Takes the bot's lease and works under it. The lease lasts a minute longer than the invocation: the last PIN call that
 * leaves has a token that is good for a minute, and Mixin refuses one that leaves after the lease. Returns what the work
 * returns; undefined when it ended early: the bot's row then says why, or another worker was first and the message comes
 * again.
 * @param work throws WorkEnd to end early; a MixinError moves the bot; any other error is thrown on
 */
export const withLease = async <T>(
  services: Services,
  step: LeasedWork['step'],
  bot: Bot,
  deadlineMs: number,
  work: (leasedWork: LeasedWork) => Promise<T>,
): Promise<T | undefined> => {
  let leaseUntilMs = deadlineMs;
  // guard: lease-outlasts-token
  leaseUntilMs += 1_000 * mixin.pinTokenSeconds;
  const lease = await takeLease(services, bot, leaseUntilMs);
  if (!lease || 'busyMs' in lease) {
    await sendLater(services, step, bot, lease?.busyMs ?? 0);
    return undefined;
  }
  const leasedWork = { services, step, leased: lease.held, deadlineMs, leaseUntilMs };
  try {
    return await work(leasedWork);
  } catch (error) {
    await finish(leasedWork, error);
    return undefined;
  }
};
