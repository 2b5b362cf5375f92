import { verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MixinClient, MixinRequest } from '../../lib/mixin/client.ts';
import { createMixinError } from '../../lib/mixin/errors.ts';
import { createMixinSafe } from '../../lib/mixin/safe.ts';
import { openPin, openUnder } from './decrypt.ts';
import { aesKeys, createRsaKeystore } from './rsa-sessions.ts';
import { bytes, iterator, iv, keystore, nowMs, vectors } from './vectors.ts';

const { inputs, v2, v3, v4, v5, v6 } = vectors;
const spendKey = inputs.spend_seed;
const otherKey = inputs.server_seed;

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
    callOpen: () => {
      throw new Error('these calls must be signed');
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

test('readProfile sends GET /safe/me', async () => {
  const { calls, safe } = setUp();
  expect(await safe.readProfile(keystore)).toEqual(profile);
  expect(calls).toEqual([{ session_id, method: 'GET', path: '/safe/me' }]);
});

const VALID_UNTIL_MS = Date.UTC(2030, 0, 1);
const callOf = (iterator: bigint) => ({ iterator, validUntilMs: VALID_UNTIL_MS });

test('setTipPin sends POST /pin/update with the frozen set-up PIN', async () => {
  const { calls, safe } = setUp();
  expect(await safe.setTipPin(keystore, spendKey, callOf(iterator))).toEqual(profile);
  const pin_base64 = v5.cases[0]?.b64_rawurl;
  const body = { old_pin_base64: '', pin_base64 };
  expect(calls).toEqual([
    { session_id, method: 'POST', path: '/pin/update', validUntilMs: VALID_UNTIL_MS, body },
  ]);
});

describe('registerSafe: POST /safe/users', () => {
  test.each([
    ['shipped', v2.signature_b64rawurl],
    ['documented', v3.tip_signature_hex],
  ] as const)(
    'registerSafe sends POST /safe/users as %s, with the frozen signature and PIN',
    async (form, signature) => {
      const { calls, safe } = setUp(user, form);
      expect(await safe.registerSafe(keystore, spendKey, spendKey, callOf(iterator))).toEqual(profile);
      const body = { public_key: inputs.spend_pub, signature, pin_base64: v5.cases[1]?.b64_rawurl };
      expect(calls).toEqual([
        { session_id, method: 'POST', path: '/safe/users', validUntilMs: VALID_UNTIL_MS, body },
      ]);
    },
  );

  test('another TIP key changes only the PIN of a registration', async () => {
    const { calls, safe } = setUp();
    await safe.registerSafe(keystore, spendKey, otherKey, callOf(7n));
    const body = calls[0]?.body ?? {};
    expect(body).toMatchObject({ public_key: inputs.spend_pub, signature: v2.signature_b64rawurl });
    const plain = openPin(String(body.pin_base64), keystore);
    expect(plain).toMatchObject({ unixSeconds: BigInt(inputs.now_unix), iterator: 7n });
    expect(plain.pinBytes).toHaveLength(128);
    expect(plain.pinBytes).not.toBe(v3.tip_signature_hex);
  });

  test('a registration signs a user id in capitals in lower case', async () => {
    const { calls, safe } = setUp();
    const capitals = { ...keystore, app_id: keystore.app_id.toUpperCase() };
    await safe.registerSafe(capitals, spendKey, spendKey, callOf(iterator));
    expect(calls[0]?.body).toMatchObject({ signature: v2.signature_b64rawurl });
  });
});

test('the PIN of a set-up is the public key of the TIP seed with counter 1', async () => {
  const { calls, safe } = setUp();
  await safe.setTipPin(keystore, spendKey, callOf(1n));
  const plain = openPin(String(calls[0]?.body?.pin_base64), keystore);
  expect(plain).toMatchObject({ pinBytes: v4.msg_counter1, iterator: 1n });
});

describe('an account with a six-digit PIN', () => {
  const readBody = (calls: readonly Call[]): Readonly<Record<string, unknown>> => calls[0]?.body ?? {};

  test('setTipPin sends the six-digit PIN and the TIP key, with the next iterator, in one POST', async () => {
    const { calls, safe } = setUp();
    expect(await safe.setTipPin(keystore, spendKey, callOf(7n), '123456')).toEqual(profile);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      session_id,
      method: 'POST',
      path: '/pin/update',
      validUntilMs: VALID_UNTIL_MS,
    });
    expect(Object.keys(readBody(calls))).toEqual(['old_pin_base64', 'pin_base64']);
    expect(openPin(String(readBody(calls).old_pin_base64), keystore)).toMatchObject({
      pinBytes: '313233343536',
      iterator: 7n,
      unixSeconds: BigInt(inputs.now_unix),
    });
    expect(openPin(String(readBody(calls).pin_base64), keystore)).toMatchObject({
      pinBytes: v4.msg_counter1,
      iterator: 8n,
      unixSeconds: BigInt(inputs.now_unix),
    });
  });

  test('six digits are encrypted as in the frozen facts', async () => {
    const { calls, safe } = setUp();
    await safe.setTipPin(keystore, spendKey, callOf(iterator), '123456');
    expect(readBody(calls).old_pin_base64).toBe(v5.cases[2]?.b64_rawurl);
  });

  test('the six-digit PIN and the TIP key are encrypted with random bytes of their own', async () => {
    let byte = 0;
    const calls: MixinRequest[] = [];
    const client: MixinClient = {
      call: async (_, request) => {
        calls.push(request);
        return { data: user, request_id: inputs.request_id };
      },
      callOpen: () => Promise.reject(new Error('not signed')),
    };
    const randomBytes = (length: number) => {
      byte += 1;
      return new Uint8Array(length).fill(byte);
    };
    const safe = createMixinSafe(client, {
      now: () => nowMs,
      randomBytes,
      registrationSignature: 'shipped',
    });
    await safe.setTipPin(keystore, spendKey, callOf(1n), '000000');
    const { old_pin_base64, pin_base64 } = calls[0]?.body ?? {};
    expect(openPin(String(old_pin_base64), keystore).iv).toBe('01'.repeat(16));
    expect(openPin(String(pin_base64), keystore).iv).toBe('02'.repeat(16));
  });

  test.each(['12345', '1234567', 'abcdef', ''])(
    '%j is not a six-digit PIN, and nothing is sent',
    async (pin) => {
      const { calls, safe } = setUp();
      await expect(safe.setTipPin(keystore, spendKey, callOf(1n), pin)).rejects.toMatchObject({
        code: 'bad_keystore',
      });
      expect(calls).toHaveLength(0);
    },
  );

  test('setTipPin with a six-digit PIN needs room for two iterators', async () => {
    const { calls, safe } = setUp();
    const last = 2n ** 64n - 1n;
    await expect(safe.setTipPin(keystore, spendKey, callOf(last), '123456')).rejects.toThrow(RangeError);
    expect(calls).toHaveLength(0);
    await safe.setTipPin(keystore, spendKey, callOf(last - 1n), '123456');
    expect(calls).toHaveLength(1);
  });
});

