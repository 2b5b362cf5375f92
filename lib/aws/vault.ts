/**
 * The vault: Secrets Manager, one secret a bot, its value a keystore that any Mixin SDK loads.
 *
 * The spend key is written once. Its version's token is a function of the bot alone, and Secrets Manager
 * refuses a second, different value under the same token: of two workers racing, one wins and the other reads
 * the winner's key. The version carries a label of its own, so that later keystore updates move AWSCURRENT
 * away without ever leaving the key's version unlabelled (unlabelled versions are pruned).
 */
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { v5 as uuidv5 } from 'uuid';
import { type Keystore, keystoreSchema, seedBytes } from '../keystore.ts';
import type { Kept, KeptKey, Keys, Vault } from '../services.ts';

/** Staging label of the one version that first held the spend key. */
export const KEY_LABEL = 'ENLIST_KEY';

/** Namespace of the version tokens; must never change, for it makes a bot's key unique. */
const TOKEN_NAMESPACE = '5b8f1c8e-7d0e-5f4c-9a51-2f6c1d3e4b7a';

/** The version id of a bot's key: a function of the user id alone. */
export const keyVersionId = (user_id: string): string => uuidv5(user_id.toLowerCase(), TOKEN_NAMESPACE);

const isNamed = (error: unknown, name: string) => error instanceof Error && error.name === name;
const unless =
  <T>(name: string, instead: T) =>
  (error: unknown): T => {
    if (isNamed(error, name)) return instead;
    throw error;
  };

/** What makes a keystore another one: everything but the spend key. */
const sameSession = (a: Keystore, b: Keystore) =>
  a.session_id === b.session_id &&
  a.server_public_key === b.server_public_key &&
  a.session_private_key === b.session_private_key &&
  a.tip_private_key === b.tip_private_key;

/** JSON.parse quotes its input in its errors: a secret must not get there. */
const parseQuietly = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export interface VaultOptions {
  readonly client: SecretsManagerClient;
  /** Secrets are named `<prefix>/<user_id>`. */
  readonly prefix: string;
  /** Customer key for new secrets. @default the account's own key for Secrets Manager */
  readonly kmsKeyId?: string;
  readonly keys: Keys;
}

