import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { derivePublicKey, derivePublicKeyOfScalar } from '../../../emulators/mixin/ed25519.ts';

const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const toHex = (scalar: bigint) =>
  Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');

/** RFC 8032, 5.1.5: the reduced scalar of a seed. */
const deriveScalar = (seed: Uint8Array) => {
  const bytes = createHash('sha512').update(seed).digest().subarray(0, 32);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return toHex(BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % L);
};

test('a seed and its scalar have the same public key', () => {
  for (let i = 0; i < 20; i += 1) {
    const seed = randomBytes(32);
    expect(derivePublicKeyOfScalar(deriveScalar(seed))).toBe(derivePublicKey(seed));
  }
});

test('the public key of the scalar 1 is the base point', () => {
  expect(derivePublicKeyOfScalar(toHex(1n))).toBe(`58${'66'.repeat(31)}`);
});

test.each([0n, L, 2n ** 256n - 1n])('%s is not a reduced scalar and has no public key', (scalar) => {
  expect(derivePublicKeyOfScalar(toHex(scalar))).toBeUndefined();
});