describe('readPinErrors: GET /logs', () => {
  test('readPinErrors sends GET /logs for five wrong PINs', async () => {
    const { calls, safe } = setUp([{ created_at: '2026-11-21T10:00:00Z' }]);
    expect(await safe.readPinErrors(keystore)).toEqual(['2026-11-21T10:00:00.000Z']);
    expect(calls).toEqual([{ session_id, method: 'GET', path: '/logs?category=PIN_INCORRECT&limit=5' }]);
  });

  test('a log that cannot be read has the verdict again', async () => {
    const { safe } = setUp({ logs: [] });
    await expect(safe.readPinErrors(keystore)).rejects.toMatchObject({
      code: 'broken_answer',
      verdict: 'again',
      request_id: inputs.request_id,
    });
  });
});

describe('keys as scalars, and RSA sessions', () => {
  test('a scalar sets and registers the key that its seed would', async () => {
    const { calls, safe } = setUp();
    const scalar = `scalar:${v6.scalar_hex}`;
    await safe.setTipPin(keystore, scalar, callOf(iterator));
    await safe.registerSafe(keystore, scalar, scalar, callOf(iterator));
    expect(calls[0]?.body?.pin_base64).toBe(v5.cases[0]?.b64_rawurl);
    expect(calls[1]?.body?.public_key).toBe(inputs.spend_pub);
    const { pinBytes } = openPin(String(calls[1]?.body?.pin_base64), keystore);
    const digest = bytes(v3.tip_body_sha256);
    expect(await verifyAsync(bytes(pinBytes), digest, bytes(inputs.spend_pub))).toBe(true);
  });

  test('an RSA session encrypts with the key that its pin_token holds', async () => {
    await fc.assert(
      fc.asyncProperty(aesKeys, async (aesKey) => {
        const { calls, safe } = setUp();
        await safe.registerSafe(createRsaKeystore(aesKey), spendKey, spendKey, callOf(3n));
        const body = calls[0]?.body ?? {};
        expect(body).toMatchObject({ public_key: inputs.spend_pub, signature: v2.signature_b64rawurl });
        const plain = openUnder(aesKey, String(body.pin_base64));
        expect(plain).toMatchObject({ pinBytes: v3.tip_signature_hex, iterator: 3n });
      }),
      { numRuns: 10 },
    );
  });
});

describe('failures', () => {
  const otherUser = { ...user, user_id: inputs.session_id };

  test('the profile of another user is again on the GET and unsure on the POSTs', async () => {
    const { safe } = setUp(otherUser);
    const broken = (verdict: string) => ({ code: 'broken_answer', verdict, request_id: inputs.request_id });
    await expect(safe.readProfile(keystore)).rejects.toMatchObject(broken('again'));
    await expect(safe.setTipPin(keystore, spendKey, callOf(1n))).rejects.toMatchObject(broken('unsure'));
    const registering = safe.registerSafe(keystore, spendKey, spendKey, callOf(2n));
    await expect(registering).rejects.toMatchObject(broken('unsure'));
  });

  test('an error of the client is thrown unchanged, after one call', async () => {
    const error = createMixinError('rate_limited', { method: 'POST', mixin_code: 429 });
    const { calls, safe } = setUp(error);
    await expect(safe.setTipPin(keystore, spendKey, callOf(1n))).rejects.toBe(error);
    expect(calls).toHaveLength(1);
  });

  test('a keystore that cannot encrypt makes no call', async () => {
    const { calls, safe } = setUp();
    const broken = { ...keystore, server_public_key: '00'.repeat(32) };
    const refused = { code: 'bad_keystore', verdict: 'never' };
    await expect(safe.setTipPin(broken, spendKey, callOf(1n))).rejects.toMatchObject(refused);
    await expect(safe.registerSafe(broken, spendKey, spendKey, callOf(1n))).rejects.toMatchObject(refused);
    expect(calls).toHaveLength(0);
  });
});