export const createVault = ({ client, prefix, kmsKeyId, keys }: VaultOptions): Vault => {
  const nameOf = (user_id: string) => `${prefix}/${user_id}`;

  /** One version of a bot's secret; undefined when there is no such secret or version. */
  const readVersion = async (user_id: string, version: { VersionId: string } | { VersionStage: string }) => {
    const answer = await client
      .send(new GetSecretValueCommand({ SecretId: nameOf(user_id), ...version }))
      .catch(unless('ResourceNotFoundException', undefined));
    if (!answer) return undefined;
    const parsed = keystoreSchema.safeParse(parseQuietly(answer.SecretString ?? ''));
    if (!parsed.success || parsed.data.app_id !== user_id) {
      throw new Error(`secret ${nameOf(user_id)} does not hold this bot's keystore`);
    }
    return { keystore: parsed.data, version_id: answer.VersionId ?? '' };
  };

  const keyOf = async (version: { keystore: Keystore; version_id: string }): Promise<KeptKey | undefined> => {
    const hex = version.keystore.spend_private_key;
    if (hex === undefined) return undefined;
    const seed = seedBytes(hex);
    return { seed, public_key: await keys.publicKeyOf(seed), secret_version: version.version_id };
  };

  /** The spend key: always from its own version, never from whatever is current. */
  const readKey = async (user_id: string): Promise<KeptKey | undefined> => {
    const version = await readVersion(user_id, { VersionId: keyVersionId(user_id) });
    return version && keyOf(version);
  };

  const put = (keystore: Keystore, version: { ClientRequestToken?: string; VersionStages: string[] }) =>
    client.send(
      new PutSecretValueCommand({
        SecretId: nameOf(keystore.app_id),
        SecretString: JSON.stringify(keystore),
        ...version,
      }),
    );

  const readKept = async (user_id: string): Promise<Kept | undefined> => {
    const current = await readVersion(user_id, { VersionStage: 'AWSCURRENT' });
    if (!current) return undefined;
    const key = current.version_id === keyVersionId(user_id) ? await keyOf(current) : await readKey(user_id);
    if (!key) return { keystore: current.keystore };
    const spend_private_key = Buffer.from(key.seed).toString('hex');
    return { keystore: { ...current.keystore, spend_private_key }, key };
  };

  const read: Vault['read'] = async (user_id) => {
    try {
      return (await readKept(user_id)) ?? 'missing';
    } catch (error) {
      return unless('InvalidRequestException', 'pending_deletion' as const)(error);
    }
  };

  /** Makes the secret; false when it exists. */
  const create = async (keystore: Keystore): Promise<boolean> => {
    try {
      await client.send(
        new CreateSecretCommand({
          Name: nameOf(keystore.app_id),
          SecretString: JSON.stringify(keystore),
          ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
        }),
      );
      return true;
    } catch (error) {
      return unless('ResourceExistsException', false)(error);
    }
  };

  /**
   * Writes the listed session over the current one, the kept key beside it. The key may have been made
   * while this ran, so what was written is read once more and completed.
   */
  const replaceSession = async (listed: Keystore, kept: Kept) => {
    const merged = (key: Keystore['spend_private_key']): Keystore => ({
      ...kept.keystore,
      ...listed,
      ...(key !== undefined && { spend_private_key: key }),
    });
    await put(merged(kept.keystore.spend_private_key), { VersionStages: ['AWSCURRENT'] });
    if (kept.key) return;
    const after = await readKey(listed.app_id);
    if (after) await put(merged(Buffer.from(after.seed).toString('hex')), { VersionStages: ['AWSCURRENT'] });
  };

  /** The session as it is now: the caller's may have been replaced since it was read. */
  const currentSession = async (user_id: string) => {
    const current = await readVersion(user_id, { VersionStage: 'AWSCURRENT' });
    if (!current) return undefined;
    const { session_id, server_public_key, session_private_key } = current.keystore;
    return { session_id, server_public_key, session_private_key };
  };

  const keepKey = async (keystore: Keystore, candidate: Uint8Array): Promise<KeptKey> => {
    const user_id = keystore.app_id;
    const kept = await readKey(user_id);
    if (kept) return kept;
    const spend_private_key = keystore.spend_private_key ?? Buffer.from(candidate).toString('hex');
    const value: Keystore = { ...keystore, ...(await currentSession(user_id)), spend_private_key };
    await put(value, {
      ClientRequestToken: keyVersionId(user_id),
      VersionStages: ['AWSCURRENT', KEY_LABEL],
    }).catch(unless('ResourceExistsException', undefined));
    const readBack = await readKey(user_id);
    if (!readBack) throw new Error(`the key of ${user_id} could not be read back`);
    return readBack;
  };

  const keepKeystore: Vault['keepKeystore'] = async (listed) => {
    const { spend_private_key: listedKey, ...session } = listed;
    try {
      let kept = await readKept(listed.app_id);
      if (!kept && !(await create(session))) kept = await readKept(listed.app_id);
      const keptKey = kept?.keystore.spend_private_key;
      if (keptKey !== undefined && listedKey !== undefined && keptKey !== listedKey) return 'key_conflict';
      const merged: Keystore = { ...kept?.keystore, ...session };
      const isSame = kept !== undefined && sameSession(kept.keystore, merged);
      if (kept && !isSame) await replaceSession(session, kept);
      if (listedKey === undefined || kept?.key) return isSame ? 'same' : 'kept';
      const key = await keepKey(merged, seedBytes(listedKey));
      return Buffer.from(key.seed).toString('hex') === listedKey ? 'kept' : 'key_conflict';
    } catch (error) {
      return unless('InvalidRequestException', 'pending_deletion' as const)(error);
    }
  };

  return { read, keepKeystore, keepKey };
};
