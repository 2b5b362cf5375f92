import { describe, expect, test } from 'vitest';
import type { MixinClient, MixinRequest } from '../../lib/mixin/client.ts';
import { MixinError } from '../../lib/mixin/errors.ts';
import { createMixinSafe } from '../../lib/mixin/safe.ts';
import { openPin } from './decrypt.ts';
import { bytes, iterator, iv, keystore, nowMs, vectors } from './vectors.ts';

const { inputs, v2, v3, v4, v5 } = vectors;
const spendSeed = bytes(inputs.spend_seed);
const otherSeed = bytes(inputs.server_seed);

const user = { user_id: inputs.user_id, has_pin: true, has_safe: true, tip_key_base64: '' };

interface Call extends MixinRequest {
  readonly session_id: string;
}

const setUp = (data: unknown = user, form: 'shipped' | 'documented' = 'shipped') => {
  const calls: Call[] = [];
  const client: MixinClient = {
    call: async (own, request) => {
      calls.push({ ...request, session_id: own.session_id });
      if (data instanceof Error) throw data;
      return { data, request_id: inputs.request_id };
    },
  };
  const options = { now: () => nowMs + 999, randomBytes: () => iv, registrationSignature: form };
  return { calls, safe: createMixinSafe(client, options) };
};

const profile = {
  user_id: inputs.user_id,
  has_pin: true,
  has_safe: true,
  tip_public_key: '',
  request_id: inputs.request_id,
};
const { session_id } = inputs;

test('readProfile: GET /safe/me', async () => {
  const { calls, safe } = setUp();
  expect(await safe.readProfile(keystore)).toEqual(profile);
  expect(calls).toEqual([{ session_id, method: 'GET', path: '/safe/me' }]);
});

test('setTipPin: POST /pin/update with the frozen set-up PIN', async () => {
  const { calls, safe } = setUp();
  expect(await safe.setTipPin(keystore, spendSeed, iterator)).toEqual(profile);
  const pin_base64 = v5.cases[0]?.b64_rawurl;
  const body = { old_pin_base64: '', pin_base64 };
  expect(calls).toEqual([{ session_id, method: 'POST', path: '/pin/update', pin: true, body }]);
});

describe('registerSafe: POST /safe/users', () => {
  test.each([
    ['shipped', v2.signature_b64rawurl],
    ['documented', v3.tip_signature_hex],
  ] as const)('as %s, with the frozen signature and PIN', async (form, signature) => {
    const { calls, safe } = setUp(user, form);
    expect(await safe.registerSafe(keystore, spendSeed, spendSeed, iterator)).toEqual(profile);
    const body = { public_key: inputs.spend_pub, signature, pin_base64: v5.cases[1]?.b64_rawurl };
    expect(calls).toEqual([{ session_id, method: 'POST', path: '/safe/users', pin: true, body }]);
  });

  test('another TIP key changes the PIN only', async () => {
    const { calls, safe } = setUp();
    await safe.registerSafe(keystore, spendSeed, otherSeed, 7n);
    const body = calls[0]?.body ?? {};
    expect(body).toMatchObject({ public_key: inputs.spend_pub, signature: v2.signature_b64rawurl });
    const opened = openPin(String(body.pin_base64), keystore);
    expect(opened).toMatchObject({ unixSeconds: BigInt(inputs.now_unix), iterator: 7n });
    expect(opened.pinBytes).toHaveLength(128);
    expect(opened.pinBytes).not.toBe(v3.tip_signature_hex);
  });

  test('a user id in capitals is signed in lower case', async () => {
    const { calls, safe } = setUp();
    const shouted = { ...keystore, app_id: keystore.app_id.toUpperCase() };
    await safe.registerSafe(shouted, spendSeed, spendSeed, iterator);
    expect(calls[0]?.body).toMatchObject({ signature: v2.signature_b64rawurl });
  });
});

test('the PIN of a set-up is the public key of the TIP seed with counter 1', async () => {
  const { calls, safe } = setUp();
  await safe.setTipPin(keystore, spendSeed, 1n);
  const opened = openPin(String(calls[0]?.body?.pin_base64), keystore);
  expect(opened).toMatchObject({ pinBytes: v4.msg_counter1, iterator: 1n });
});

describe('trouble', () => {
  const stranger = { ...user, user_id: inputs.session_id };

  test('the profile of somebody else is again on the GET and unsure on the POSTs', async () => {
    const { safe } = setUp(stranger);
    const broken = (verdict: string) => ({ code: 'broken_answer', verdict, request_id: inputs.request_id });
    await expect(safe.readProfile(keystore)).rejects.toMatchObject(broken('again'));
    await expect(safe.setTipPin(keystore, spendSeed, 1n)).rejects.toMatchObject(broken('unsure'));
    const registering = safe.registerSafe(keystore, spendSeed, spendSeed, 2n);
    await expect(registering).rejects.toMatchObject(broken('unsure'));
  });

  test('an error of the client comes through as it is, after one call', async () => {
    const error = new MixinError('pin_locked', { method: 'POST', mixin_code: 429 });
    const { calls, safe } = setUp(error);
    await expect(safe.setTipPin(keystore, spendSeed, 1n)).rejects.toBe(error);
    expect(calls).toHaveLength(1);
  });

  test('a keystore that cannot encrypt makes no call', async () => {
    const { calls, safe } = setUp();
    const broken = { ...keystore, server_public_key: '00'.repeat(32) };
    const refused = { code: 'bad_keystore', verdict: 'never' };
    await expect(safe.setTipPin(broken, spendSeed, 1n)).rejects.toMatchObject(refused);
    await expect(safe.registerSafe(broken, spendSeed, spendSeed, 1n)).rejects.toMatchObject(refused);
    expect(calls).toHaveLength(0);
  });
});
