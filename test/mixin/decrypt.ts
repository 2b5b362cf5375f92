/** Decrypts a PIN as Mixin would. */
import { createDecipheriv } from 'node:crypto';
import { sharedEd25519Key } from '@mixin.dev/mixin-node-sdk';
import type { Ed25519Keystore } from '../../lib/model/keystore.ts';

export interface OpenedPin {
  readonly iv: string;
  readonly pinBytes: string;
  readonly unixSeconds: bigint;
  readonly iterator: bigint;
}

export const openUnder = (key: Uint8Array, pin_base64: string): OpenedPin => {
  const wire = Buffer.from(pin_base64, 'base64url');
  const iv = wire.subarray(0, 16);
  const decipher = createDecipheriv(`aes-${8 * key.length}-cbc`, key, iv);
  const plain = Buffer.concat([decipher.update(wire.subarray(16)), decipher.final()]);
  return {
    iv: iv.toString('hex'),
    pinBytes: plain.subarray(0, -16).toString('hex'),
    unixSeconds: plain.readBigUInt64LE(plain.length - 16),
    iterator: plain.readBigUInt64LE(plain.length - 8),
  };
};

/** Under the secret that the official SDK derives from the keystore. */
export const openPin = (pin_base64: string, keystore: Ed25519Keystore): OpenedPin =>
  openUnder(sharedEd25519Key(keystore), pin_base64);
