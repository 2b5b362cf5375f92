/** check: asks Mixin about one bot (GET /safe/me) and decides what happens to it. */
import * as z from 'zod';
import type { Bot } from '../model/bot.ts';
import type { Keystore } from '../model/keystore.ts';
import type { Profile, Services } from '../model/ports.ts';
import { isWaitOver } from '../model/timing.ts';
import { decide } from './decide.ts';
import { deriveVaultPublicKeys } from './key-forms.ts';
import { applyDecision, handleMixinError, isAudited, readKeystoreOrBlock } from './outcome.ts';
import { moveBot, sendAtEndOfWait, sendToStep } from './transition.ts';

const step = 'check';

/** A message about one bot. */
export const botMessage = z.object({ bot_id: z.guid() });

/** Is it time to check the bot? Messages may come twice, late, or for a bot that has moved on. */
const isCheckDue = (bot: Bot, nowMs: number): boolean =>
  bot.state !== 'blocked' && bot.state !== 'failed' && isWaitOver(bot, nowMs);

const readProfile = async (
  services: Services,
  bot: Bot,
  keystore: Keystore,
): Promise<Profile | undefined> => {
  try {
    return await services.mixin.readProfile(keystore);
  } catch (error) {
    await handleMixinError(services, bot, error, step);
    return undefined;
  }
};

/**
 * Handles one message `{ bot_id }`. Any number of deliveries are harmless: GET only, and every move is a
 * compare-and-set. Throws only on the unexpected (then SQS delivers the message again).
 */
export const check = async (services: Services, body: unknown): Promise<void> => {
  const { bot_id } = botMessage.parse(body);
  const bot = await services.table.readBot(bot_id);
  if (!bot) return services.log('warn', 'bot_unknown', { bot_id });
  if (bot.enrolment) return sendToStep(services, 'enroll', bot);
  if (!isCheckDue(bot, services.now())) return sendAtEndOfWait(services, bot);
  // The move was made and its message may be lost: register expects a second one.
  if (bot.state === 'registering') return sendToStep(services, 'register', bot);
  const stored = await readKeystoreOrBlock(services, bot, step);
  if (!stored) return;
  // guard: audit-restores-current
  if (stored.isKeyHidden && isAudited(bot)) await sendToStep(services, 'register', bot);
  // guard: message-carries-ids-only
  const profile = await readProfile(services, bot, stored.keystore);
  if (!profile) return;
  const ours = await deriveVaultPublicKeys(services, stored.keystore);
  const decision = decide(bot, profile, ours);
  const note = { step, request_id: profile.request_id };
  if (decision.kind === 'register' || decision.kind === 'adopt') {
    const accepted = await moveBot(services, bot, 'accept', note);
    if (accepted) await sendToStep(services, 'register', accepted);
  } else await applyDecision(services, bot, decision, ours, note);
};
