/** A digest that tells a changed keystore from the same one again, however it was written. */
import { createHash } from 'node:crypto';
import { isRsaKeystore, type Keystore, withoutSign } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';

/** The public keys that 32 bytes stand for, as seed and, where they could be one, as scalar. */
const bothOf = async (hex: string, keys: Keys): Promise<string> =>
  keys.isScalar(hex)
    ? `${await keys.derivePublicKey(hex)} or ${await keys.derivePublicKey(`scalar:${hex}`)}`
    : keys.derivePublicKey(hex);

const sessionOf = async (keystore: Keystore, keys: Keys): Promise<readonly string[]> =>
  isRsaKeystore(keystore)
    ? [keystore.pin_token, keys.readRsaKey(keystore.private_key)?.public_key ?? '']
    : [withoutSign(keystore.server_public_key), await keys.derivePublicKey(keystore.session_private_key)];

const spendOf = async ({ spend_private_key, spend_key }: Keystore, keys: Keys): Promise<string> => {
  if (spend_private_key !== undefined) return keys.derivePublicKey(spend_private_key);
  return spend_key === undefined ? '' : bothOf(spend_key, keys);
};

/**
 * Digest of the public halves alone, 32 hex characters. Of a six-digit PIN it tells only that there is one: anybody
 * could try all of them.
 */
export const digestOf = async (keystore: Keystore, keys: Keys): Promise<string> => {
  const { session_id, tip_private_key, pin } = keystore;
  const parts = [
    session_id,
    ...(await sessionOf(keystore, keys)),
    await spendOf(keystore, keys),
    tip_private_key === undefined ? '' : await bothOf(tip_private_key, keys),
    pin === undefined ? '' : 'digits',
  ];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
};
