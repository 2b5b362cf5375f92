import { describe, expect, test } from 'vitest';
import {
  classifyMixinError,
  describeMixinError,
  type FailureOutcome,
  findPinLockEnd,
} from '../../lib/bots/mixin-failure.ts';
import {
  createMixinError,
  type MixinErrorCode,
  mixinErrorCodes,
  mixinErrors,
} from '../../lib/mixin/errors.ts';
import type { MixinError } from '../../lib/model/mixin-error.ts';

const DAY_SECONDS = 86_400;
/** The pause of the next attempt. */
const DELAY = 17;

/** What each error of a POST leads to. */
const afterPost: Readonly<Record<MixinErrorCode, FailureOutcome['move']>> = {
  bad_keystore: 'block',
  invalid_request: 'fail',
  session_refused: 'block',
  clock_skew: 'postpone',
  forbidden: 'block',
  not_found: 'fail',
  wrong_address: 'mark_unsure',
  too_late: 'postpone',
  rate_limited: 'postpone',
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
const cases = Object.entries(afterPost) as [MixinErrorCode, FailureOutcome['move']][];

test('this file tests every error of Mixin', () => {
  expect(Object.keys(afterPost).sort()).toEqual([...mixinErrorCodes].sort());
});

describe('after a failed POST', () => {
  test.each(cases)('after a failed POST %s leads to %s', (code, move) => {
    const outcome = classifyMixinError(createMixinError(code, { method: 'POST' }), DELAY);
    expect(outcome.move).toBe(move);
    expect(outcome.reason).toMatchObject({ code, fix: mixinErrors[code].fix });
  });
});

describe('after a failed GET', () => {
  test.each(cases)('after a failed GET %s never leads to mark_unsure', (code, move) => {
    const outcome = classifyMixinError(createMixinError(code, { method: 'GET' }), DELAY);
    expect(outcome.move).toBe(move === 'mark_unsure' ? 'postpone' : move);
  });
});

test.each(cases)('%s has a pause exactly when the bot is tried again', (code, move) => {
  const { delaySeconds } = classifyMixinError(createMixinError(code), DELAY);
  if (move === 'block' || move === 'fail') expect(delaySeconds).toBeUndefined();
  else expect(delaySeconds).toBe(DELAY);
});

describe('429 to a PIN call', () => {
  const nowMs = Date.parse('2026-11-21T12:00:00.000Z');
  const hoursAgo = (...hours: readonly number[]) =>
    hours.map((hour) => new Date(nowMs - hour * 3_600_000).toISOString());

  test('five wrong PINs within a day are a lock until the oldest is a day old', () => {
    expect(findPinLockEnd(hoursAgo(1, 2, 3, 4, 20), nowMs)).toBe('2026-11-21T16:00:00.000Z');
  });

  test('four wrong PINs, or five of which one is a day old, are no lock', () => {
    expect(findPinLockEnd([], nowMs)).toBeUndefined();
    expect(findPinLockEnd(hoursAgo(1, 2, 3, 4), nowMs)).toBeUndefined();
    expect(findPinLockEnd(hoursAgo(1, 2, 3, 4, 24), nowMs)).toBeUndefined();
  });

  test('429 soon after a proven lock means that the lock was extended; long after it, it does not', () => {
    const soon = findPinLockEnd([], nowMs, hoursAgo(1)[0]);
    expect(Date.parse(soon ?? '') - nowMs).toBeGreaterThan(DAY_SECONDS * 1_000);
    expect(findPinLockEnd([], nowMs, hoursAgo(26)[0])).toBeUndefined();
  });
});

test('a reason names the field or the clock skew, and is the same for every bot', () => {
  const reason = (details: ConstructorParameters<typeof MixinError>[1]) =>
    describeMixinError(createMixinError('invalid_field', { request_id: crypto.randomUUID(), ...details }))
      .message;
  expect(reason({ field: 'public_key' })).toBe('Mixin refused a field of the request. (field public_key)');
  expect(reason({ skew_seconds: -90 })).toBe('Mixin refused a field of the request. (-90 s)');
  expect(reason({ field: 'x', status: 202 })).toBe(reason({ field: 'x', status: 500 }));
});
