/** A digest that is the same for the same keystore, in whatever format it is written. Pure. */
import { isRsaKeystore, type Keystore, listKeyForms, withoutSign } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import { toHex } from './encodings.ts';

/** The public keys that 32 bytes may have: as a seed and, where they could be one, as a scalar. */
const deriveBoth = async (hex: string, keys: Keys): Promise<string> =>
  (await Promise.all(listKeyForms(hex, keys).map((key) => keys.derivePublicKey(key)))).join(' or ');

const readSessionParts = async (keystore: Keystore, keys: Keys): Promise<readonly string[]> =>
  isRsaKeystore(keystore)
    ? [keystore.pin_token, (await keys.readRsaKey(keystore.private_key))?.public_key ?? '']
    : [withoutSign(keystore.server_public_key), await keys.derivePublicKey(keystore.session_private_key)];

const readSpendPart = async ({ spend_private_key, spend_key }: Keystore, keys: Keys): Promise<string> => {
  if (spend_private_key !== undefined) return keys.derivePublicKey(spend_private_key);
  return spend_key === undefined ? '' : deriveBoth(spend_key, keys);
};

const sha256 = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));

/**
 * Digest of the public halves alone, 32 hex characters. Of a six-digit PIN it shows only that there is one: whoever
 * has the digest could try all PINs.
 */
export const digestKeystore = async (keystore: Keystore, keys: Keys): Promise<string> => {
  const { session_id, tip_private_key, pin } = keystore;
  const parts = [
    session_id,
    ...(await readSessionParts(keystore, keys)),
    await readSpendPart(keystore, keys),
    tip_private_key === undefined ? '' : await deriveBoth(tip_private_key, keys),
    pin === undefined ? '' : 'digits',
  ];
  return toHex(await sha256(parts.join('\n'))).slice(0, 32);
};
