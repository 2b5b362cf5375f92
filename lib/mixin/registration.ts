/**
 * The proof that an account owns the key it registers with Safe (POST /safe/users).
 *
 * https://developers.mixin.one/docs/api/sequencer/registration says that `signature` derives from
 * SHA-256("SEQUENCER:REGISTER:" ‖ user id ‖ key) in hex. Nine implementations (Go, Node, fox-one, Dart, Kotlin,
 * Android, iOS, Ruby, PHP) sign SHA3-256(user id) in base64url instead, and sign that digest for the PIN
 * (read 2026-11-21). `shipped` does as they do, `documented` as the page says; the PIN is the same in both.
 */
import { createHash } from 'node:crypto';
import type { PrivateKey } from '../model/keystore.ts';
import type { RegistrationSignature } from '../model/mixin.ts';
import { derivePublicKey, sign } from './keys.ts';
import { digestRegistration } from './pin.ts';

export interface Registration {
  /** 64 lower-case hex characters. */
  readonly public_key: string;
  /** `shipped`: base64url without padding. `documented`: lower-case hex. */
  readonly signature: string;
  /** 64 bytes, to be encrypted into `pin_base64`. */
  readonly pinBytes: Uint8Array;
}

const createSignature = async (
  user_id: string,
  public_key: string,
  spendKey: PrivateKey,
  form: RegistrationSignature,
): Promise<string> => {
  if (form === 'documented') {
    return Buffer.from(await sign(digestRegistration(user_id, public_key), spendKey)).toString('hex');
  }
  const digest = createHash('sha3-256').update(user_id, 'utf8').digest();
  return Buffer.from(await sign(digest, spendKey)).toString('base64url');
};

/**
 * Signs a registration. `user_id` is a lower-case UUID; the keys may be the same. Throws MixinError `bad_keystore`
 * for a key that is neither a seed nor a scalar.
 */
export const signRegistration = async (
  user_id: string,
  spendKey: PrivateKey,
  tipKey: PrivateKey,
  form: RegistrationSignature,
): Promise<Registration> => {
  const public_key = await derivePublicKey(spendKey);
  const signature = await createSignature(user_id, public_key, spendKey, form);
  return { public_key, signature, pinBytes: await sign(digestRegistration(user_id, public_key), tipKey) };
};
