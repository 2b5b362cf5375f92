import { edwards25519, sharedEd25519Key } from '@mixin.dev/mixin-node-sdk';
import { Point, verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesOfHex,
  isPublicKey,
  publicKeyOf,
  sharedSecret,
  sign,
  toX25519PrivateKey,
  toX25519PublicKey,
} from '../../lib/mixin/keys.ts';
import { bots, keystoreOf, seeds } from './arbitraries.ts';
import { bytes, hex, vectors } from './vectors.ts';

const { inputs, v4, v5 } = vectors;
const badKeystore = expect.objectContaining({ code: 'bad_keystore', verdict: 'never' });

describe('the frozen facts', () => {
  test.each([
    [inputs.session_seed, inputs.session_pub],
    [inputs.server_seed, inputs.server_public_key],
    [inputs.spend_seed, inputs.spend_pub],
  ])('public key of %s', async (seed, publicKey) => {
    expect(await publicKeyOf(bytes(seed))).toBe(publicKey);
    expect(isPublicKey(publicKey)).toBe(true);
  });

  test('signature over the bytes as they are', async () => {
    const signature = await sign(Buffer.from(v4.verify_body), bytes(inputs.spend_seed));
    expect(hex(signature)).toBe(v4.verify_sig);
  });

  test('images on Curve25519 and the shared secret', () => {
    expect(hex(toX25519PrivateKey(bytes(inputs.session_seed)))).toBe(v5.session_x25519_priv_clamped);
    expect(hex(toX25519PublicKey(bytes(inputs.server_public_key)))).toBe(v5.server_x25519_pub_hex);
    const shared = sharedSecret(bytes(inputs.session_seed), bytes(inputs.server_public_key));
    expect(hex(shared)).toBe(v5.shared_key);
  });
});

describe('as the official SDK', () => {
  test('public keys on both curves', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const publicKey = await publicKeyOf(seed);
        expect(toX25519PublicKey(bytes(publicKey))).toEqual(
          new Uint8Array(edwards25519.edwardsToMontgomery(Buffer.from(publicKey, 'hex'))),
        );
        expect(toX25519PrivateKey(seed)).toEqual(
          new Uint8Array(edwards25519.edwardsToMontgomeryPriv(Buffer.from(seed))),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('shared secrets', async () => {
    await fc.assert(
      fc.asyncProperty(bots, async (bot) => {
        const keystore = await keystoreOf(bot);
        const ours = sharedSecret(bot.sessionSeed, bytes(keystore.server_public_key));
        expect(hex(ours)).toBe(sharedEd25519Key(keystore).toString('hex'));
      }),
      { numRuns: 30 },
    );
  });
});

test('a signature verifies under its key and no other message', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, fc.uint8Array(), async (seed, message) => {
      const [signature, publicKey] = [await sign(message, seed), bytes(await publicKeyOf(seed))];
      expect(await verifyAsync(signature, message, publicKey)).toBe(true);
      expect(await verifyAsync(signature, Uint8Array.of(...message, 0), publicKey)).toBe(false);
    }),
    { numRuns: 20 },
  );
});

describe('keys that are none', () => {
  test.each(['', 'ab', 'g'.repeat(64), '0'.repeat(63), '0'.repeat(66), ` ${'0'.repeat(63)}`])(
    'hex %j',
    (text) => {
      expect(() => bytesOfHex(text)).toThrow(badKeystore);
    },
  );

  test.each([0, 31, 33, 64])('a seed of %i bytes', async (length) => {
    await expect(publicKeyOf(new Uint8Array(length))).rejects.toThrow(badKeystore);
    await expect(sign(new Uint8Array(), new Uint8Array(length))).rejects.toThrow(badKeystore);
    expect(() => toX25519PrivateKey(new Uint8Array(length))).toThrow(badKeystore);
  });

  test.each([
    ['not on the curve', `02${'00'.repeat(31)}`],
    ['y beyond the field', 'ff'.repeat(32)],
    ['the identity, where u has no value', hex(Point.ZERO.toBytes())],
    ['of order 4', '00'.repeat(32)],
    ['of order 2', `ec${'ff'.repeat(30)}7f`],
    ['too short', '29acba'],
  ])('a server key %s', (_, publicKey) => {
    expect(isPublicKey(publicKey)).toBe(false);
    expect(() => toX25519PublicKey(bytes(publicKey))).toThrow(badKeystore);
    expect(() => sharedSecret(bytes(inputs.session_seed), bytes(publicKey))).toThrow(badKeystore);
  });
});
