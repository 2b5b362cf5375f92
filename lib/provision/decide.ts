/** What Mixin shows of an account decides what becomes of the bot. Pure. */
import type { Profile } from '../services.ts';
import type { ReasonCode } from './reasons.ts';
import type { Bot } from './records.ts';

/** Public halves of what the vault holds for this bot. */
export interface OurKeys {
  readonly spend?: string;
  readonly tip?: string;
}

export type Decision =
  /** In Safe with our key. */
  | { readonly kind: 'confirm' }
  /** In Safe with a key we do not hold. */
  | { readonly kind: 'disown' }
  /** Not in Safe. `pin`: the TIP PIN has yet to be set, is our spend key, or is the listed TIP key. */
  | { readonly kind: 'register'; readonly pin: 'unset' | 'spend' | 'tip' }
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
  return bot.state === 'registered' ? { kind: 'block', reason: 'key_changed' } : { kind: 'disown' };
};

const decideTip = (bot: Bot, profile: Profile, ours: OurKeys): Decision => {
  const tip = profile.tip_public_key;
  if (tip === '') {
    if (bot.pin_set_at !== undefined) return { kind: 'wait', reason: 'pin_not_visible' };
    return profile.has_pin ? { kind: 'block', reason: 'six_digit_pin' } : { kind: 'register', pin: 'unset' };
  }
  if (tip === ours.spend) return { kind: 'register', pin: 'spend' };
  if (tip === ours.tip) return { kind: 'register', pin: 'tip' };
  return { kind: 'block', reason: ours.tip === undefined ? 'tip_key_missing' : 'tip_key_foreign' };
};

export const decide = (bot: Bot, profile: Profile, ours: OurKeys): Decision => {
  if (profile.has_safe) return decideInSafe(bot, profile, ours);
  if (bot.state === 'registered' || bot.state === 'external') return { kind: 'block', reason: 'safe_lost' };
  if (bot.safe_set_at !== undefined) return { kind: 'wait', reason: 'not_confirmed' };
  return decideTip(bot, profile, ours);
};
