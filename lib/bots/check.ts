/** check: asks Mixin about one bot (GET /safe/me) and decides what becomes of it. */
import * as z from 'zod';
import type { Bot } from '../model/bot.ts';
import type { Profile, Services } from '../model/ports.ts';
import { decide } from './decide.ts';
import { keptOrBlocked, ourKeys, settle, settleTrouble } from './settle.ts';
import { moveBot, sendTo } from './transition.ts';

export const botMessage = z.object({ bot_id: z.guid() });

/** SQS counts delays in whole seconds, and clocks differ a little. */
const EARLY_MS = 1_500;

/** Is this the time to look at the bot? Messages may come twice, late, or for a bot that has moved on. */
const wantsCheck = (bot: Bot, nowMs: number): boolean => {
  if (bot.state === 'blocked' || bot.state === 'failed') return false;
  return bot.wait_until === undefined || Date.parse(bot.wait_until) <= nowMs + EARLY_MS;
};

const readProfile = async (
  services: Services,
  bot: Bot,
  keystore: Parameters<typeof services.mixin.readProfile>[0],
) => {
  try {
    return await services.mixin.readProfile(keystore);
  } catch (error) {
    await settleTrouble(services, bot, error, 'check');
    return undefined;
  }
};

const accept = async (services: Services, bot: Bot, profile: Profile) => {
  const moved = await moveBot(services, bot, 'accept', { step: 'check', request_id: profile.request_id });
  if (moved) await sendTo(services, 'register', moved);
};

/**
 * Takes one message `{ bot_id }`. Any number of deliveries are harmless: GET only, and every move is a
 * compare-and-set. Throws only on the unexpected (then SQS delivers again).
 */
export const check = async (services: Services, body: unknown): Promise<void> => {
  const { bot_id } = botMessage.parse(body);
  const bot = await services.table.readBot(bot_id);
  if (!bot) return services.log('warn', 'bot_unknown', { bot_id });
  if (bot.enrolment) return sendTo(services, 'enroll', bot);
  if (!wantsCheck(bot, services.now())) return;
  // The move was made and its message may be lost: register takes a second one calmly.
  if (bot.state === 'registering') return sendTo(services, 'register', bot);
  const kept = await keptOrBlocked(services, bot, 'check');
  if (!kept) return;
  const profile = await readProfile(services, bot, kept.keystore);
  if (!profile) return;
  const ours = await ourKeys(services, kept);
  const decision = decide(bot, profile, ours);
  if (decision.kind === 'register' || decision.kind === 'adopt') return accept(services, bot, profile);
  await settle(services, bot, decision, ours, { step: 'check', request_id: profile.request_id });
};
