import { signSafeRegistration } from '@mixin.dev/mixin-node-sdk';
import { verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { registrationDigest } from '../../lib/mixin/pin.ts';
import { signRegistration } from '../../lib/mixin/registration.ts';
import { seeds } from './arbitraries.ts';
import { bytes, hex, vectors } from './vectors.ts';

const { inputs, v2, v3 } = vectors;
const spendSeed = bytes(inputs.spend_seed);

test('the frozen registration, as shipped', async () => {
  const signed = await signRegistration(inputs.user_id, spendSeed, spendSeed, 'shipped');
  expect(signed.public_key).toBe(v2.public_key);
  expect(signed.signature).toBe(v2.signature_b64rawurl);
  expect(hex(signed.pinBytes)).toBe(v3.tip_signature_hex);
});

test('the frozen registration, as documented: hex over the digest, and the same PIN', async () => {
  const signed = await signRegistration(inputs.user_id, spendSeed, spendSeed, 'documented');
  expect(signed.public_key).toBe(v2.public_key);
  expect(signed.signature).toBe(v3.tip_signature_hex);
  expect(hex(signed.pinBytes)).toBe(v3.tip_signature_hex);
});

test('the official SDK signs the same, with one key and with two', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), seeds, seeds, async (user_id, spend, tip) => {
      const ours = await signRegistration(user_id, spend, tip, 'shipped');
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
      const signed = await signRegistration(user_id, spend, tip, 'documented');
      const digest = registrationDigest(user_id, signed.public_key);
      expect(signed.signature).toMatch(/^[0-9a-f]{128}$/);
      expect(await verifyAsync(bytes(signed.signature), digest, bytes(signed.public_key))).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('a seed of another length is refused', async () => {
  const short = new Uint8Array(31);
  const refused = { code: 'bad_keystore' };
  await expect(signRegistration('u', short, spendSeed, 'shipped')).rejects.toMatchObject(refused);
  await expect(signRegistration('u', spendSeed, short, 'shipped')).rejects.toMatchObject(refused);
});
