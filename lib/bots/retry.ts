/** An operator asks for another attempt. */

import type { Bot } from '../model/bot.ts';
import type { Services } from '../model/ports.ts';
import type { BotState } from '../model/states.ts';
import { chooseStep } from './enrolment.ts';
import { moveBot, sendToStep } from './transition.ts';

/** Which bots an operator wants to retry. */
interface RetryFilter {
  readonly states: readonly BotState[];
  /** Only those with this reason code. */
  readonly reason?: string | undefined;
}

/** Is this one of the bots, and may it be retried at all? */
export const matchesRetry = (bot: Bot, { states, reason }: RetryFilter): boolean =>
  states.includes(bot.state) &&
  // Any other unsure bot needs a GET that shows what happened, never a second POST.
  // guard: unsure-bot-needs-get
  (bot.state !== 'unsure' || bot.enrolment !== undefined) &&
  (reason === undefined || bot.reason?.code === reason);

/** Each PIN call during a lock extends the lock: such a bot goes on waiting, unless an operator insists. */
export const isPinLocked = (bot: Bot, nowMs: number): boolean =>
  bot.pin_locked_until !== undefined && Date.parse(bot.pin_locked_until) > nowMs;

/**
 * Queues the bot again and forgets its PIN lock; false when another worker has moved it. For an `unsure` bot this removes the note that its call
 * was sent, so the operator must have accepted that the call may be paid for twice.
 */
export const retryBot = async (services: Services, bot: Bot): Promise<boolean> => {
  const moved =
    bot.state === 'unsure'
      ? await moveBot(services, bot, 'resend', { step: 'api' }, { account_sent_at: undefined })
      : await moveBot(services, bot, 'requeue', { step: 'api' }, { pin_locked_until: undefined });
  if (moved) await sendToStep(services, chooseStep(moved), moved);
  return moved !== undefined;
};
