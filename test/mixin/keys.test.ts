import { createPublicKey, verify } from 'node:crypto';
import { edwards25519, sharedEd25519Key } from '@mixin.dev/mixin-node-sdk';
import { Point, verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as keys from '../../lib/mixin/keys.ts';
import {
  derivePublicKey,
  ed25519FromX25519,
  isPublicKey,
  isScalar,
  parseHexKey,
  sharedSecret,
  sign,
  toX25519PrivateKey,
  toX25519PublicKey,
} from '../../lib/mixin/keys.ts';
import type { Keys } from '../../lib/model/ports.ts';
import { bots, createKeystore, littleEndian, ORDER, scalarOfSeed, scalars, seeds } from './arbitraries.ts';
import { bytes, hex, vectors } from './vectors.ts';

const { inputs, v4, v5, v6 } = vectors;
const badKeystore = expect.objectContaining({ code: 'bad_keystore', verdict: 'never' });
const P = 2n ** 255n - 19n;

test('lib/mixin/keys.ts implements the interface Keys', () => {
  const implemented: Keys = keys;
  expect(Object.keys(keys)).toEqual(
    expect.arrayContaining(['generateRsaKey', 'canDecryptPinToken', 'readRsaKey']),
  );
  expect(implemented.isPublicKey).toBe(isPublicKey);
});

/** OpenSSL's verdict, by the JWK of RFC 8037. */
const nodeVerifies = (signature: Uint8Array, message: Uint8Array, publicKey: string): boolean => {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, message, key, signature);
};

describe('the frozen facts', () => {
  test.each([
    [inputs.session_seed, inputs.session_pub],
    [inputs.server_seed, inputs.server_public_key],
    [inputs.spend_seed, inputs.spend_pub],
    [`scalar:${v6.scalar_hex}`, v6.pub_from_scalar],
    [v6.scalar_hex, v6.pub_if_scalar_is_mistaken_for_seed],
  ])('the public key of %s is the frozen one', async (key, publicKey) => {
    expect(await derivePublicKey(key)).toBe(publicKey);
    expect(isPublicKey(publicKey)).toBe(true);
  });

  test('a signature is over the bytes as they are, and equals the frozen one', async () => {
    const signature = await sign(Buffer.from(v4.verify_body), inputs.spend_seed);
    expect(hex(signature)).toBe(v4.verify_sig);
  });

  test('the images on Curve25519 and the shared secret equal the frozen ones', () => {
    expect(hex(toX25519PrivateKey(bytes(inputs.session_seed)))).toBe(v5.session_x25519_priv_clamped);
    expect(hex(toX25519PublicKey(bytes(inputs.server_public_key)))).toBe(v5.server_x25519_pub_hex);
    const shared = sharedSecret(bytes(inputs.session_seed), bytes(inputs.server_public_key));
    expect(hex(shared)).toBe(v5.shared_key);
  });

  test('the point behind a pin_token differs from server_public_key in its sign only', () => {
    const point = bytes(inputs.server_public_key);
    expect(point[31]).toBeGreaterThan(127);
    point[31] = (point[31] ?? 0) & 127;
    expect(ed25519FromX25519(v5.server_x25519_pub_hex)).toBe(hex(point));
  });
});

