/**
 * The vault: Secrets Manager, one secret a bot, its value a keystore that any Mixin SDK loads.
 *
 * The spend key is written once. Its version's token is a function of the bot alone, and Secrets Manager
 * refuses a second, different value under the same token: of two workers racing, one wins and the other reads
 * the winner's key. The version carries a label of its own, so that later keystore updates move AWSCURRENT
 * away without ever leaving the key's version unlabelled (unlabelled versions are pruned).
 */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { v5 as uuidv5 } from 'uuid';
import {
  isRsaKeystore,
  type Keystore,
  keystoreSchema,
  type PrivateKey,
  withoutSign,
} from '../../model/keystore.ts';
import type { Keys, StoredKey, StoredKeystore, Vault } from '../../model/ports.ts';
import { createEnrolmentSecrets } from './enrolments.ts';
import { createSecrets, unless, type WhichVersion } from './secrets.ts';

/** Staging label of the one version that first held the spend key. */
export const KEY_LABEL = 'ENLIST_KEY';

/** Namespace of the version tokens; must never change, for it makes a bot's key unique. */
const TOKEN_NAMESPACE = '5b8f1c8e-7d0e-5f4c-9a51-2f6c1d3e4b7a';

/** The version id of a bot's key: a function of the user id alone. */
export const keyVersionId = (user_id: string): string => uuidv5(user_id.toLowerCase(), TOKEN_NAMESPACE);

const isGiven = ([, value]: [string, unknown]) => value !== undefined;

/** The fields that make up a session; what stands beside them in a keystore outlives it. */
const sessionOf = (keystore: Keystore) => {
  const { session_id } = keystore;
  if (isRsaKeystore(keystore)) {
    const { private_key, pin_token } = keystore;
    return { session_id, private_key, pin_token };
  }
  const { session_private_key, server_public_key } = keystore;
  return { session_id, session_private_key, server_public_key };
};

/** A keystore of one's session and the other keys of these, the later ones winning; spend keys as they are told. */
const compose = (
  session: Keystore,
  beside: readonly Keystore[],
  spend: { readonly spend_private_key?: PrivateKey | undefined; readonly spend_key?: string | undefined },
): Keystore => {
  const keys = beside.map(({ tip_private_key, pin }) =>
    Object.fromEntries(Object.entries({ tip_private_key, pin }).filter(isGiven)),
  );
  const given = Object.fromEntries(Object.entries(spend).filter(isGiven));
  return Object.assign({ app_id: session.app_id, ...sessionOf(session) }, ...keys, given) as Keystore;
};

/** Everything but the kept spend key; the sign of the server key means nothing. */
const comparable = (keystore: Keystore): string => {
  const session = { ...sessionOf(keystore) } as Record<string, string>;
  if (session.server_public_key !== undefined)
    session.server_public_key = withoutSign(session.server_public_key);
  const { tip_private_key, pin, spend_key } = keystore;
  return JSON.stringify([session, tip_private_key, pin, spend_key]);
};

export interface VaultOptions {
  readonly client: SecretsManagerClient;
  /** Secrets are named `<prefix>/<user_id>`, and `<prefix>/enrolment/<id>` before there is a user. */
  readonly prefix: string;
  /** Customer key for new secrets. @default the account's own key for Secrets Manager */
  readonly kmsKeyId?: string;
  readonly keys: Keys;
}

