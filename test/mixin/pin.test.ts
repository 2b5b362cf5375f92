import { getTipPinUpdateMsg, signEd25519PIN, TIPBodyForSequencerRegister } from '@mixin.dev/mixin-node-sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mixinErrors } from '../../lib/mixin/errors.ts';
import { derivePublicKey, sign } from '../../lib/mixin/keys.ts';
import { digestRegistration, encodeDigits, encodeTipSetUp, encryptPin } from '../../lib/mixin/pin.ts';
import { bots, createKeystore, seeds } from './arbitraries.ts';
import { openPin, openUnder } from './decrypt.ts';
import { aesKeys, createRsaKeystore, pinTokenFor } from './rsa-sessions.ts';
import { bytes, hex, iv, keystore, vectors } from './vectors.ts';

const { inputs, v3, v4, v5 } = vectors;

describe('the frozen facts', () => {
  test.each(v5.cases)(
    'an encrypted PIN equals the frozen one: $name',
    ({ pin_bytes, iterator, b64_rawurl, wire_len }) => {
      const pin = encryptPin({
        keystore,
        pinBytes: bytes(pin_bytes),
        unixSeconds: inputs.now_unix,
        iterator: BigInt(iterator),
        iv,
      });
      expect(pin).toBe(b64_rawurl);
      expect(Buffer.from(pin, 'base64url')).toHaveLength(wire_len);
    },
  );

  test('the set-up message equals the frozen one', () => {
    expect(hex(encodeTipSetUp(inputs.spend_pub))).toBe(v4.msg_counter1);
    expect(hex(encodeTipSetUp(inputs.spend_pub, 2n))).toBe(v4.msg_counter2);
    expect(encodeTipSetUp(inputs.spend_pub)).toHaveLength(v4.len);
  });

  test('the digest and signature of a registration equal the frozen ones', async () => {
    const digest = digestRegistration(inputs.user_id, inputs.spend_pub);
    expect(hex(digest)).toBe(v3.tip_body_sha256);
    expect(hex(await sign(digest, inputs.spend_seed))).toBe(v3.tip_signature_hex);
  });

  test('the PIN that the Dart SDK publishes decrypts to the same layout', () => {
    expect(openUnder(bytes(vectors.dart.shared), vectors.dart.o)).toMatchObject({
      pinBytes: hex(Buffer.from('123456')),
      unixSeconds: 1_658_399_540n,
      iterator: 1n,
    });
  });
});

const pins = fc.record({
  bot: bots,
  pinBytes: fc.uint8Array({ maxLength: 80 }),
  unixSeconds: fc.integer({ min: 0, max: 2 ** 33 }),
  iterator: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  iv: fc.uint8Array({ minLength: 16, maxLength: 16 }),
});

describe('comparison with the official SDK', () => {
  test('our PIN decrypts with the shared secret of the official SDK', async () => {
    await fc.assert(
      fc.asyncProperty(pins, async ({ bot, ...pin }) => {
        const own = await createKeystore(bot);
        expect(openPin(encryptPin({ keystore: own, ...pin }), own)).toEqual({
          iv: hex(pin.iv),
          pinBytes: hex(pin.pinBytes),
          unixSeconds: BigInt(pin.unixSeconds),
          iterator: pin.iterator,
        });
      }),
      { numRuns: 40 },
    );
  });

  test('the PIN of the official SDK is ours, byte for byte, with the same time, iterator and IV', async () => {
    await fc.assert(
      fc.asyncProperty(bots, fc.uint8Array({ minLength: 1, maxLength: 80 }), async (bot, pinBytes) => {
        const own = await createKeystore(bot);
        const theirs = signEd25519PIN(hex(pinBytes), own);
        const plain = openPin(theirs, own);
        const ours = encryptPin({
          keystore: own,
          pinBytes,
          unixSeconds: Number(plain.unixSeconds),
          iterator: plain.iterator,
          iv: bytes(plain.iv),
        });
        expect(ours).toBe(theirs);
      }),
      { numRuns: 30 },
    );
  });

  test('set-up messages and registration digests equal those of the official SDK', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.uuid(), fc.nat(), async (seed, user_id, counter) => {
        const publicKey = await derivePublicKey(hex(seed));
        const theirs = getTipPinUpdateMsg(Buffer.from(publicKey, 'hex'), counter);
        expect(hex(encodeTipSetUp(publicKey, BigInt(counter)))).toBe(theirs.toString('hex'));
        const digest = TIPBodyForSequencerRegister(user_id, publicKey);
        expect(hex(digestRegistration(user_id, publicKey))).toBe(digest.toString('hex'));
      }),
      { numRuns: 30 },
    );
  });
});

test.each([0n, -1n, 2n ** 64n])('the iterator %s is refused', (iterator) => {
  const pin = { keystore, pinBytes: new Uint8Array(6), unixSeconds: 1, iterator, iv };
  expect(() => encryptPin(pin)).toThrow(RangeError);
});

test('a server key that is not a point is refused', () => {
  const own = { ...keystore, server_public_key: `02${'00'.repeat(31)}` };
  const pin = { keystore: own, pinBytes: new Uint8Array(6), unixSeconds: 1, iterator: 1n, iv };
  expect(() => encryptPin(pin)).toThrow(expect.objectContaining({ code: 'bad_keystore' }));
});

test('six digits are encrypted as ASCII, as in the frozen facts', () => {
  expect(hex(encodeDigits('123456'))).toBe(v5.cases[2]?.pin_bytes);
});

test.each(['', '12345', '1234567', '12345a', ' 12345', '123456\n', '１２３４５６'])(
  '%j is not a six-digit PIN',
  (pin) => {
    expect(() => encodeDigits(pin)).toThrow(expect.objectContaining({ code: 'bad_keystore' }));
  },
);

describe('an RSA session', () => {
  test('the PIN of an RSA session decrypts with the key that Mixin put into the pin_token', async () => {
    await fc.assert(
      fc.asyncProperty(aesKeys, pins, async (aesKey, { bot: _, ...pin }) => {
        const plain = openUnder(aesKey, encryptPin({ keystore: createRsaKeystore(aesKey), ...pin }));
        expect(plain).toEqual({
          iv: hex(pin.iv),
          pinBytes: hex(pin.pinBytes),
          unixSeconds: BigInt(pin.unixSeconds),
          iterator: pin.iterator,
        });
      }),
      { numRuns: 20 },
    );
  });

  test.each([
    ['for another session', pinTokenFor(Buffer.alloc(32, 1), inputs.user_id)],
    ['with no AES key in it', pinTokenFor(Buffer.alloc(20, 1), inputs.session_id)],
    ['that is noise', Buffer.alloc(128, 7).toString('base64')],
    ['that is too short', v5.pin_token_base64_std],
  ])('a pin_token %s is refused, and not quoted', (_, pin_token) => {
    const own = { ...createRsaKeystore(Buffer.alloc(32, 1)), pin_token };
    const pin = { keystore: own, pinBytes: new Uint8Array(6), unixSeconds: 1, iterator: 1n, iv };
    expect(() => encryptPin(pin)).toThrow(expect.objectContaining({ code: 'bad_keystore' }));
    expect(() => encryptPin(pin)).toThrow(mixinErrors.bad_keystore.message);
  });
});
