import { describe, expect, test } from 'vitest';
import { readProfile } from '../../lib/mixin/profile.ts';
import { vectors } from './vectors.ts';

const { inputs, v5 } = vectors;
const { user_id, request_id, spend_pub } = inputs;

const user = {
  user_id,
  identity_number: '7000',
  session_id: inputs.session_id,
  has_pin: true,
  has_safe: true,
  tip_key_base64: '',
  tip_counter: 1,
};

const read = (data: unknown, method: 'GET' | 'POST' = 'GET') =>
  readProfile({ data, request_id }, user_id, method);

test('a profile has only the fields that Enlist uses', () => {
  expect(read(user)).toEqual({
    user_id,
    has_pin: true,
    has_safe: true,
    tip_public_key: '',
    request_id,
  });
});

test('the user id is compared and stored in lower case', () => {
  expect(read({ ...user, user_id: user_id.toUpperCase() }).user_id).toBe(user_id);
  const capitals = readProfile({ data: user, request_id }, user_id.toUpperCase(), 'GET');
  expect(capitals.user_id).toBe(user_id);
});

describe('the TIP key', () => {
  test.each([v5.pin_token_base64_rawurl, v5.pin_token_base64_std, v5.pin_token_base64_std.slice(0, -1)])(
    'the TIP key is read from %s',
    (tip_key_base64) => {
      expect(read({ ...user, tip_key_base64 }).tip_public_key).toBe(v5.server_x25519_pub_hex);
    },
  );
});

describe('the spend key', () => {
  const capitals = spend_pub.toUpperCase();
  test.each([
    ['of the user', { spend_public_key: capitals }, spend_pub],
    ['of its app', { app: { spend_public_key: capitals } }, spend_pub],
    [
      'of the user before its app',
      { spend_public_key: spend_pub, app: { spend_public_key: '1'.repeat(64) } },
      spend_pub,
    ],
    [
      'of its app where the user has an empty one',
      { spend_public_key: '', app: { spend_public_key: spend_pub } },
      spend_pub,
    ],
    ['missing', {}, undefined],
    ['empty', { spend_public_key: '' }, undefined],
    ['null', { spend_public_key: null, app: null }, undefined],
    ['of another shape', { spend_public_key: 'ab', app: 'none' }, undefined],
  ])('the spend key of a profile: %s', (_, fields, expected) => {
    const profile = read({ ...user, ...fields });
    expect(profile.spend_public_key).toBe(expected);
    expect('spend_public_key' in profile).toBe(expected !== undefined);
  });
});

const { has_pin: _pin, ...withoutPin } = user;
const { has_safe: _safe, ...withoutSafe } = user;
const { tip_key_base64: _tip, ...withoutTip } = user;

describe('invalid profiles', () => {
  test.each([
    ['another user', { ...user, user_id: inputs.session_id }],
    ['no user id', { ...user, user_id: undefined }],
    ['no has_pin', withoutPin],
    ['no has_safe', withoutSafe],
    ['no tip_key_base64', withoutTip],
    ['has_safe as text', { ...user, has_safe: 'true' }],
    ['a TIP key too short', { ...user, tip_key_base64: 'AAAA' }],
    ['a TIP key in hex', { ...user, tip_key_base64: spend_pub }],
    ['a TIP key that is not base64', { ...user, tip_key_base64: '!'.repeat(43) }],
    ['a list', [user]],
    ['a text', 'user'],
  ])('a profile is refused: %s', (_, data) => {
    const broken = (verdict: string) =>
      expect.objectContaining({ name: 'MixinError', code: 'broken_answer', verdict, request_id });
    expect(() => read(data, 'GET')).toThrow(broken('again'));
    expect(() => read(data, 'POST')).toThrow(broken('unsure'));
  });

  test('an invalid profile is not quoted', () => {
    const data = { ...user, has_safe: 'CANARY', tip_key_base64: 'CANARY' };
    expect(() => read(data)).toThrow(/^(?!.*CANARY)/s);
  });
});
