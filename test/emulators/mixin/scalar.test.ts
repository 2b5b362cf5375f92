import { createHash, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { derivePublicKeyOfScalar } from '../../../emulators/mixin/ed25519.ts';

const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const toHex = (scalar: bigint) =>
  Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');

/** RFC 8032, 5.1.5: the scalar that a seed stands for, reduced. */
const scalarOf = (seed: Uint8Array) => {
  const bytes = createHash('sha512').update(seed).digest().subarray(0, 32);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return toHex(BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % L);
};

const publicKeyOfSeed = (seed: Uint8Array) => {
  const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const publicKey = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
};

test('a seed and its scalar have one public key', () => {
  for (let i = 0; i < 20; i += 1) {
    const seed = randomBytes(32);
    expect(derivePublicKeyOfScalar(scalarOf(seed))).toBe(publicKeyOfSeed(seed));
  }
});

test('1 gives the base point', () => {
  expect(derivePublicKeyOfScalar(toHex(1n))).toBe(`58${'66'.repeat(31)}`);
});

test.each([0n, L, 2n ** 256n - 1n])('%s is no reduced scalar', (scalar) => {
  expect(derivePublicKeyOfScalar(toHex(scalar))).toBeUndefined();
});
