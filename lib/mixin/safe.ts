/** The calls that bring a bot into Mixin Safe. */

import type { Keystore } from '../model/keystore.ts';
import type { RegistrationSignature } from '../model/mixin.ts';
import type { MixinSafe } from '../model/ports.ts';
import type { MixinClient } from './client.ts';
import { derivePublicKey } from './keys.ts';
import { readPinErrors } from './logs.ts';
import { encodeDigits, encodeTipSetUp, encryptPin } from './pin.ts';
import { readProfile } from './profile.ts';
import { signRegistration } from './registration.ts';

interface MixinSafeOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  /** See registration.ts. */
  readonly registrationSignature: RegistrationSignature;
}

const IV_BYTES = 16;
const PIN_ERRORS = '/logs?category=PIN_INCORRECT&limit=5';

/**
 * Makes the calls over a client. Each is sent once and throws MixinError; its verdict says what may follow.
 *
 * - readProfile: GET /safe/me.
 * - readPinErrors: GET /logs, see logs.ts.
 * - setTipPin: POST /pin/update for an account without a PIN, or with a six-digit one that it replaces
 *   (https://developers.mixin.one/docs/api/pin/tip); the counter of a first set-up is 1. Mixin opens the old PIN
 *   first, so its iterator is the lower one (Tip.kt of the Kotlin SDK and the Dart SDK; read 2026-11-21).
 * - registerSafe: POST /safe/users (https://developers.mixin.one/docs/api/sequencer/registration).
 */
export const createMixinSafe = (client: MixinClient, options: MixinSafeOptions): MixinSafe => {
  const { now, randomBytes, registrationSignature } = options;

  const encrypt = (keystore: Keystore, pinBytes: Uint8Array, iterator: bigint): string => {
    const unixSeconds = Math.floor(now() / 1000);
    return encryptPin({ keystore, pinBytes, unixSeconds, iterator, iv: randomBytes(IV_BYTES) });
  };

  const post = async (
    keystore: Keystore,
    path: string,
    body: Readonly<Record<string, string>>,
    validUntilMs: number,
  ) =>
    readProfile(
      await client.call(keystore, { method: 'POST', path, body, validUntilMs }),
      keystore.app_id,
      'POST',
    );

  return {
    readProfile: async (keystore) =>
      readProfile(await client.call(keystore, { method: 'GET', path: '/safe/me' }), keystore.app_id, 'GET'),

    readPinErrors: async (keystore) =>
      readPinErrors(await client.call(keystore, { method: 'GET', path: PIN_ERRORS })),

    setTipPin: async (keystore, tipKey, { iterator, validUntilMs }, oldPin) => {
      const message = encodeTipSetUp(await derivePublicKey(tipKey));
      if (oldPin === undefined) {
        const pin_base64 = encrypt(keystore, message, iterator);
        return post(keystore, '/pin/update', { old_pin_base64: '', pin_base64 }, validUntilMs);
      }
      const old_pin_base64 = encrypt(keystore, encodeDigits(oldPin), iterator);
      const pin_base64 = encrypt(keystore, message, iterator + 1n);
      return post(keystore, '/pin/update', { old_pin_base64, pin_base64 }, validUntilMs);
    },

    registerSafe: async (keystore, spendKey, tipKey, { iterator, validUntilMs }) => {
      const user_id = keystore.app_id.toLowerCase();
      const signed = await signRegistration(user_id, spendKey, tipKey, registrationSignature);
      const { public_key, signature } = signed;
      const pin_base64 = encrypt(keystore, signed.pinBytes, iterator);
      return post(keystore, '/safe/users', { public_key, signature, pin_base64 }, validUntilMs);
    },
  };
};
