/** Carries out what was decided about a bot: shared by check and register. */

import { seedBytes } from '../keystore.ts';
import { MixinError } from '../mixin/errors.ts';
import type { Kept, Services } from '../services.ts';
import { pace } from '../topology.ts';
import { after, retryDelaySeconds } from './backoff.ts';
import type { Decision, OurKeys } from './decide.ts';
import { chance, moveBot, putOff } from './move.ts';
import { reason } from './reasons.ts';
import type { Bot } from './records.ts';
import { reasonOf, troubleOf } from './trouble.ts';

/** Every decision but the one to register. */
export type Settlement = Exclude<Decision, { kind: 'register' }>;

/** Public halves of the vault's keys. */
export const ourKeys = async (services: Services, kept: Kept): Promise<OurKeys> => {
  const { spend_private_key, tip_private_key } = kept.keystore;
  const publicKeyOf = (hex: string) => services.keys.publicKeyOf(seedBytes(hex));
  return {
    ...(spend_private_key !== undefined && { spend: await publicKeyOf(spend_private_key) }),
    ...(tip_private_key !== undefined && { tip: await publicKeyOf(tip_private_key) }),
  };
};

/** The keystore, or the bot blocked with the reason why there is none. */
export const keptOrBlocked = async (
  services: Services,
  bot: Bot,
  step: string,
): Promise<Kept | undefined> => {
  const kept = await services.vault.read(bot.user_id);
  if (typeof kept === 'object') return kept;
  const code = kept === 'missing' ? 'keystore_missing' : 'secret_pending_deletion';
  await moveBot(services, bot, 'block', { step, reason: reason(code) });
  return undefined;
};

export const settle = async (
  services: Services,
  bot: Bot,
  settlement: Settlement,
  ours: OurKeys,
  note: { step: string; request_id: string },
): Promise<void> => {
  switch (settlement.kind) {
    case 'confirm':
      await moveBot(
        services,
        bot,
        'confirm',
        note,
        ours.spend === undefined ? {} : { public_key: ours.spend },
      );
      return;
    case 'disown':
      await moveBot(services, bot, 'disown', { ...note, reason: reason('external_key') });
      return;
    case 'block':
      await moveBot(services, bot, 'block', { ...note, reason: reason(settlement.reason) });
      return;
    case 'wait':
      await putOff(services, bot, 'postpone', retryDelaySeconds(bot.attempts, chance(services)), {
        ...note,
        reason: reason(settlement.reason),
      });
  }
};

const audited = (bot: Bot) => bot.state === 'registered' || bot.state === 'external';

/**
 * Trouble while a bot at rest was looked at again changes nothing of where it is: a registered key stays
 * registered when its session is revoked. The reason is noted and the audit comes back.
 */
const noteOnAudit = async (services: Services, bot: Bot, error: MixinError) => {
  const again = error.verdict === 'again';
  const due_at = after(services.now(), again ? pace.retryMaxSeconds : pace.auditSeconds);
  await services.table.updateBot(bot, { due_at, ...(!again && { reason: reasonOf(error) }) });
};

/** Sorts a refusal or silence of Mixin; anything else is thrown on and crashes the message. */
export const settleTrouble = async (
  services: Services,
  bot: Bot,
  error: unknown,
  step: string,
): Promise<void> => {
  if (!(error instanceof MixinError)) throw error;
  if (audited(bot)) return noteOnAudit(services, bot, error);
  const trouble = troubleOf(error, bot.attempts, chance(services));
  const note = { step, reason: trouble.reason, request_id: error.request_id };
  if (trouble.move === 'block' || trouble.move === 'fail') {
    await moveBot(services, bot, trouble.move, note);
    return;
  }
  const delaySeconds = trouble.delaySeconds ?? pace.retryMaxSeconds;
  const locked = error.code === 'pin_locked' ? { pin_locked_until: after(services.now(), delaySeconds) } : {};
  await putOff(services, bot, trouble.move, delaySeconds, note, locked);
};
