/** Carries out what was decided about a bot: shared by check and register. */

import type { Bot, Reason } from '../model/bot.ts';
import type { PrivateKey } from '../model/keystore.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services, StoredKeystore } from '../model/ports.ts';
import { reason } from '../model/reasons.ts';
import { timing } from '../model/timing.ts';
import { after, retryDelaySeconds } from './backoff.ts';
import type { Decision, OurKeys } from './decide.ts';
import { reasonOf, troubleOf } from './mixin-failure.ts';
import { chance, moveBot, putOff } from './transition.ts';

/** Every decision that leaves the bot's keys as they are. */
export type Settlement = Exclude<Decision, { kind: 'register' | 'adopt' }>;

/**
 * 64 hex characters → the private keys they may stand for, by public key: the seed's, and the scalar's where
 * they can be one. fox-one's tools keep scalars, all others keep seeds; only Mixin's public key tells.
 */
export const formsOf = async (services: Services, hex: string): Promise<ReadonlyMap<string, PrivateKey>> => {
  const forms = services.keys.isScalar(hex) ? [hex, `scalar:${hex}`] : [hex];
  return new Map(
    await Promise.all(forms.map(async (key) => [await services.keys.derivePublicKey(key), key] as const)),
  );
};

/** A new Ed25519 seed of the system's randomness. */
export const newSeed = (services: Services): PrivateKey =>
  Buffer.from(services.randomBytes(32)).toString('hex');

const publicFormsOf = async (services: Services, hex: string | undefined) =>
  hex === undefined ? [] : [...(await formsOf(services, hex)).keys()];

/** Public halves of the vault's keys. */
export const ourKeys = async (services: Services, kept: StoredKeystore): Promise<OurKeys> => {
  const { spend_private_key, spend_key, tip_private_key, pin } = kept.keystore;
  return {
    ...(spend_private_key !== undefined && { spend: await services.keys.derivePublicKey(spend_private_key) }),
    listed: await publicFormsOf(services, spend_key),
    tip: await publicFormsOf(services, tip_private_key),
    has_pin: pin !== undefined,
  };
};

const audited = (bot: Bot) => bot.state === 'registered' || bot.state === 'external';

/** A bot at rest stays there (docs/decisions/0009): what the audit met is noted, and it comes back. */
const noteOnAudit = async (services: Services, bot: Bot, seconds: number, found?: Reason) => {
  const due_at = after(services.now(), seconds);
  if (found) {
    const { bot_id, batch_id } = bot;
    services.log('warn', 'audit_finding', { step: 'check', bot_id, batch_id, reason: found.code });
  }
  await services.table.updateBot(bot, { due_at, ...(found && { reason: found }) });
};

/** The keystore; without one the bot is blocked, or keeps the reason in mind where it is at rest already. */
export const keptOrBlocked = async (
  services: Services,
  bot: Bot,
  step: string,
): Promise<StoredKeystore | undefined> => {
  const kept = await services.vault.readKeystore(bot.bot_id);
  if (typeof kept === 'object') return kept;
  const found = reason(kept === 'missing' ? 'keystore_missing' : 'secret_pending_deletion');
  if (audited(bot)) await noteOnAudit(services, bot, services.auditSeconds, found);
  else await moveBot(services, bot, 'block', { step, reason: found });
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
    case 'mark_external':
      await moveBot(services, bot, 'mark_external', { ...note, reason: reason(settlement.reason) });
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

/** Sorts a refusal or silence of Mixin; anything else is thrown on and crashes the message. */
export const settleTrouble = async (
  services: Services,
  bot: Bot,
  error: unknown,
  step: string,
): Promise<void> => {
  if (!(error instanceof MixinError)) throw error;
  if (audited(bot)) {
    const again = error.verdict === 'again';
    const seconds = again ? timing.retryMaxSeconds : services.auditSeconds;
    return noteOnAudit(services, bot, seconds, again ? undefined : reasonOf(error));
  }
  const trouble = troubleOf(error, bot.attempts, chance(services));
  const note = { step, reason: trouble.reason, request_id: error.request_id };
  if (trouble.move === 'block' || trouble.move === 'fail') {
    await moveBot(services, bot, trouble.move, note);
    return;
  }
  const delaySeconds = trouble.delaySeconds ?? timing.retryMaxSeconds;
  const locked = error.code === 'pin_locked' ? { pin_locked_until: after(services.now(), delaySeconds) } : {};
  await putOff(services, bot, trouble.move, delaySeconds, note, locked);
};
