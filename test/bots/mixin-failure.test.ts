import { describe, expect, test } from 'vitest';
import { retryDelaySeconds } from '../../lib/bots/backoff.ts';
import { reasonOf, type Trouble, troubleOf } from '../../lib/bots/mixin-failure.ts';
import {
  createMixinError,
  type MixinErrorCode,
  mixinErrorCodes,
  mixinErrors,
} from '../../lib/mixin/errors.ts';
import type { MixinError } from '../../lib/model/mixin-error.ts';

const DAY_SECONDS = 86_400;

/** What each error of a POST leads to. */
const afterPost: Readonly<Record<MixinErrorCode, Trouble['move']>> = {
  bad_keystore: 'block',
  invalid_request: 'fail',
  session_refused: 'block',
  clock_skew: 'postpone',
  forbidden: 'block',
  not_found: 'fail',
  rate_limited: 'postpone',
  pin_locked: 'postpone',
  server_error: 'mark_unsure',
  internal_error: 'mark_unsure',
  invalid_field: 'fail',
  sms_not_delivered: 'block',
  captcha_required: 'block',
  captcha_wrong: 'block',
  client_too_old: 'block',
  wallet_not_ready: 'postpone',
  not_in_safe: 'block',
  phone_invalid: 'block',
  no_identity_numbers: 'block',
  invitation_invalid: 'block',
  sms_code_wrong: 'block',
  sms_code_expired: 'block',
  legacy_pin: 'block',
  pin_refused: 'block',
  authorization_expired: 'block',
  phone_taken: 'block',
  too_many_apps: 'block',
  sms_too_often: 'postpone',
  no_connection: 'postpone',
  no_answer: 'mark_unsure',
  broken_answer: 'mark_unsure',
  unknown_error: 'block',
};
const cases = Object.entries(afterPost) as [MixinErrorCode, Trouble['move']][];

test('every error has its case here', () => {
  expect(Object.keys(afterPost).sort()).toEqual([...mixinErrorCodes].sort());
});

describe('a POST', () => {
  test.each(cases)('%s → %s', (code, move) => {
    const trouble = troubleOf(createMixinError(code, { method: 'POST' }), 0, 0);
    expect(trouble.move).toBe(move);
    expect(trouble.reason).toMatchObject({ code, fix: mixinErrors[code].fix });
  });
});

describe('a GET leaves nothing in doubt', () => {
  test.each(cases)('%s', (code, move) => {
    const trouble = troubleOf(createMixinError(code, { method: 'GET' }), 0, 0);
    expect(trouble.move).toBe(move === 'mark_unsure' ? 'postpone' : move);
  });
});

test.each(cases)('%s comes with a pause exactly where the bot comes back', (code, move) => {
  const { delaySeconds } = troubleOf(createMixinError(code), 3, 0.5);
  if (move === 'block' || move === 'fail') expect(delaySeconds).toBeUndefined();
  else if (code === 'pin_locked') expect(delaySeconds).toBeGreaterThanOrEqual(DAY_SECONDS);
  else expect(delaySeconds).toBe(retryDelaySeconds(3, 0.5));
});

test('a PIN lock is waited out at the first try as at the hundredth', () => {
  for (const attempts of [0, 1, 100])
    expect(troubleOf(createMixinError('pin_locked'), attempts, 0).delaySeconds).toBeGreaterThanOrEqual(
      DAY_SECONDS,
    );
});

test('a reason names the field or the skew, and is the same for every bot that meets it', () => {
  const reason = (details: ConstructorParameters<typeof MixinError>[1]) =>
    reasonOf(createMixinError('invalid_field', { request_id: crypto.randomUUID(), ...details })).message;
  expect(reason({ field: 'public_key' })).toBe('Mixin refused a field of the request. (field public_key)');
  expect(reason({ skew_seconds: -90 })).toBe('Mixin refused a field of the request. (-90 s)');
  expect(reason({ field: 'x', status: 202 })).toBe(reason({ field: 'x', status: 500 }));
});
