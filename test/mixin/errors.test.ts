import { expect, test } from 'vitest';
import {
  createMixinError,
  decideVerdict,
  findCode,
  mixinErrorCodes,
  mixinErrors,
} from '../../lib/mixin/errors.ts';

test.each(mixinErrorCodes)('the error %s says what happened and what to do', (code) => {
  const { message, fix } = mixinErrors[code];
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  expect(message).toMatch(/^[A-Z].{15,}\.$/);
  expect(fix).toMatch(/^[A-Z].{10,}\.$/);
});

test('every number of the protocol sheet has its code', () => {
  const numbers = {
    400: 'invalid_request',
    401: 'session_refused',
    403: 'forbidden',
    404: 'not_found',
    429: 'rate_limited',
    500: 'server_error',
    503: 'server_error',
    7000: 'server_error',
    7001: 'server_error',
    10001: 'internal_error',
    10002: 'invalid_field',
    10003: 'sms_not_delivered',
    10004: 'captcha_wrong',
    10005: 'captcha_required',
    10006: 'client_too_old',
    10104: 'wallet_not_ready',
    10105: 'wallet_not_ready',
    10106: 'wallet_not_ready',
    10404: 'not_in_safe',
    20110: 'phone_invalid',
    20111: 'no_identity_numbers',
    20112: 'invitation_invalid',
    20113: 'sms_code_wrong',
    20114: 'sms_code_expired',
    20118: 'legacy_pin',
    20119: 'pin_refused',
    20121: 'authorization_expired',
    20122: 'phone_taken',
    20123: 'too_many_apps',
    20129: 'sms_too_often',
    30100: 'wallet_not_ready',
    30103: 'wallet_not_ready',
    424242: 'unknown_error',
    0: 'unknown_error',
  };
  const codes = Object.fromEntries(Object.keys(numbers).map((number) => [number, findCode(Number(number))]));
  expect(codes).toEqual(numbers);
});

test('a number belongs to one code, but for the two that mean two things', () => {
  const codesByNumber = new Map<number, string[]>();
  for (const code of mixinErrorCodes) {
    for (const number of mixinErrors[code].mixin_codes)
      codesByNumber.set(number, [...(codesByNumber.get(number) ?? []), code]);
  }
  const shared = [...codesByNumber].filter(([, codes]) => codes.length > 1);
  expect(shared).toEqual([
    [401, ['session_refused', 'clock_skew']],
    [404, ['not_found', 'wrong_address']],
  ]);
});

test('a POST is unsure exactly where its outcome is unknown, and then the verdict of a GET is again', () => {
  const unsure = mixinErrorCodes.filter((code) => decideVerdict(code, 'POST') === 'unsure');
  expect(unsure).toEqual(['wrong_address', 'server_error', 'internal_error', 'no_answer', 'broken_answer']);
  for (const code of mixinErrorCodes) {
    const expected = unsure.includes(code) ? 'again' : decideVerdict(code, 'POST');
    expect(decideVerdict(code, 'GET')).toBe(expected);
  }
});

test('only a passing condition lets a call be sent again; every other refusal is final', () => {
  const again = mixinErrorCodes.filter((code) => decideVerdict(code, 'POST') === 'again');
  expect(again).toEqual([
    'clock_skew',
    'rate_limited',
    'wallet_not_ready',
    'sms_too_often',
    'too_late',
    'no_connection',
  ]);
});

test('an error has its facts beside its message', () => {
  const error = createMixinError('pin_refused', {
    method: 'POST',
    mixin_code: 20119,
    status: 202,
    request_id: '11111111-2222-4333-8444-555555555555',
  });
  expect(error).toMatchObject({
    name: 'MixinError',
    code: 'pin_refused',
    verdict: 'never',
    fix: mixinErrors.pin_refused.fix,
    mixin_code: 20119,
    status: 202,
    request_id: '11111111-2222-4333-8444-555555555555',
  });
  expect(error.message).toBe(mixinErrors.pin_refused.message);
  expect(error.cause).toBeUndefined();
});

test('an error without facts has its message and the verdict of a POST', () => {
  const error = createMixinError('no_answer', { cause: 'ECONNRESET' });
  expect(error.message).toBe(mixinErrors.no_answer.message);
  expect(error.verdict).toBe('unsure');
  expect(error.cause).toBe('ECONNRESET');
});

test('what to do is true of every call and does not say what Enlist does next', () => {
  for (const code of mixinErrorCodes) {
    expect(mixinErrors[code].fix).not.toMatch(/looked at again|is made again later|^Nothing/);
  }
});

test('an error says which captcha it is about', () => {
  expect(createMixinError('captcha_wrong', { captcha: 'geetest' }).captcha).toBe('geetest');
  expect(createMixinError('captcha_wrong').captcha).toBeUndefined();
});
