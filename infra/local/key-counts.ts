/** Compares the keys in the vault with the keys that Mixin's ledger says were set, without reading any row. */
import {
  GetSecretValueCommand,
  paginateListSecrets,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { derivePublicKey, derivePublicKeyOfScalar } from '../../emulators/mixin/ed25519.ts';
import type { LedgerEntry } from '../../emulators/mixin/server.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import { clientConfig } from './client-config.ts';

export interface KeyCounts {
  /** Bots whose spend key is in the vault. */
  readonly keys_stored: number;
  /** Keys that were set at Mixin; null where Mixin has no ledger to read. */
  readonly keys_bound: number | null;
  /** Those of them whose private half is not in the vault. */
  readonly keys_lost: number | null;
}

/** Every request that a stand-in has seen; undefined where Mixin is not a stand-in. */
export type Ledger = readonly LedgerEntry[] | undefined;

/**
 * A key of a list without a mark may be a seed or a scalar: the public keys of both, in 64 hex characters. Derived with
 * node:crypto, apart from the library that made the keys.
 */
export const derivePublicKeys = (key: string): readonly string[] => {
  const [hex = '', mark] = key.split(':').reverse();
  const ofScalar = derivePublicKeyOfScalar(hex);
  return [
    ...(mark === undefined ? [derivePublicKey(Buffer.from(hex, 'hex'))] : []),
    ...(ofScalar === undefined ? [] : [ofScalar]),
  ];
};

interface VaultEntry {
  readonly spend: boolean;
  readonly publicKeys: ReadonlySet<string>;
}

/** Every bot in the vault, with the public halves of the keys in its current keystore. */
export const readVault = async (
  environment: Environment,
  derive: (key: string) => readonly string[] = derivePublicKeys,
): Promise<ReadonlyMap<string, VaultEntry>> => {
  const { aws, secretPrefix } = readConfig(environment);
  const client = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
  const entries = new Map<string, VaultEntry>();
  try {
    for await (const page of paginateListSecrets({ client }, {})) {
      for (const { Name } of page.SecretList ?? []) {
        // The session keys of enrolments do not belong to a bot yet.
        if (!Name?.startsWith(`${secretPrefix}/`) || Name.startsWith(`${secretPrefix}/enrolment/`)) continue;
        const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: Name }));
        const { spend_private_key, spend_key, tip_private_key } = JSON.parse(SecretString ?? '{}');
        const keys = [spend_private_key, spend_key, tip_private_key].filter((key) => typeof key === 'string');
        entries.set(Name.slice(secretPrefix.length + 1), {
          spend: typeof spend_private_key === 'string',
          publicKeys: new Set(keys.flatMap(derive)),
        });
      }
    }
  } finally {
    client.destroy();
  }
  return entries;
};

/** @param ledger of the stand-in Mixin, where there is one */
export const countKeys = async (environment: Environment, ledger: Ledger): Promise<KeyCounts> => {
  // Without a ledger nothing is compared.
  const vault = await readVault(environment, ledger ? derivePublicKeys : () => []);
  const keys_stored = [...vault.values()].filter((bot) => bot.spend).length;
  if (!ledger) return { keys_stored, keys_bound: null, keys_lost: null };
  const bound = new Map<string, { user_id: string; public_key: string }>();
  for (const { user_id, bound: key } of ledger) {
    if (user_id === undefined || !key) continue;
    bound.set(`${user_id} ${key.public_key}`, { user_id, public_key: key.public_key });
  }
  const lost = [...bound.values()].filter(
    ({ user_id, public_key }) => !vault.get(user_id)?.publicKeys.has(public_key),
  );
  return { keys_stored, keys_bound: bound.size, keys_lost: lost.length };
};