describe('comparison with the official SDK', () => {
  test('public keys on both curves equal those of the official SDK', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const publicKey = await derivePublicKey(hex(seed));
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

  test('shared secrets equal those of the official SDK, by server_public_key and by pin_token', async () => {
    await fc.assert(
      fc.asyncProperty(bots, async (bot) => {
        const keystore = await createKeystore(bot);
        const ours = sharedSecret(bot.sessionSeed, bytes(keystore.server_public_key));
        expect(hex(ours)).toBe(sharedEd25519Key(keystore).toString('hex'));

        const image = toX25519PublicKey(bytes(keystore.server_public_key));
        const { server_public_key: _, ...rest } = keystore;
        const pin_token_base64 = Buffer.from(image).toString('base64url');
        const theirs = sharedEd25519Key({ ...rest, pin_token_base64 });
        const point = ed25519FromX25519(hex(image)) ?? '';
        expect(hex(sharedSecret(bot.sessionSeed, bytes(point)))).toBe(theirs.toString('hex'));
      }),
      { numRuns: 30 },
    );
  });

  test('public keys of scalars equal those of the official SDK', async () => {
    await fc.assert(
      fc.asyncProperty(scalars, async (scalar) => {
        const text = littleEndian(scalar);
        const theirs = edwards25519.publicFromPrivate(Buffer.from(text, 'hex'));
        expect(await derivePublicKey(`scalar:${text}`)).toBe(theirs.toString('hex'));
      }),
      { numRuns: 30 },
    );
  });
});

test('a signature verifies under its key and for no other message', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, fc.uint8Array(), async (seed, message) => {
      const [signature, publicKey] = [await sign(message, hex(seed)), await derivePublicKey(hex(seed))];
      expect(await verifyAsync(signature, message, bytes(publicKey))).toBe(true);
      expect(await verifyAsync(signature, Uint8Array.of(...message, 0), bytes(publicKey))).toBe(false);
    }),
    { numRuns: 20 },
  );
});

