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

const createPublicKeys = (ours: Partial<VaultPublicKeys>): VaultPublicKeys => ({
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
  expect(decide(buildBot(bot), profile(shown), createPublicKeys(ours))).toEqual(decision);
};

const sent = { safe_sent_at: isoTime(-10) };

describe('a bot in Safe', () => {
  test.each<Case>([
    {
      name: 'with our key: the bot is confirmed',
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with our key, although the bot is external: it is confirmed',
      bot: { state: 'external' },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with another key: the bot is external',
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with another key, although we sent ours: the bot is external',
      bot: { state: 'unsure', ...sent },
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with a key, and the vault has none: the bot is external',
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: {},
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with our TIP key as its spend key: the bot is external',
      shown: { has_safe: true, spend_public_key: TIP },
      ours: { spend: OURS, tip: [TIP] },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with a key that is not shown, and we sent ours: the bot is confirmed',
      bot: { state: 'unsure', ...sent },
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with a key that is not shown, and we sent none: the bot is external',
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'mark_external', reason: 'key_not_shown' },
    },
    {
      name: 'with a key that is not shown, and we sent one but the vault has none: the bot is external',
      bot: sent,
      shown: { has_safe: true },
      ours: {},
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with our key, and already registered: the bot is confirmed again',
      bot: { state: 'registered', ...sent },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with a key that is not shown, and already registered: the bot is confirmed again',
      bot: { state: 'registered' },
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with the key of the vault, while the row names another: the bot is blocked',
      bot: { public_key: FOREIGN },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'key_conflict' },
    },
    {
      name: 'with a key that is not shown, while vault and row name different keys: the bot is blocked',
      bot: { ...sent, public_key: FOREIGN },
      shown: { has_safe: true },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'key_conflict' },
    },
    {
      name: 'with the key that both the row and the vault name: the bot is confirmed',
      bot: { ...sent, public_key: OURS },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'confirm' },
    },
    {
      name: 'with another key, and already registered: the bot is blocked',
      bot: { state: 'registered', ...sent },
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'key_changed' },
    },
    {
      name: 'with a key that the vault has no more, and already registered: the bot is blocked',
      bot: { state: 'registered', ...sent },
      shown: { has_safe: true, spend_public_key: OURS },
      ours: {},
      decision: { kind: 'block', reason: 'key_changed' },
    },
    {
      name: 'with one of the two forms of the listed key: the key is adopted',
      shown: { has_safe: true, spend_public_key: LISTED },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'adopt' },
    },
    {
      name: 'with neither form of the listed key: the bot is external',
      shown: { has_safe: true, spend_public_key: OURS },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
    {
      name: 'with a key that is not shown, and one is listed: the bot is external',
      shown: { has_safe: true },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'mark_external', reason: 'key_not_shown' },
    },
    {
      name: 'with another key, and already external: the bot stays external',
      bot: { state: 'external' },
      shown: { has_safe: true, spend_public_key: FOREIGN },
      ours: {},
      decision: { kind: 'mark_external', reason: 'external_key' },
    },
  ])('a bot in Safe $name', check);
});

