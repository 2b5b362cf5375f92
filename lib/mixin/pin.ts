/**
 * The PIN as it goes over the wire, and the messages that stand for one. Layout identical in the Go, Node,
 * fox-one and Dart SDKs and in the Android and iOS apps; https://developers.mixin.one/docs/api/pin/tip
 * (read 2026-11-21).
 */
import { createCipheriv, createHash } from 'node:crypto';
import type { Keystore } from '../keystore.ts';
import { bytesOfHex, sharedSecret } from './keys.ts';

export interface PinRequest {
  readonly keystore: Pick<Keystore, 'server_public_key' | 'session_private_key'>;
  /** 40 bytes (set-up), 64 bytes (a TIP signature) or six ASCII digits. */
  readonly pinBytes: Uint8Array;
  readonly unixSeconds: number;
  /** Greater than in any PIN call of this session before; 1 to 2^64 - 1. */
  readonly iterator: bigint;
  /** 16 random bytes. */
  readonly iv: Uint8Array;
}

const u64 = (value: bigint, order: 'BE' | 'LE'): Buffer => {
  const bytes = Buffer.alloc(8);
  if (order === 'BE') bytes.writeBigUInt64BE(value);
  else bytes.writeBigUInt64LE(value);
  return bytes;
};

/**
 * Encrypts a PIN: AES-256-CBC under the session's shared secret over PIN ‖ u64LE seconds ‖ u64LE iterator
 * with PKCS#7 padding; returns IV ‖ ciphertext in base64url without padding. Throws MixinError
 * `bad_keystore`, and RangeError for an iterator outside 1 … 2^64 - 1.
 */
export const encryptPin = ({ keystore, pinBytes, unixSeconds, iterator, iv }: PinRequest): string => {
  if (iterator < 1n) throw new RangeError('the PIN iterator must be 1 or more');
  const plain = Buffer.concat([pinBytes, u64(BigInt(unixSeconds), 'LE'), u64(iterator, 'LE')]);
  const key = sharedSecret(bytesOfHex(keystore.session_private_key), bytesOfHex(keystore.server_public_key));
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]).toString('base64url');
};

/**
 * What sets a TIP PIN: its Ed25519 public key (64 hex characters) and a big-endian counter, 40 bytes. The
 * counter of a first set-up is 1 in every client.
 */
export const tipSetUpMessage = (publicKey: string, counter = 1n): Uint8Array =>
  Buffer.concat([bytesOfHex(publicKey), u64(counter, 'BE')]);

/**
 * SHA-256 (32 bytes) of "SEQUENCER:REGISTER:" ‖ user id ‖ public key, both lower case and without
 * separators. The TIP key signs it, and that signature is the PIN of POST /safe/users.
 */
export const registrationDigest = (user_id: string, publicKey: string): Uint8Array =>
  createHash('sha256').update(`SEQUENCER:REGISTER:${user_id}${publicKey}`, 'utf8').digest();
