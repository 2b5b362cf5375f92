/**
 * The vault: one secret a bot in Secrets Manager. Its value is a keystore that any Mixin SDK loads.
 *
 * The spend key is written once. Its version's token is a function of the bot alone, and Secrets Manager
 * refuses a second, different value under the same token: of two workers at the same time one wins, and the other
 * reads the winner's key. The version has a label of its own: later updates move AWSCURRENT to another version, and
 * Secrets Manager deletes old versions that have no label.
 */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { v5 as uuidv5 } from 'uuid';
import {
  isRsaKeystore,
  type Keystore,
  keystoreSchema,
  listKeyForms,
  type PrivateKey,
  withoutSign,
} from '../../model/keystore.ts';
import type { Keys, StoredKey, StoredKeystore, Vault } from '../../model/ports.ts';
import { createEnrolmentSecrets } from './enrolments.ts';
import { createSecrets, mapError, type VersionSelector } from './secrets.ts';

/** Staging label of the one version that was written with the spend key. */
export const KEY_LABEL = 'ENLIST_KEY';

/** Namespace of the version tokens. It must never change: with another one a bot would get a second key. */
const TOKEN_NAMESPACE = '5b8f1c8e-7d0e-5f4c-9a51-2f6c1d3e4b7a';

/** The version id of a bot's key: a function of the user id alone. */
export const deriveKeyVersionId = (user_id: string): string =>
  uuidv5(
    // guard: key-token-depends-on-the-bot-alone
    user_id.toLowerCase(),
    TOKEN_NAMESPACE,
  );

const hasValue = ([, value]: [string, unknown]) => value !== undefined;

/** The fields that make up a session. The other fields of a keystore stay when the session is replaced. */
const pickSession = (keystore: Keystore) => {
  const { session_id } = keystore;
  if (isRsaKeystore(keystore)) {
    const { private_key, pin_token } = keystore;
    return { session_id, private_key, pin_token };
  }
  const { session_private_key, server_public_key } = keystore;
  return { session_id, session_private_key, server_public_key };
};

/**
 * A keystore with the session of the first, and the TIP key and PIN of `others`, of which a later one wins. Its spend
 * key is that of `spend` and no other.
 */
const composeKeystore = (
  session: Keystore,
  others: readonly Keystore[],
  spend: { readonly spend_private_key?: PrivateKey | undefined; readonly spend_key?: string | undefined },
): Keystore => {
  const pins = others.map(({ tip_private_key, pin }) =>
    Object.fromEntries(Object.entries({ tip_private_key, pin }).filter(hasValue)),
  );
  const spendKeys = Object.fromEntries(Object.entries(spend).filter(hasValue));
  return Object.assign({ app_id: session.app_id, ...pickSession(session) }, ...pins, spendKeys) as Keystore;
};

/** Equal for keystores that differ in `spend_private_key` only, or in the sign of the server key. */
const toComparable = (keystore: Keystore): string => {
  const session = { ...pickSession(keystore) } as Record<string, string>;
  if (session.server_public_key !== undefined)
    session.server_public_key = withoutSign(session.server_public_key);
  const { tip_private_key, pin, spend_key } = keystore;
  return JSON.stringify([session, tip_private_key, pin, spend_key]);
};

interface VaultOptions {
  readonly client: SecretsManagerClient;
  /** Secrets are named `<prefix>/<user_id>`, and `<prefix>/enrolment/<id>` before there is a user. */
  readonly prefix: string;
  /** Customer key for new secrets. @default the account's own key for Secrets Manager */
  readonly kmsKeyId?: string;
  readonly keys: Keys;
}

