import { signSafeRegistration } from '@mixin.dev/mixin-node-sdk';
import { verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestRegistration } from '../../lib/mixin/pin.ts';
import { signRegistration } from '../../lib/mixin/registration.ts';
import { seeds } from './arbitraries.ts';
import { bytes, hex, vectors } from './vectors.ts';

const { inputs, v2, v3, v6 } = vectors;
const spendKey = inputs.spend_seed;

test('a shipped registration equals the frozen one', async () => {
  const registration = await signRegistration(inputs.user_id, spendKey, spendKey, 'shipped');
  expect(registration.public_key).toBe(v2.public_key);
  expect(registration.signature).toBe(v2.signature_b64rawurl);
  expect(hex(registration.pinBytes)).toBe(v3.tip_signature_hex);
});

test('a documented registration equals the frozen one: hex over the digest, and the same PIN', async () => {
  const registration = await signRegistration(inputs.user_id, spendKey, spendKey, 'documented');
  expect(registration.public_key).toBe(v2.public_key);
  expect(registration.signature).toBe(v3.tip_signature_hex);
  expect(hex(registration.pinBytes)).toBe(v3.tip_signature_hex);
});

test('a shipped registration equals that of the official SDK, with one key and with two', async () => {
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

test('a documented registration is signed with the spend key and not with the TIP key', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), seeds, seeds, async (user_id, spend, tip) => {
      const registration = await signRegistration(user_id, hex(spend), hex(tip), 'documented');
      const digest = digestRegistration(user_id, registration.public_key);
      expect(registration.signature).toMatch(/^[0-9a-f]{128}$/);
      expect(await verifyAsync(bytes(registration.signature), digest, bytes(registration.public_key))).toBe(
        true,
      );
    }),
    { numRuns: 20 },
  );
});

test('a scalar registers the same key with the same digest as its seed', async () => {
  const scalar = `scalar:${v6.scalar_hex}`;
  const registration = await signRegistration(inputs.user_id, scalar, scalar, 'shipped');
  expect(registration.public_key).toBe(v2.public_key);
  const publicKey = bytes(v2.public_key);
  const userDigest = bytes(v2.sha3_256_user_id);
  expect(await verifyAsync(Buffer.from(registration.signature, 'base64url'), userDigest, publicKey)).toBe(
    true,
  );
  expect(await verifyAsync(registration.pinBytes, bytes(v3.tip_body_sha256), publicKey)).toBe(true);
});

test('a key of another length cannot sign a registration', async () => {
  const short = '00'.repeat(31);
  const refused = { code: 'bad_keystore' };
  await expect(signRegistration('u', short, spendKey, 'shipped')).rejects.toMatchObject(refused);
  await expect(signRegistration('u', spendKey, short, 'shipped')).rejects.toMatchObject(refused);
});
