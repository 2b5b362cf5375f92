/** Carries out what was decided about a bot, and what a failed call to Mixin means for it. */

import type { Bot } from '../model/bot.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services, StoredKeystore } from '../model/ports.ts';
import type { Problem } from '../model/problem.ts';
import { describeReason } from '../model/reasons.ts';
import { isoTimeAfter, timing } from '../model/timing.ts';
import type { Decision, VaultPublicKeys } from './decide.ts';
import { classifyMixinError, describeMixinError } from './mixin-failure.ts';
import { drawRetryDelaySeconds, moveBot, postponeBot } from './transition.ts';

/** Every decision that needs a move of the row and nothing else. */
type RowDecision = Exclude<Decision, { kind: 'register' | 'adopt' }>;

export const isAudited = (bot: Bot) => bot.state === 'registered' || bot.state === 'external';

/** A finished bot keeps its state (docs/decisions/0009). Its row gets what the audit found, and when the next is due. */
const recordAuditFinding = async (services: Services, bot: Bot, seconds: number, finding?: Problem) => {
  const due_at = isoTimeAfter(services.now(), seconds);
  if (finding) {
    const { bot_id, batch_id } = bot;
    services.log('warn', 'audit_finding', { step: 'check', bot_id, batch_id, reason: finding.code });
  }
  await services.table.updateBot(bot, { due_at, ...(finding && { reason: finding }) });
};

const vaultReasons = {
  missing: 'keystore_missing',
  pending_deletion: 'secret_pending_deletion',
  unreadable: 'secret_unreadable',
} as const;
const MISSING_LOOKS = 2;

/**
 * The bot's keystore; undefined when it is missing or its secret is scheduled for deletion. Then the bot is blocked; a
 * finished bot only gets the reason.
 */
export const readKeystoreOrBlock = async (
  services: Services,
  bot: Bot,
  step: string,
): Promise<StoredKeystore | undefined> => {
  const stored = await services.vault.readKeystore(bot.bot_id);
  if (typeof stored === 'object') return stored;
  const reason = describeReason(vaultReasons[stored]);
  // Secrets Manager may show a new secret late: a bot is blocked only after several looks.
  if (stored === 'missing' && !isAudited(bot) && bot.attempts < MISSING_LOOKS)
    await postponeBot(services, bot, 'postpone', drawRetryDelaySeconds(services, bot), { step, reason });
  else if (isAudited(bot)) await recordAuditFinding(services, bot, services.auditSeconds, reason);
  else await moveBot(services, bot, 'block', { step, reason });
  return undefined;
};

/** Moves the bot as decided. @param ours the vault's keys: a confirmed bot's row gets the spend key */
export const applyDecision = async (
  services: Services,
  bot: Bot,
  decision: RowDecision,
  ours: VaultPublicKeys,
  note: { readonly step: string; readonly request_id: string },
): Promise<void> => {
  if (decision.kind === 'confirm') {
    const changes = ours.spend === undefined ? {} : { public_key: ours.spend };
    await moveBot(services, bot, 'confirm', note, changes);
    return;
  }
  const explained = { ...note, reason: describeReason(decision.reason) };
  if (decision.kind === 'wait')
    await postponeBot(services, bot, 'postpone', drawRetryDelaySeconds(services, bot), explained);
  else await moveBot(services, bot, decision.kind, explained);
};

/**
 * Moves a bot after a failed call to Mixin; a finished bot keeps its state. Throws every error but MixinError again, so
 * that SQS delivers the message once more.
 */
export const handleMixinError = async (
  services: Services,
  bot: Bot,
  error: unknown,
  step: string,
): Promise<void> => {
  if (!(error instanceof MixinError)) throw error;
  if (isAudited(bot)) {
    const again = error.verdict === 'again';
    const seconds = again ? timing.auditRetrySeconds : services.auditSeconds;
    return recordAuditFinding(services, bot, seconds, again ? undefined : describeMixinError(error));
  }
  const outcome = classifyMixinError(error, drawRetryDelaySeconds(services, bot));
  const note = { step, reason: outcome.reason, request_id: error.request_id };
  if (outcome.move === 'block' || outcome.move === 'fail') {
    await moveBot(services, bot, outcome.move, note);
    return;
  }
  const delaySeconds = outcome.delaySeconds ?? timing.retryMaxSeconds;
  await postponeBot(services, bot, outcome.move, delaySeconds, note);
};
