/** A message about a bot crashed on every delivery: the bot's row says so. */

import type { QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { describeReason } from '../model/reasons.ts';
import { unfinishedStates } from '../model/states.ts';
import { botMessage } from './check.ts';
import { moveBot } from './transition.ts';

/**
 * Blocks the bot that the message names, with the reason `handler_crashed`, before SQS moves the message to the
 * dead-letter queue of `step`. A finished bot keeps its state: the message only asked for an audit.
 * @param message parsed JSON; nothing happens unless it is `{ bot_id }`
 */
export const giveUpBot = async (services: Services, message: unknown, step: QueueName): Promise<void> => {
  const parsed = botMessage.safeParse(message);
  const bot = parsed.success && (await services.table.readBot(parsed.data.bot_id));
  if (bot && (unfinishedStates as readonly string[]).includes(bot.state)) {
    await moveBot(services, bot, 'block', { step, reason: describeReason('handler_crashed') });
  }
};
