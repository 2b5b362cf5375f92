/**
 * The PIN as it is sent, and the messages that are sent in its place. Layout identical in the Go, Node,
 * fox-one and Dart SDKs and in the Android and iOS apps; https://developers.mixin.one/docs/api/pin/tip
 * (read 2026-11-21).
 */
import { createCipheriv, createHash } from 'node:crypto';
import { isRsaKeystore, type Keystore } from '../model/keystore.ts';
import { createMixinError } from './errors.ts';
import { parseHexKey, sharedSecret } from './keys.ts';
import { decryptPinToken } from './rsa.ts';

interface PinRequest {
  readonly keystore: Keystore;
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

/** The AES key of a session's PINs: the shared secret, or what an RSA session's pin_token holds. */
const derivePinKey = (keystore: Keystore): Uint8Array =>
  isRsaKeystore(keystore)
    ? decryptPinToken(keystore.private_key, keystore.pin_token, keystore.session_id)
    : sharedSecret(parseHexKey(keystore.session_private_key), parseHexKey(keystore.server_public_key));

/**
 * Encrypts a PIN: AES-CBC under the session's key (256 bits, or what the pin_token of an RSA session brings) over
 * PIN ‖ u64LE seconds ‖ u64LE iterator with PKCS#7 padding; returns IV ‖ ciphertext in base64url without padding.
 * Throws MixinError `bad_keystore`, and RangeError for an iterator outside 1 … 2^64 - 1.
 */
export const encryptPin = ({ keystore, pinBytes, unixSeconds, iterator, iv }: PinRequest): string => {
  if (iterator < 1n) throw new RangeError('the PIN iterator must be 1 or more');
  const plain = Buffer.concat([pinBytes, u64(BigInt(unixSeconds), 'LE'), u64(iterator, 'LE')]);
  const key = derivePinKey(keystore);
  const cipher = createCipheriv(`aes-${8 * key.length}-cbc`, key, iv);
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]).toString('base64url');
};

/**
 * A six-digit PIN as it is encrypted: its ASCII digits, 6 bytes. So do the apps and the Dart, Kotlin and fox-one
 * SDKs; the Go SDK from version 3 and the Node SDK from 7 take the digits for hex and send 3 bytes (read
 * 2026-11-21). Throws MixinError `bad_keystore` for anything but six digits.
 */
export const encodeDigits = (pin: string): Uint8Array => {
  if (!/^[0-9]{6}$/.test(pin)) throw createMixinError('bad_keystore');
  return Buffer.from(pin, 'ascii');
};

/**
 * What sets a TIP PIN: its Ed25519 public key (64 hex characters) and a big-endian counter, 40 bytes. The
 * counter of a first set-up is 1 in every client.
 */
export const encodeTipSetUp = (publicKey: string, counter = 1n): Uint8Array =>
  Buffer.concat([parseHexKey(publicKey), u64(counter, 'BE')]);

/**
 * SHA-256 (32 bytes) of "SEQUENCER:REGISTER:" ‖ user id ‖ public key, both lower case and without
 * separators. The TIP key signs it, and that signature is the PIN of POST /safe/users.
 */
export const digestRegistration = (user_id: string, publicKey: string): Uint8Array =>
  createHash('sha256').update(`SEQUENCER:REGISTER:${user_id}${publicKey}`, 'utf8').digest();
