/** What Mixin shows of an account decides what happens to the bot. Pure. */

import type { Bot } from '../model/bot.ts';
import type { Profile } from '../model/ports.ts';
import type { ReasonCode } from '../model/reasons.ts';

/** Public keys of what the vault holds for this bot, 64 hex characters each. */
export interface VaultPublicKeys {
  readonly spend?: string;
  /** Of a listed spend key that may be a seed or a scalar: both. Nothing else is known of it yet. */
  readonly listed: readonly string[];
  /** Of the TIP PIN; both where it may be a seed or a scalar. */
  readonly tip: readonly string[];
  /** Is there a six-digit PIN? */
  readonly has_pin: boolean;
}

/**
 * How the account gets its TIP PIN. `unset`: it has none yet. `upgrade`: it has a six-digit PIN. `spend`, `listed`,
 * `tip`: its TIP PIN is one of our keys already.
 */
export type PinPlan = 'unset' | 'upgrade' | 'spend' | 'listed' | 'tip';

export type Decision =
  /** In Safe with our key. */
  | { readonly kind: 'confirm' }
  /** In Safe with a key that the vault does not hold, or with one that Mixin does not show. */
  | { readonly kind: 'mark_external'; readonly reason: 'external_key' | 'key_not_shown' }
  /** In Safe with the listed key, whose form is known now: the key is still to be stored. */
  | { readonly kind: 'adopt' }
  /** Not in Safe. */
  | { readonly kind: 'register'; readonly pin: PinPlan }
  /** Mixin accepted our call and does not show it yet. */
  | { readonly kind: 'wait'; readonly reason: 'pin_not_visible' | 'not_confirmed' }
  | { readonly kind: 'block'; readonly reason: ReasonCode };

/**
 * In Safe: whose key? Where Mixin does not show the key, it is ours if we sent it and were not refused, or if it was
 * ours before (docs/decisions/0010).
 */
const decideInSafe = (bot: Bot, profile: Profile, ours: VaultPublicKeys): Decision => {
  const shown = profile.spend_public_key;
  const wasOurs = bot.safe_sent_at !== undefined || bot.state === 'registered';
  const isOurs = shown === undefined ? wasOurs : shown === ours.spend;
  const rowAgrees = bot.public_key === undefined || bot.public_key === ours.spend;
  if (isOurs && !rowAgrees) return { kind: 'block', reason: 'key_conflict' };
  if (isOurs && ours.spend !== undefined) return { kind: 'confirm' };
  if (shown !== undefined && ours.listed.includes(shown)) return { kind: 'adopt' };
  if (bot.state === 'registered') return { kind: 'block', reason: 'key_changed' };
  const mayBeOurs = shown === undefined && (ours.spend !== undefined || ours.listed.length > 0);
  return { kind: 'mark_external', reason: mayBeOurs ? 'key_not_shown' : 'external_key' };
};

/** The account has no TIP PIN. */
const decideWithoutTip = (bot: Bot, profile: Profile, ours: VaultPublicKeys): Decision => {
  // guard: wait-for-pin
  if (bot.pin_set_at !== undefined) return { kind: 'wait', reason: 'pin_not_visible' };
  if (!profile.has_pin) return { kind: 'register', pin: 'unset' };
  // guard: no-pin-after-wrong-one
  if (bot.wrong_pin_at !== undefined) return { kind: 'block', reason: 'wrong_pin' };
  return ours.has_pin ? { kind: 'register', pin: 'upgrade' } : { kind: 'block', reason: 'six_digit_pin' };
};

const decideTip = (bot: Bot, profile: Profile, ours: VaultPublicKeys): Decision => {
  const tip = profile.tip_public_key;
  if (tip !== '' && tip === ours.spend) return { kind: 'register', pin: 'spend' };
  if (ours.listed.includes(tip)) return { kind: 'register', pin: 'listed' };
  const decision: Decision =
    tip === ''
      ? decideWithoutTip(bot, profile, ours)
      : ours.tip.includes(tip)
        ? { kind: 'register', pin: 'tip' }
        : { kind: 'block', reason: ours.tip.length === 0 ? 'tip_key_missing' : 'tip_key_mismatch' };
  // A key that can be read in two ways must not be registered.
  const isAmbiguous = decision.kind === 'register' && ours.listed.length > 0;
  return isAmbiguous ? { kind: 'block', reason: 'key_form_unknown' } : decision;
};

/** @param profile what GET /safe/me shows now */
export const decide = (bot: Bot, profile: Profile, ours: VaultPublicKeys): Decision => {
  if (profile.has_safe) return decideInSafe(bot, profile, ours);
  if (bot.state === 'registered' || bot.state === 'external') return { kind: 'block', reason: 'safe_lost' };
  // guard: wait-for-safe
  if (bot.safe_set_at !== undefined) return { kind: 'wait', reason: 'not_confirmed' };
  return decideTip(bot, profile, ours);
};