describe('a bot that is not in Safe', () => {
  test.each<Case>([
    {
      name: 'and without a PIN: the TIP PIN is set first',
      shown: {},
      ours: {},
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'and without a PIN, although a TIP key is listed: the TIP PIN is set first',
      shown: {},
      ours: { tip: [TIP] },
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'with a six-digit PIN that is listed: the PIN is upgraded',
      shown: { has_pin: true },
      ours: { has_pin: true },
      decision: { kind: 'register', pin: 'upgrade' },
    },
    {
      name: 'with a six-digit PIN after a wrong one: the bot is blocked and no other PIN is tried',
      bot: { wrong_pin_at: isoTime(-5) },
      shown: { has_pin: true },
      ours: { has_pin: true },
      decision: { kind: 'block', reason: 'wrong_pin' },
    },
    {
      name: 'and without a PIN, although a six-digit PIN is listed: the TIP PIN is set first',
      shown: {},
      ours: { has_pin: true },
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'with a listed TIP key as its PIN, although six digits are listed too: the TIP key signs',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { has_pin: true, tip: [FOREIGN, TIP] },
      decision: { kind: 'register', pin: 'tip' },
    },
    {
      name: 'with the listed spend key as its PIN: this shows the form of the key, and the bot is registered',
      shown: { has_pin: true, tip_public_key: LISTED },
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'register', pin: 'listed' },
    },
    {
      name: 'with a listed spend key whose form nothing shows: the bot is blocked',
      shown: {},
      ours: { listed: [FOREIGN, LISTED] },
      decision: { kind: 'block', reason: 'key_form_unknown' },
    },
    {
      name: 'with a TIP key and a listed spend key whose form nothing shows: the bot is blocked',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { listed: [FOREIGN, LISTED], tip: [TIP] },
      decision: { kind: 'block', reason: 'key_form_unknown' },
    },
    {
      name: 'with a six-digit PIN that is not listed: the bot is blocked',
      shown: { has_pin: true },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'six_digit_pin' },
    },
    {
      name: 'with our PIN accepted but not shown: the bot waits, and the PIN is not set twice',
      bot: { pin_set_at: isoTime(-5) },
      shown: {},
      ours: { spend: OURS },
      decision: { kind: 'wait', reason: 'pin_not_visible' },
    },
    {
      name: 'with our PIN accepted and only has_pin shown: the bot waits',
      bot: { pin_set_at: isoTime(-5) },
      shown: { has_pin: true },
      ours: { spend: OURS },
      decision: { kind: 'wait', reason: 'pin_not_visible' },
    },
    {
      name: 'with our PIN sent, its answer lost and no PIN shown: the PIN is set, because the GET shows that it was not',
      bot: { state: 'unsure', pin_sent_at: isoTime(-500) },
      shown: {},
      ours: { spend: OURS },
      decision: { kind: 'register', pin: 'unset' },
    },
    {
      name: 'with our registration accepted but not shown: the bot waits, and nothing is sent twice',
      bot: { state: 'unsure', pin_set_at: isoTime(-9), safe_set_at: isoTime(-5) },
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'wait', reason: 'not_confirmed' },
    },
    {
      name: 'with our registration sent, its answer lost and nothing shown: it is sent, because the GET shows that it was not',
      bot: { state: 'unsure', safe_sent_at: isoTime(-500) },
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'register', pin: 'spend' },
    },
    {
      name: 'with our spend key as its PIN: the spend key signs',
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'register', pin: 'spend' },
    },
    {
      name: 'with the listed TIP key as its PIN: the TIP key signs',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { spend: OURS, tip: [TIP] },
      decision: { kind: 'register', pin: 'tip' },
    },
    {
      name: 'with the listed TIP key as its PIN and no spend key yet: the TIP key signs',
      shown: { has_pin: true, tip_public_key: TIP },
      ours: { tip: [TIP] },
      decision: { kind: 'register', pin: 'tip' },
    },
    {
      name: 'with one key as spend key and TIP key: it signs',
      shown: { has_pin: true, tip_public_key: OURS },
      ours: { spend: OURS, tip: [OURS] },
      decision: { kind: 'register', pin: 'spend' },
    },
    {
      name: 'with an unknown key as its PIN, and none is listed: the bot is blocked',
      shown: { has_pin: true, tip_public_key: FOREIGN },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'tip_key_missing' },
    },
    {
      name: 'with another TIP key than the listed one: the bot is blocked',
      shown: { has_pin: true, tip_public_key: FOREIGN },
      ours: { spend: OURS, tip: [TIP] },
      decision: { kind: 'block', reason: 'tip_key_mismatch' },
    },
    {
      name: 'although registered: the bot is blocked',
      bot: { state: 'registered' },
      shown: { tip_public_key: OURS },
      ours: { spend: OURS },
      decision: { kind: 'block', reason: 'safe_lost' },
    },
    {
      name: 'although external: the bot is blocked',
      bot: { state: 'external' },
      shown: {},
      ours: {},
      decision: { kind: 'block', reason: 'safe_lost' },
    },
  ])('a bot outside Safe $name', check);
});

test('a bot is never confirmed with a key that is not ours, in whatever state', () => {
  for (const state of states)
    for (const safe_sent_at of [undefined, isoTime(-5)]) {
      const bot = buildBot({ state, ...(safe_sent_at && { safe_sent_at }) });
      const shown = profile({ has_safe: true, spend_public_key: FOREIGN });
      expect(
        decide(bot, shown, createPublicKeys({ spend: OURS, tip: [TIP], listed: [LISTED] })).kind,
        state,
      ).not.toBe('confirm');
    }
});
