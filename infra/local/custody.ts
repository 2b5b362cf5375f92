/** Counts what the vault really holds against what Mixin's ledger says was bound: no rows are asked. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  GetSecretValueCommand,
  paginateListSecrets,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { derivePublicKeyOfScalar } from '../../emulators/mixin/ed25519.ts';
import type { LedgerEntry } from '../../emulators/mixin/server.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import { clientConfig } from './client-config.ts';

export interface KeyCounts {
  /** Bots whose spend key lies in the vault. */
  readonly keys_stored: number;
  /** Keys that Mixin bound to accounts; null where Mixin cannot be asked. */
  readonly keys_bound: number | null;
  /** Bound keys whose private half the vault does not hold. */
  readonly keys_lost: number | null;
}

/** Every request a stand-in has seen; undefined where there is none to ask. */
export type Ledger = readonly LedgerEntry[] | undefined;

/** The ledger of a stand-in that runs by itself; undefined when the endpoint is none. */
export const fetchLedger = async (mixinUrl: string): Promise<Ledger> => {
  const answer = await fetch(`${mixinUrl.replace(/\/+$/, '')}/_stand-in/ledger`);
  const body: unknown = await answer.json().catch(() => undefined);
  return Array.isArray(body) ? (body as LedgerEntry[]) : undefined;
};

/** DER before the 32 bytes of an Ed25519 seed: PKCS#8 (RFC 8410). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Derived with node:crypto, apart from the library that made the keys. */
export const derivePublicKeyOfSeed = (seedHex: string): string => {
  const key = Buffer.concat([PKCS8_ED25519, Buffer.from(seedHex, 'hex')]);
  const { x } = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  return Buffer.from(x ?? '', 'base64url').toString('hex');
};

/** Of a listed key without a mark nobody can tell whether it is a seed or a scalar: both count. */
export const derivePublicKeys = (key: string): readonly string[] => {
  const [hex = '', mark] = key.split(':').reverse();
  const ofScalar = derivePublicKeyOfScalar(hex);
  return [
    ...(mark === undefined ? [derivePublicKeyOfSeed(hex)] : []),
    ...(ofScalar === undefined ? [] : [ofScalar]),
  ];
};

interface VaultEntry {
  readonly spend: boolean;
  readonly publicKeys: ReadonlySet<string>;
}

/** Every bot of the vault with the public halves of the keys in its current keystore. */
export const readVault = async (environment: Environment): Promise<ReadonlyMap<string, VaultEntry>> => {
  const { aws, secretPrefix } = readConfig(environment);
  const client = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
  const entries = new Map<string, VaultEntry>();
  try {
    for await (const page of paginateListSecrets({ client }, {})) {
      for (const { Name } of page.SecretList ?? []) {
        // Session keys of accounts that are yet to be made are no bot's.
        if (!Name?.startsWith(`${secretPrefix}/`) || Name.startsWith(`${secretPrefix}/enrolment/`)) continue;
        const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: Name }));
        const { spend_private_key, spend_key, tip_private_key } = JSON.parse(SecretString ?? '{}');
        const keys = [spend_private_key, spend_key, tip_private_key].filter((key) => typeof key === 'string');
        entries.set(Name.slice(secretPrefix.length + 1), {
          spend: typeof spend_private_key === 'string',
          publicKeys: new Set(keys.flatMap(derivePublicKeys)),
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
  const vault = await readVault(environment);
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
