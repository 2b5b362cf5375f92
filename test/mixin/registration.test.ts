import { signSafeRegistration } from '@mixin.dev/mixin-node-sdk';
import { verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { registrationDigest } from '../../lib/mixin/pin.ts';
import { signRegistration } from '../../lib/mixin/registration.ts';
import { seeds } from './arbitraries.ts';
import { bytes, hex, vectors } from './vectors.ts';

const { inputs, v2, v3, v6 } = vectors;
const spendKey = inputs.spend_seed;

test('the frozen registration, as shipped', async () => {
  const signed = await signRegistration(inputs.user_id, spendKey, spendKey, 'shipped');
  expect(signed.public_key).toBe(v2.public_key);
  expect(signed.signature).toBe(v2.signature_b64rawurl);
  expect(hex(signed.pinBytes)).toBe(v3.tip_signature_hex);
});

test('the frozen registration, as documented: hex over the digest, and the same PIN', async () => {
  const signed = await signRegistration(inputs.user_id, spendKey, spendKey, 'documented');
  expect(signed.public_key).toBe(v2.public_key);
  expect(signed.signature).toBe(v3.tip_signature_hex);
  expect(hex(signed.pinBytes)).toBe(v3.tip_signature_hex);
});

test('the official SDK signs the same, with one key and with two', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), seeds, seeds, async (user_id, spend, tip) => {
      const ours = await signRegistration(user_id, hex(spend), hex(tip), 'shipped');
      const theirs = signSafeRegistration(user_id, hex(tip), Buffer.from(spend));
      expect({ ...ours, pinBytes: hex(ours.pinBytes) }).toEqual({
        public_key: theirs.public_key,
        signature: theirs.signature,
        pinBytes: theirs.pin_base64,
      });
    }),
    { numRuns: 30 },
  );
});

test('as documented, the spend key signs and not the TIP key', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), seeds, seeds, async (user_id, spend, tip) => {
      const signed = await signRegistration(user_id, hex(spend), hex(tip), 'documented');
      const digest = registrationDigest(user_id, signed.public_key);
      expect(signed.signature).toMatch(/^[0-9a-f]{128}$/);
      expect(await verifyAsync(bytes(signed.signature), digest, bytes(signed.public_key))).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('scalars register the same key with the same digest', async () => {
  const scalar = `scalar:${v6.scalar_hex}`;
  const signed = await signRegistration(inputs.user_id, scalar, scalar, 'shipped');
  expect(signed.public_key).toBe(v2.public_key);
  const publicKey = bytes(v2.public_key);
  const userDigest = bytes(v2.sha3_256_user_id);
  expect(await verifyAsync(Buffer.from(signed.signature, 'base64url'), userDigest, publicKey)).toBe(true);
  expect(await verifyAsync(signed.pinBytes, bytes(v3.tip_body_sha256), publicKey)).toBe(true);
});

test('a key of another length is refused', async () => {
  const short = '00'.repeat(31);
  const refused = { code: 'bad_keystore' };
  await expect(signRegistration('u', short, spendKey, 'shipped')).rejects.toMatchObject(refused);
  await expect(signRegistration('u', spendKey, short, 'shipped')).rejects.toMatchObject(refused);
});
