/** The private keys that 64 hex characters can be, and the public keys that belong to a keystore. */

import { toHex } from '../lists/encodings.ts';
import { type Keystore, listKeyForms, type PrivateKey } from '../model/keystore.ts';
import type { Services } from '../model/ports.ts';
import type { VaultPublicKeys } from './decide.ts';

/**
 * 64 hex characters → the private keys that they can be, a seed and a scalar, each under its public key (64 hex
 * characters).
 */
export const deriveKeyForms = async (
  { keys }: Services,
  hex: string,
): Promise<ReadonlyMap<string, PrivateKey>> => {
  const forms = listKeyForms(hex, keys);
  return new Map(
    await Promise.all(forms.map(async (key) => [await keys.derivePublicKey(key), key] as const)),
  );
};

/** A new Ed25519 seed from the system's random bytes: 64 hex characters. */
export const generateSeed = (services: Services): PrivateKey => toHex(services.randomBytes(32));

const derivePublicForms = async (services: Services, hex: string | undefined) =>
  hex === undefined ? [] : [...(await deriveKeyForms(services, hex)).keys()];

/** Public keys of all private keys of a keystore that could be the bot's spend key or TIP PIN. */
export const deriveVaultPublicKeys = async (
  services: Services,
  { spend_private_key, spend_key, tip_private_key, pin }: Keystore,
): Promise<VaultPublicKeys> => ({
  ...(spend_private_key !== undefined && { spend: await services.keys.derivePublicKey(spend_private_key) }),
  listed: await derivePublicForms(services, spend_key),
  tip: await derivePublicForms(services, tip_private_key),
  has_pin: pin !== undefined,
});