export const createVault = ({ client, prefix, kmsKeyId, keys }: VaultOptions): Vault => {
  const secrets = createSecrets({ client, ...(kmsKeyId !== undefined && { kmsKeyId }) });
  const toSecretName = (user_id: string) => `${prefix}/${user_id}`;

  /** One version of a bot's secret; undefined when there is no such secret or version. */
  const readVersion = async (user_id: string, selector: VersionSelector) => {
    const version = await secrets.read(toSecretName(user_id), selector);
    if (!version) return undefined;
    const parsed = keystoreSchema.safeParse(version.value);
    if (
      !parsed.success ||
      // guard: secret-of-another-bot-is-refused
      parsed.data.app_id !== user_id
    )
      throw new Error(`secret ${toSecretName(user_id)} does not hold this bot's keystore`);
    return { keystore: parsed.data, version_id: version.version_id };
  };

  const readCurrent = (user_id: string) => readVersion(user_id, { VersionStage: 'AWSCURRENT' });

  const toStoredKey = async (version: {
    keystore: Keystore;
    version_id: string;
  }): Promise<StoredKey | undefined> => {
    const private_key = version.keystore.spend_private_key;
    if (private_key === undefined) return undefined;
    const public_key = await keys.derivePublicKey(private_key);
    return { private_key, public_key, secret_version: version.version_id };
  };

  /** The spend key: always from its own version, never from the current one. */
  const readKey = async (user_id: string): Promise<StoredKey | undefined> => {
    const version = await readVersion(
      user_id,
      // guard: key-is-read-from-its-own-version
      { VersionId: deriveKeyVersionId(user_id) },
    );
    return version && toStoredKey(version);
  };

  const putCurrent = (keystore: Keystore) =>
    secrets.put(toSecretName(keystore.app_id), keystore, { VersionStages: ['AWSCURRENT'] });

  const readStored = async (user_id: string): Promise<StoredKeystore | undefined> => {
    const current = await readCurrent(user_id);
    if (!current) return undefined;
    const key =
      current.version_id === deriveKeyVersionId(user_id)
        ? await toStoredKey(current)
        : await readKey(user_id);
    if (!key) return { keystore: current.keystore };
    const { private_key: spend_private_key } = key;
    return { keystore: composeKeystore(current.keystore, [current.keystore], { spend_private_key }), key };
  };

  /**
   * Writes a new session over the current one. The key may have been stored while this ran, so what was written is
   * read once more and completed.
   */
  const replaceSession = async (keystore: Keystore, stored: StoredKeystore) => {
    await putCurrent(keystore);
    if (stored.key) return;
    const key = await readKey(keystore.app_id);
    if (!key) return;
    // guard: new-session-does-not-hide-the-key
    await putCurrent(composeKeystore(keystore, [keystore], { spend_private_key: key.private_key }));
  };

  const storeKey = async (keystore: Keystore, candidate: PrivateKey): Promise<StoredKey> => {
    const user_id = keystore.app_id;
    const stored = await readKey(user_id);
    if (stored) return stored;
    // The caller's session may have been replaced since it was read.
    const session = (await readCurrent(user_id))?.keystore ?? keystore;
    const value = composeKeystore(session, [keystore], {
      spend_private_key: keystore.spend_private_key ?? candidate,
    });
    await secrets
      .put(toSecretName(user_id), value, {
        // guard: bot-has-one-key-token
        ClientRequestToken: deriveKeyVersionId(user_id),
        VersionStages: [
          'AWSCURRENT',
          // guard: key-version-has-a-label
          KEY_LABEL,
        ],
      })
      .catch(mapError('ResourceExistsException', undefined));
    // guard: key-that-counts-was-read-back
    const readBack = await readKey(user_id);
    // guard: unreadable-key-is-an-error
    if (!readBack) throw new Error(`the key of ${user_id} could not be read back`);
    return readBack;
  };

  /** Is this the public key of the keystore's spend key, in one of its possible forms? True when it has no spend key. */
  const matchesKey = async (
    { spend_private_key, spend_key }: Keystore,
    public_key: string,
  ): Promise<boolean> => {
    if (spend_private_key === undefined && spend_key === undefined) return true;
    const forms = spend_private_key === undefined ? listKeyForms(spend_key ?? '', keys) : [spend_private_key];
    return (await Promise.all(forms.map((key) => keys.derivePublicKey(key)))).includes(public_key);
  };

  /** The spend key that must stay: that of its own version, or one that another program stored. */
  const findSpendKey = (stored: StoredKeystore | undefined): PrivateKey | undefined =>
    stored?.key?.private_key ?? stored?.keystore.spend_private_key;

  const storeKeystore = async (keystore: Keystore) => {
    const name = toSecretName(keystore.app_id);
    const first = composeKeystore(keystore, [keystore], { spend_key: keystore.spend_key });
    let stored = await readStored(keystore.app_id);
    if (!stored && !(await secrets.create(name, first))) stored = await readStored(keystore.app_id);
    const spend_private_key = findSpendKey(stored);
    // guard: list-with-another-key-changes-nothing
    if (
      spend_private_key !== undefined &&
      !(await matchesKey(keystore, await keys.derivePublicKey(spend_private_key)))
    )
      return 'key_conflict';
    const spend_key = keystore.spend_key ?? stored?.keystore.spend_key;
    const spend = spend_private_key === undefined ? { spend_key } : { spend_private_key };
    const merged = stored ? composeKeystore(keystore, [stored.keystore, keystore], spend) : first;
    const isSame = stored !== undefined && toComparable(stored.keystore) === toComparable(merged);
    if (stored && !isSame) await replaceSession(merged, stored);
    if (keystore.spend_private_key === undefined || stored?.key) return isSame ? 'unchanged' : 'stored';
    const key = await storeKey(merged, keystore.spend_private_key);
    return (await matchesKey(keystore, key.public_key)) ? 'stored' : 'key_conflict';
  };

  const answerPendingDeletion = mapError('InvalidRequestException', 'pending_deletion' as const);

  return {
    readKeystore: (user_id) =>
      readStored(user_id)
        .then((stored) => stored ?? ('missing' as const))
        .catch(answerPendingDeletion),
    storeKeystore: (keystore) => storeKeystore(keystore).catch(answerPendingDeletion),
    storeKey,
    ...createEnrolmentSecrets(secrets, prefix),
  };
};
