/**
 * An encrypted PIN: base64( IV(16) ‖ AES-256-CBC( PIN ‖ u64LE(unix seconds) ‖ u64LE(iterator) ‖ PKCS#7 ) ), its
 * iterator, and the lock after wrong ones. Sessions of both kinds differ only in the key.
 *
 * A ciphertext, time or iterator that is wrong answers 20119 and is not counted. A PIN that was decrypted and is
 * wrong answers 20119 and is counted: the fifth within 24 hours locks the account for 24 hours (429, even for
 * the right PIN), and every further attempt starts these 24 hours again.
 */
import { createDecipheriv, randomUUID } from 'node:crypto';
import { type Account, DAY_MS, findRecentPinErrors, PIN_ERRORS_MAX } from './accounts.ts';
import { invalidField, Refusal } from './answers.ts';
import { CLOCK_TOLERANCE_SECONDS } from './authentication.ts';
import { decodeBase64, type Fields, readText, type SignedContext } from './call.ts';
import { derivePinKey } from './sessions.ts';

const BLOCK = 16;

const createRefusal = (reason: string): Refusal => new Refusal(20119, reason);

const decrypt = (account: Account, wire: Buffer): Buffer => {
  const decipher = createDecipheriv('aes-256-cbc', derivePinKey(account), wire.subarray(0, BLOCK));
  try {
    return Buffer.concat([decipher.update(wire.subarray(BLOCK)), decipher.final()]);
  } catch {
    throw createRefusal('the PIN does not decrypt');
  }
};

/** The encrypted PIN of a request. */
export const requirePin = (fields: Fields): string => {
  const encrypted = readText(fields, 'pin_base64', 'pin');
  if (encrypted === '') throw invalidField('pin_base64', 'the PIN is missing');
  return encrypted;
};

/** The PIN's bytes. Its iterator counts as used from here on, whether the PIN is right or wrong. */
export const decryptPin = ({ account, clockMs }: SignedContext, encrypted: string): Buffer => {
  const wire = decodeBase64(encrypted);
  if (wire === undefined || wire.length < 3 * BLOCK || wire.length % BLOCK !== 0)
    throw createRefusal('the encrypted PIN is not base64 of whole blocks');
  const plain = decrypt(account, wire);
  if (plain.length < 16) throw createRefusal('the PIN does not decrypt');
  const time = plain.readBigUInt64LE(plain.length - 16);
  const iterator = plain.readBigUInt64LE(plain.length - 8);

  const off = time - BigInt(Math.floor(clockMs / 1_000));
  if (off > CLOCK_TOLERANCE_SECONDS || off < -CLOCK_TOLERANCE_SECONDS)
    throw createRefusal('the PIN’s time is over five minutes off');
  if (iterator <= BigInt(account.last_iterator)) throw createRefusal('the PIN’s iterator did not grow');
  account.last_iterator = String(iterator);
  return plain.subarray(0, plain.length - 16);
};

export const refuseWhenLocked = ({ account, nowMs }: SignedContext): void => {
  if (account.pin_locked_until <= nowMs) return;
  account.pin_locked_until = nowMs + DAY_MS;
  throw new Refusal(429, 'the PIN is locked');
};

/** Counts a wrong PIN and returns the refusal to throw. */
export const countWrongPin = ({ account, nowMs }: SignedContext, reason: string): Refusal => {
  account.pin_errors = [...account.pin_errors, { log_id: randomUUID(), at: nowMs }];
  if (findRecentPinErrors(account, nowMs).length >= PIN_ERRORS_MAX) account.pin_locked_until = nowMs + DAY_MS;
  return new Refusal(20119, reason);
};
