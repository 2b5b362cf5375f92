import { describe, expect, test } from 'vitest';
import { type Decision, decide, type VaultPublicKeys } from '../../lib/bots/decide.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Profile } from '../../lib/model/ports.ts';
import { states } from '../../lib/model/states.ts';
import { buildBot, isoTime } from '../helpers/services.ts';

const OURS = 'a'.repeat(64);
const TIP = 'b'.repeat(64);
const FOREIGN = 'c'.repeat(64);
const LISTED = 'd'.repeat(64);

const profile = (more: Partial<Profile>): Profile => ({
  user_id: 'user',
  has_pin: false,
  has_safe: false,
  tip_public_key: '',
  request_id: 'request',
  ...more,
});

const keysOf = (ours: Partial<VaultPublicKeys>): VaultPublicKeys => ({
  listed: [],
  tip: [],
  has_pin: false,
  ...ours,
});

interface Case {
  readonly name: string;
  readonly bot?: Partial<Bot>;
  readonly shown: Partial<Profile>;
  readonly ours: Partial<VaultPublicKeys>;
  readonly decision: Decision;
}

const check = ({ bot = {}, shown, ours, decision }: Case) => {
  expect(decide(buildBot(bot), profile(shown), keysOf(ours))).toEqual(decision);
};

const sent = { safe_sent_at: isoTime(-10) };

describe('in Safe', () => {
  test.each<Case>([
    {
      name: 'with our key: confirmed',
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with our key, whoever sent it: confirmed',
      bot: { state: 'external' },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with another key: not ours',
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with another key, though we sent ours: not ours',
      bot: { state: 'unsure', ...sent },
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with a key, and we hold none: not ours',
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: {},
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with our TIP key as its spend key: not ours',
      shown: { has_safe: true, spend_public_key: TIP },
      ours: { spend: OURS, tip: [TIP] },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'key not told, and we sent ours: confirmed',
      bot: { state: 'unsure', ...sent },
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'key not told, and we sent none: not ours',
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'mark_external', reason: 'key_not_shown' },
    },
    {
      name: 'key not told, we sent one and hold none: not ours',
      bot: sent,
      shown: { has_safe: true },
      ours: {},
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'a registered bot with our key: still confirmed',
      bot: { state: 'registered', ...sent },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'key not told of a bot that is registered: we knew it for ours',
      bot: { state: 'registered' },
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with the vault’s key, while the row names another: an operator must look',
      bot: { public_key: FOREIGN },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'key_conflict' },
    },
    {
      name: 'key not told, and the vault holds another than the row names: an operator must look',
      bot: { ...sent, public_key: FOREIGN },
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'key_conflict' },
    },
    {
      name: 'with the key that both the row and the vault name: confirmed',
      bot: { ...sent, public_key: OURS },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'a registered bot with another key: an operator must look',
      bot: { state: 'registered', ...sent },
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'key_changed' },
    },
    {
      name: 'a registered bot whose key the vault lost: an operator must look',
      bot: { state: 'registered', ...sent },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: {},
      decision: { kind: 'block', reason: 'key_changed' },
    },
    {
      name: 'with the listed key, in one of its two forms: it is stored',
      shown: { has_safe: true, spend_public_key: LISTED },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'adopt' },
    },
    {
      name: 'with neither form of the listed key: not ours',
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'key not told, and one is listed: not ours',
      shown: { has_safe: true },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'mark_external', reason: 'key_not_shown' },
    },
    {
      name: 'an external bot stays external',
      bot: { state: 'external' },
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: {},
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
  ])('$name', check);
});

