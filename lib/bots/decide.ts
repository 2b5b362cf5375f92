/** What Mixin shows of an account decides what becomes of the bot. Pure. */

import type { Bot } from '../model/bot.ts';
import type { Profile } from '../model/ports.ts';
import type { ReasonCode } from '../model/reasons.ts';

/** Public halves of what the vault holds for this bot. */
export interface OurKeys {
  readonly spend?: string;
  /** Of a listed spend key that may be a seed or a scalar: both; nothing else is known of it yet. */
  readonly listed: readonly string[];
  /** Of the TIP PIN; both where it may be a seed or a scalar. */
  readonly tip: readonly string[];
  /** Is there a six-digit PIN? */
  readonly has_pin: boolean;
}

/** How the account comes by its TIP PIN: it has none yet, has a six-digit one, or has one of our keys. */
export type PinWay = 'unset' | 'upgrade' | 'spend' | 'listed' | 'tip';

export type Decision =
  /** In Safe with our key. */
  | { readonly kind: 'confirm' }
  /** In Safe with a key we do not hold, or cannot tell for ours. */
  | { readonly kind: 'mark_external'; readonly reason: 'external_key' | 'key_not_shown' }
  /** In Safe with the listed key, whose form this settles: it is still to be stored. */
  | { readonly kind: 'adopt' }
  /** Not in Safe. */
  | { readonly kind: 'register'; readonly pin: PinWay }
  /** Mixin said yes and does not show it yet. */
  | { readonly kind: 'wait'; readonly reason: 'pin_not_visible' | 'not_confirmed' }
  | { readonly kind: 'block'; readonly reason: ReasonCode };

/**
 * In Safe: whose key? Where Mixin does not tell, it is ours if we sent it and were not refused, or knew it
 * for ours before (docs/decisions/0010).
 */
const decideInSafe = (bot: Bot, profile: Profile, ours: OurKeys): Decision => {
  const told = profile.spend_public_key;
  const believed = bot.safe_sent_at !== undefined || bot.state === 'registered';
  const isOurs = told === undefined ? believed : told === ours.spend;
  const agrees = bot.public_key === undefined || bot.public_key === ours.spend;
  if (isOurs && !agrees) return { kind: 'block', reason: 'key_conflict' };
  if (isOurs && ours.spend !== undefined) return { kind: 'confirm' };
  if (told !== undefined && ours.listed.includes(told)) return { kind: 'adopt' };
  if (bot.state === 'registered') return { kind: 'block', reason: 'key_changed' };
  const couldBeOurs = told === undefined && (ours.spend !== undefined || ours.listed.length > 0);
  return { kind: 'mark_external', reason: couldBeOurs ? 'key_not_shown' : 'external_key' };
};

/** The account has no TIP PIN. */
const decideWithoutTip = (bot: Bot, profile: Profile, ours: OurKeys): Decision => {
  if (bot.pin_set_at !== undefined) return { kind: 'wait', reason: 'pin_not_visible' };
  if (!profile.has_pin) return { kind: 'register', pin: 'unset' };
  if (bot.wrong_pin_at !== undefined) return { kind: 'block', reason: 'wrong_pin' };
  return ours.has_pin ? { kind: 'register', pin: 'upgrade' } : { kind: 'block', reason: 'six_digit_pin' };
};

const decideTip = (bot: Bot, profile: Profile, ours: OurKeys): Decision => {
  const tip = profile.tip_public_key;
  if (tip !== '' && tip === ours.spend) return { kind: 'register', pin: 'spend' };
  if (ours.listed.includes(tip)) return { kind: 'register', pin: 'listed' };
  const decision: Decision =
    tip === ''
      ? decideWithoutTip(bot, profile, ours)
      : ours.tip.includes(tip)
        ? { kind: 'register', pin: 'tip' }
        : { kind: 'block', reason: ours.tip.length === 0 ? 'tip_key_missing' : 'tip_key_mismatch' };
  // A key that nobody can read in one way only must not be registered.
  const unsettled = decision.kind === 'register' && ours.listed.length > 0;
  return unsettled ? { kind: 'block', reason: 'key_form_unknown' } : decision;
};

export const decide = (bot: Bot, profile: Profile, ours: OurKeys): Decision => {
  if (profile.has_safe) return decideInSafe(bot, profile, ours);
  if (bot.state === 'registered' || bot.state === 'external') return { kind: 'block', reason: 'safe_lost' };
  if (bot.safe_set_at !== undefined) return { kind: 'wait', reason: 'not_confirmed' };
  return decideTip(bot, profile, ours);
};