describe('a scalar', () => {
  test('a scalar has the public key of its seed, and signatures with both verify under it', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.uint8Array(), async (seed, message) => {
        const scalar = `scalar:${littleEndian(scalarOfSeed(seed))}`;
        const publicKey = await derivePublicKey(hex(seed));
        expect(await derivePublicKey(scalar)).toBe(publicKey);
        for (const signature of [await sign(message, scalar), await sign(message, hex(seed))]) {
          expect(nodeVerifies(signature, message, publicKey)).toBe(true);
          expect(await verifyAsync(signature, message, bytes(publicKey), { zip215: false })).toBe(true);
          expect(nodeVerifies(signature, Uint8Array.of(...message, 0), publicKey)).toBe(false);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('OpenSSL and noble accept a signature with any scalar', async () => {
    await fc.assert(
      fc.asyncProperty(scalars, fc.uint8Array(), async (scalar, message) => {
        const key = `scalar:${littleEndian(scalar)}`;
        const [signature, publicKey] = [await sign(message, key), await derivePublicKey(key)];
        expect(nodeVerifies(signature, message, publicKey)).toBe(true);
        expect(await verifyAsync(signature, message, bytes(publicKey), { zip215: false })).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('a scalar signs the same message with the same bytes each time', async () => {
    const key = `scalar:${v6.scalar_hex}`;
    expect(await sign(Buffer.from('a'), key)).toEqual(await sign(Buffer.from('a'), key));
  });

  test('a scalar uses no nonce twice: not for two messages, not for two keys, and not that of a seed with its bytes', async () => {
    const readNonce = async (message: Uint8Array, key: string) =>
      hex((await sign(message, key)).subarray(0, 32));
    await fc.assert(
      fc.asyncProperty(scalars, fc.uint8Array(), fc.uint8Array(), async (scalar, message, other) => {
        fc.pre(hex(message) !== hex(other));
        const text = littleEndian(scalar);
        const next = littleEndian((scalar % (ORDER - 1n)) + 1n);
        const nonces = [
          await readNonce(message, `scalar:${text}`),
          await readNonce(other, `scalar:${text}`),
          await readNonce(message, `scalar:${next}`),
          await readNonce(message, text),
          hex(edwards25519.sign(Buffer.from(message), Buffer.from(text, 'hex')).subarray(0, 32)),
        ];
        // The last two are equal: the SDK (as fox-one) takes the nonce of the seed with these bytes.
        expect(nonces[3]).toBe(nonces[4]);
        expect(new Set(nonces).size).toBe(4);
      }),
      { numRuns: 15 },
    );
  });

  test.each([
    ['one', littleEndian(1n), true],
    ['the largest', littleEndian(ORDER - 1n), true],
    ['the frozen one', v6.scalar_hex, true],
    ['in capitals', v6.scalar_hex.toUpperCase(), true],
    ['zero', '00'.repeat(32), false],
    ['the order', littleEndian(ORDER), false],
    ['above the order', 'ff'.repeat(32), false],
    ['a seed that is too large', inputs.spend_seed, false],
    ['too short', v6.scalar_hex.slice(2), false],
    ['too long', `${v6.scalar_hex}00`, false],
    ['with its prefix', `scalar:${v6.scalar_hex}`, false],
    ['not hex', 'g'.repeat(64), false],
  ])('isScalar of %s, %s, is %s', async (_, text, expected) => {
    expect(isScalar(text)).toBe(expected);
    if (expected) return;
    await expect(derivePublicKey(`scalar:${text}`)).rejects.toThrow(badKeystore);
    await expect(sign(new Uint8Array(), `scalar:${text}`)).rejects.toThrow(badKeystore);
  });
});

describe('Ed25519 points from X25519', () => {
  test('the Ed25519 point of an X25519 key maps back to that key, and has sign 0', async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const image = toX25519PublicKey(bytes(await derivePublicKey(hex(seed))));
        const point = bytes(ed25519FromX25519(hex(image)) ?? '');
        expect((point[31] ?? 255) & 128).toBe(0);
        expect(hex(toX25519PublicKey(point))).toBe(hex(image));
      }),
      { numRuns: 40 },
    );
  });

  test('exactly the X25519 keys without a usable point have none', () => {
    const xs = fc.bigInt({ min: 0n, max: P - 1n });
    fc.assert(
      fc.property(xs, (u) => {
        // Euler's criterion on v² = u³ + 486662u² + u (RFC 7748, section 4.1).
        const v2 = (u ** 3n + 486662n * u ** 2n + u) % P;
        const isOnCurve = power(v2, (P - 1n) / 2n) === 1n;
        const isSmall = u === 0n || u === 1n;
        expect(ed25519FromX25519(littleEndian(u)) !== undefined).toBe(isOnCurve && !isSmall);
      }),
      { numRuns: 60, examples: [[0n], [1n], [2n], [9n], [P - 1n]] },
    );
  });

  test.each([
    ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['of order 8, the other', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'],
    ['minus one', littleEndian(P - 1n)],
    ['of order 4, not below p', littleEndian(P)],
    ['the base point, not below p', littleEndian(P + 9n)],
    ['the base point with a top bit', littleEndian(2n ** 255n + 9n)],
    ['too short', '09'],
    ['not hex', 'g'.repeat(64)],
  ])('an X25519 key has no point: %s', (_, text) => {
    expect(ed25519FromX25519(text)).toBeUndefined();
  });

  test('the X25519 base point gives the Ed25519 base point', () => {
    expect(ed25519FromX25519(littleEndian(9n))).toBe(Point.BASE.toHex());
  });
});

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n;
  let square = base % P;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
};

describe('invalid keys', () => {
  test.each(['', 'ab', 'g'.repeat(64), '0'.repeat(63), '0'.repeat(66), ` ${'0'.repeat(63)}`, 'scalar:'])(
    'the invalid hex key %j is refused',
    async (text) => {
      expect(() => parseHexKey(text)).toThrow(badKeystore);
      await expect(derivePublicKey(text)).rejects.toThrow(badKeystore);
      await expect(sign(new Uint8Array(), text)).rejects.toThrow(badKeystore);
    },
  );

  test.each([0, 31, 33, 64])('a seed of %i bytes is refused', (length) => {
    expect(() => toX25519PrivateKey(new Uint8Array(length))).toThrow(badKeystore);
  });

  test.each([
    ['not on the curve', `02${'00'.repeat(31)}`],
    ['y beyond the field', 'ff'.repeat(32)],
    ['the identity, where u has no value', hex(Point.ZERO.toBytes())],
    ['of order 4', '00'.repeat(32)],
    ['of order 2', `ec${'ff'.repeat(30)}7f`],
    ['too short', '29acba'],
  ])('a server key is refused: %s', (_, publicKey) => {
    expect(isPublicKey(publicKey)).toBe(false);
    expect(() => toX25519PublicKey(bytes(publicKey))).toThrow(badKeystore);
    expect(() => sharedSecret(bytes(inputs.session_seed), bytes(publicKey))).toThrow(badKeystore);
  });
});