describe('not in Safe', () => {
  test.each<Case>([
    {
      name: 'no PIN: the TIP PIN is set first',
      shown: {},
      ours: {},
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'no PIN, and a TIP key was listed: it is set all the same',
      shown: {},
      ours: { tip: [TIP] },
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'a six-digit PIN that was listed: it is upgraded',
      shown: { has_pin: true },
      ours: { has_pin: true },
      decision: { kind: 'register', pin: 'upgrade' },
    },
    {
      name: 'a six-digit PIN of which one was wrong: no other is tried',
      bot: { wrong_pin_at: isoTime(-5) },
      shown: { has_pin: true },
      ours: { has_pin: true },
      decision: { kind: 'block', reason: 'wrong_pin' },
    },
    {
      name: 'a six-digit PIN that was listed, and no PIN at Mixin: it is of no use',
      shown: {},
      ours: { has_pin: true },
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'its PIN is a TIP key, though six digits were listed too',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { has_pin: true, tip: [FOREIGN, TIP] },
      decision: { kind: 'register', pin: 'tip' },
    },
    {
      name: 'its PIN is the listed spend key: this settles the form of that',
      shown: { has_pin: true, tip_public_key: LISTED },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'register', pin: 'listed' },
    },
    {
      name: 'a listed spend key of which nothing tells the form: never registered',
      shown: {},
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'block', reason: 'key_form_unknown' },
    },
    {
      name: 'a listed spend key of which nothing tells the form, beside a TIP key: never registered',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { listed: [FOREIGN, LISTED], tip: [TIP] },
      decision: { kind: 'block', reason: 'key_form_unknown' },
    },
    {
      name: 'a six-digit PIN that nobody listed: an operator must act',
      shown: { has_pin: true },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'six_digit_pin' },
    },
    {
      name: 'our PIN was accepted and is not shown: wait, never set it twice',
      bot: { pin_set_at: isoTime(-5) },
      shown: {},
      ours: { spend: OURS },
      decision: { kind: 'wait', reason: 'pin_not_visible' },
    },
    {
      name: 'our PIN was accepted and only has_pin is shown: wait',
      bot: { pin_set_at: isoTime(-5) },
      shown: { has_pin: true },
      ours: { spend: OURS },
      decision: { kind: 'wait', reason: 'pin_not_visible' },
    },
    {
      name: 'our PIN was sent and the answer lost, and none is shown: set it (the GET settled it)',
      bot: { state: 'unsure', pin_sent_at: isoTime(-500) },
      shown: {},
      ours: { spend: OURS },
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'our registration was accepted and is not shown: wait, never send it twice',
      bot: { state: 'unsure', pin_set_at: isoTime(-9), safe_set_at: isoTime(-5) },
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'wait', reason: 'not_confirmed' },
    },
    {
      name: 'our registration was sent and the answer lost, and nothing is shown: send it (the GET settled it)',
      bot: { state: 'unsure', safe_sent_at: isoTime(-500) },
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'register', pin: 'spend' },
    },
    {
      name: 'its PIN is our spend key',
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'register', pin: 'spend' },
    },
    {
      name: 'its PIN is the listed TIP key',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { spend: OURS, tip: [TIP] },
      decision: { kind: 'register', pin: 'tip' },
    },
    {
      name: 'its PIN is the listed TIP key and there is no spend key yet',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { tip: [TIP] },
      decision: { kind: 'register', pin: 'tip' },
    },
    {
      name: 'spend and TIP key are one',
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS, tip: [OURS] },
      decision: { kind: 'register', pin: 'spend' },
    },
    {
      name: 'its PIN is a key we do not hold, and none was listed',
      shown: { has_pin: true, tip_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'tip_key_missing' },
    },
    {
      name: 'its PIN is another key than the listed one',
      shown: { has_pin: true, tip_public_key: FOREIGN },
      ours: { spend: OURS, tip: [TIP] },
      decision: { kind: 'block', reason: 'tip_key_mismatch' },
    },
    {
      name: 'a registered bot is shown outside Safe',
      bot: { state: 'registered' },
      shown: { tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'safe_lost' },
    },
    {
      name: 'an external bot is shown outside Safe',
      bot: { state: 'external' },
      shown: {},
      ours: {},
      decision: { kind: 'block', reason: 'safe_lost' },
    },
  ])('$name', check);
});

test('a key that is not the one told is never confirmed, in whatever state', () => {
  for (const state of states)
    for (const safe_sent_at of [undefined, isoTime(-5)]) {
      const bot = buildBot({ state, ...(safe_sent_at && { safe_sent_at }) });
      const shown = profile({ has_safe: true, spend_public_key: FOREIGN });
      expect(decide(bot, shown, keysOf({ spend: OURS, tip: [TIP], listed: [LISTED] })).kind, state).not.toBe(
        'confirm',
      );
    }
});