export const createVault = ({ client, prefix, kmsKeyId, keys }: VaultOptions): Vault => {
  const secrets = createSecrets({ client, ...(kmsKeyId !== undefined && { kmsKeyId }) });
  const nameOf = (user_id: string) => `${prefix}/${user_id}`;

  /** One version of a bot's secret; undefined when there is no such secret or version. */
  const readVersion = async (user_id: string, which: WhichVersion) => {
    const version = await secrets.read(nameOf(user_id), which);
    if (!version) return undefined;
    const parsed = keystoreSchema.safeParse(version.value);
    if (!parsed.success || parsed.data.app_id !== user_id) {
      throw new Error(`secret ${nameOf(user_id)} does not hold this bot's keystore`);
    }
    return { keystore: parsed.data, version_id: version.version_id };
  };

  const readCurrent = (user_id: string) => readVersion(user_id, { VersionStage: 'AWSCURRENT' });

  const keyOf = async (version: {
    keystore: Keystore;
    version_id: string;
  }): Promise<StoredKey | undefined> => {
    const private_key = version.keystore.spend_private_key;
    if (private_key === undefined) return undefined;
    const public_key = await keys.derivePublicKey(private_key);
    return { private_key, public_key, secret_version: version.version_id };
  };

  /** The spend key: always from its own version, never from whatever is current. */
  const readKey = async (user_id: string): Promise<StoredKey | undefined> => {
    const version = await readVersion(user_id, { VersionId: keyVersionId(user_id) });
    return version && keyOf(version);
  };

  const putCurrent = (keystore: Keystore) =>
    secrets.put(nameOf(keystore.app_id), keystore, { VersionStages: ['AWSCURRENT'] });

  const readKept = async (user_id: string): Promise<StoredKeystore | undefined> => {
    const current = await readCurrent(user_id);
    if (!current) return undefined;
    const key = current.version_id === keyVersionId(user_id) ? await keyOf(current) : await readKey(user_id);
    if (!key) return { keystore: current.keystore };
    const { private_key: spend_private_key } = key;
    return { keystore: compose(current.keystore, [current.keystore], { spend_private_key }), key: key };
  };

  const read: Vault['read'] = async (user_id) => {
    try {
      return (await readKept(user_id)) ?? 'missing';
    } catch (error) {
      return unless('InvalidRequestException', 'pending_deletion' as const)(error);
    }
  };

  /**
   * Writes the listed session over the current one, the kept key beside it. The key may have been made
   * while this ran, so what was written is read once more and completed.
   */
  const replaceSession = async (merged: Keystore, kept: StoredKeystore) => {
    await putCurrent(merged);
    if (kept.key) return;
    const after = await readKey(merged.app_id);
    if (after) await putCurrent(compose(merged, [merged], { spend_private_key: after.private_key }));
  };

  const keepKey = async (keystore: Keystore, candidate: PrivateKey): Promise<StoredKey> => {
    const user_id = keystore.app_id;
    const kept = await readKey(user_id);
    if (kept) return kept;
    // The caller's session may have been replaced since it was read.
    const session = (await readCurrent(user_id))?.keystore ?? keystore;
    const value = compose(session, [keystore], {
      spend_private_key: keystore.spend_private_key ?? candidate,
    });
    await secrets
      .put(nameOf(user_id), value, {
        ClientRequestToken: keyVersionId(user_id),
        VersionStages: ['AWSCURRENT', KEY_LABEL],
      })
      .catch(unless('ResourceExistsException', undefined));
    const readBack = await readKey(user_id);
    if (!readBack) throw new Error(`the key of ${user_id} could not be read back`);
    return readBack;
  };

  /** Is the listed spend key, in whichever form it is meant, this one? None listed is no contradiction. */
  const agrees = async ({ spend_private_key, spend_key }: Keystore, public_key: string): Promise<boolean> => {
    if (spend_private_key !== undefined)
      return (await keys.derivePublicKey(spend_private_key)) === public_key;
    if (spend_key === undefined) return true;
    const forms = await Promise.all(
      [spend_key, `scalar:${spend_key}`].map((key) => keys.derivePublicKey(key)),
    );
    return forms.includes(public_key);
  };

  /** The spend key that must stay: its own version's, or one that somebody else put beside the session. */
  const spendOf = (kept: StoredKeystore | undefined): PrivateKey | undefined =>
    kept?.key?.private_key ?? kept?.keystore.spend_private_key;

  const keepListed = async (listed: Keystore) => {
    const first = compose(listed, [listed], { spend_key: listed.spend_key });
    let kept = await readKept(listed.app_id);
    if (!kept && !(await secrets.create(nameOf(listed.app_id), first))) kept = await readKept(listed.app_id);
    const spend_private_key = spendOf(kept);
    if (
      spend_private_key !== undefined &&
      !(await agrees(listed, await keys.derivePublicKey(spend_private_key)))
    )
      return 'key_conflict';
    const spend_key = listed.spend_key ?? kept?.keystore.spend_key;
    const spend = spend_private_key === undefined ? { spend_key } : { spend_private_key };
    const merged = kept ? compose(listed, [kept.keystore, listed], spend) : first;
    const isSame = kept !== undefined && comparable(kept.keystore) === comparable(merged);
    if (kept && !isSame) await replaceSession(merged, kept);
    if (listed.spend_private_key === undefined || kept?.key) return isSame ? 'unchanged' : 'stored';
    const key = await keepKey(merged, listed.spend_private_key);
    return (await agrees(listed, key.public_key)) ? 'stored' : 'key_conflict';
  };

  return {
    read,
    storeKeystore: (listed) =>
      keepListed(listed).catch(unless('InvalidRequestException', 'pending_deletion' as const)),
    storeKey: keepKey,
    ...createEnrolmentSecrets(secrets, prefix),
  };
};
