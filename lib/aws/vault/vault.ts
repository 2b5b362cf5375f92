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
import { createSecrets, isPendingDeletion, mapError, type VersionSelector } from './secrets.ts';

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

/** The label that keeps a version with this TIP key, whatever version becomes current. */
const TIP_LABEL = 'ENLIST_TIP_';

/** Thrown for a secret that does not hold its bot's keystore. Quotes nothing of it. */
class UnreadableSecret extends Error {
  override readonly name = 'UnreadableSecret';
}

/** A secret as other programs write it: in upper-case hex, perhaps. PEM and base64 keep their case. */
const normalize = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  const lower = ([name, field]: [string, unknown]) =>
    typeof field === 'string' && /^(scalar:)?[0-9a-f-]{36,64}$/i.test(field)
      ? [name, name === 'pin_token' ? field : field.toLowerCase()]
      : [name, field];
  return Object.fromEntries(Object.entries(value).map(lower));
};

const hasValue = ([, value]: [string, unknown]) => value !== undefined;

/** The fields that make up a session. The other fields of a keystore stay when the session is replaced. */
const pickSession = (keystore: Keystore) => {
  const { session_id, listed_at } = keystore;
  const named = { session_id, ...(listed_at !== undefined && { listed_at }) };
  if (isRsaKeystore(keystore)) {
    const { private_key, pin_token } = keystore;
    return { ...named, private_key, pin_token };
  }
  const { session_private_key, server_public_key } = keystore;
  return { ...named, session_private_key, server_public_key };
};

/** Did a later list bring the first session? */
const isNewer = (one: Keystore, other: Keystore): boolean =>
  one.listed_at !== undefined && other.listed_at !== undefined && one.listed_at > other.listed_at;

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

/** Equal for keystores that differ in the time of their list only, or in the sign of the server key. */
const toComparable = (keystore: Keystore): string => {
  const { listed_at: _, ...picked } = pickSession(keystore);
  const session = picked as Record<string, string>;
  if (session.server_public_key !== undefined)
    session.server_public_key = withoutSign(session.server_public_key);
  const { tip_private_key, pin, spend_key, spend_private_key } = keystore;
  return JSON.stringify([
    session,
    tip_private_key,
    pin,
    spend_key,
    // guard: current-version-is-compared-with-its-key
    spend_private_key,
  ]);
};

const isSameValue = (one: Keystore, other: Keystore): boolean =>
  toComparable(one) === toComparable(other) && one.listed_at === other.listed_at;

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
    const parsed = keystoreSchema.safeParse(normalize(version.value));
    if (
      !parsed.success ||
      // guard: secret-of-another-bot-is-refused
      parsed.data.app_id !== user_id
    )
      throw new UnreadableSecret(`secret ${toSecretName(user_id)} does not hold this bot's keystore`);
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

  const labelTip = async ({ tip_private_key }: Keystore): Promise<string[]> =>
    tip_private_key === undefined
      ? []
      : [TIP_LABEL + (await keys.derivePublicKey(tip_private_key)).slice(0, 16)];

  /** A version with this TIP key stays, though the next one has another, or none. */
  const keepTip = async (current: Keystore, next: Keystore): Promise<void> => {
    if (current.tip_private_key === undefined || current.tip_private_key === next.tip_private_key) return;
    // guard: tip-key-keeps-a-label
    await secrets.put(toSecretName(current.app_id), current, { VersionStages: await labelTip(current) });
  };

  const putCurrent = async (keystore: Keystore, current: Keystore): Promise<void> => {
    await keepTip(current, keystore);
    const VersionStages = ['AWSCURRENT', ...(await labelTip(keystore))];
    await secrets.put(toSecretName(keystore.app_id), keystore, { VersionStages });
  };

  const readStored = async (user_id: string) => {
    const current = await readCurrent(user_id);
    if (!current) return undefined;
    const isKeyVersion = current.version_id === deriveKeyVersionId(user_id);
    const key = isKeyVersion ? await toStoredKey(current) : await readKey(user_id);
    if (!key) return { keystore: current.keystore, current: current.keystore };
    const { private_key: spend_private_key } = key;
    return {
      keystore: composeKeystore(current.keystore, [current.keystore], { spend_private_key }),
      current: current.keystore,
      key,
    };
  };

  const readPrevious = (user_id: string) =>
    readVersion(user_id, { VersionStage: 'AWSPREVIOUS' }).catch((error: unknown) => {
      if (error instanceof UnreadableSecret) return undefined;
      throw error;
    });

  /**
   * Makes the current version what it must be: it has the key, and the session of the latest list. A writer that knew
   * of neither may have written over them, and died. A session under it is in AWSPREVIOUS.
   * @param base the version that the caller wrote over, as far as it knows: what is between the two is newer
   */
  const settleCurrent = async (user_id: string, base?: string): Promise<void> => {
    const stored = await readStored(user_id);
    if (!stored) return;
    const { current, keystore } = stored;
    const previous = await readPrevious(user_id);
    const isBetween = base !== undefined && previous?.version_id !== base;
    const wins =
      previous !== undefined &&
      (isNewer(previous.keystore, current) || (isBetween && !isNewer(current, previous.keystore)));
    // guard: newest-session-is-current
    const session = wins ? previous.keystore : current;
    const { spend_private_key, spend_key } = keystore;
    const wanted = composeKeystore(
      session,
      [keystore],
      spend_private_key === undefined ? { spend_key } : { spend_private_key },
    );
    // guard: new-session-does-not-hide-the-key
    if (!isSameValue(wanted, current)) await putCurrent(wanted, current);
  };

  const storeKey = async (
    keystore: Keystore,
    candidate: PrivateKey,
    named?: string,
  ): Promise<StoredKey | 'key_missing'> => {
    const user_id = keystore.app_id;
    const stored = await readKey(user_id);
    if (stored) {
      await settleCurrent(user_id);
      return stored;
    }
    const spend_private_key = keystore.spend_private_key ?? candidate;
    // guard: only-the-named-key-is-stored
    if (named !== undefined && (await keys.derivePublicKey(spend_private_key)) !== named)
      return 'key_missing';
    // The caller's session may have been replaced since it was read.
    const current = await readCurrent(user_id);
    const before = await readPrevious(user_id);
    const isCurrentOld = before && current && isNewer(before.keystore, current.keystore);
    const session = isCurrentOld ? before.keystore : (current?.keystore ?? keystore);
    const value = composeKeystore(session, [keystore], { spend_private_key });
    if (current) await keepTip(current.keystore, value);
    await secrets
      .put(toSecretName(user_id), value, {
        // guard: bot-has-one-key-token
        ClientRequestToken: deriveKeyVersionId(user_id),
        VersionStages: [
          'AWSCURRENT',
          // guard: key-version-has-a-label
          KEY_LABEL,
          ...(await labelTip(value)),
        ],
      })
      .catch(mapError('ResourceExistsException', undefined));
    // guard: key-that-counts-was-read-back
    const readBack = await readKey(user_id);
    // guard: unreadable-key-is-an-error
    if (!readBack) throw new Error(`the key of ${user_id} could not be read back`);
    const previous = await readPrevious(user_id);
    if (previous?.version_id !== current?.version_id) await settleCurrent(user_id, current?.version_id);
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

  /** The keystore with its spend key in the form that belongs to this public key; undefined for another key. */
  const chooseNamedForm = async (
    keystore: Keystore,
    named: string | undefined,
  ): Promise<Keystore | undefined> => {
    if (named === undefined || !(await matchesKey(keystore, named)))
      return named === undefined ? keystore : undefined;
    const { spend_key, ...rest } = keystore;
    if (spend_key === undefined) return keystore;
    for (const spend_private_key of listKeyForms(spend_key, keys))
      if ((await keys.derivePublicKey(spend_private_key)) === named)
        return { ...rest, spend_private_key } as Keystore;
    return undefined;
  };

  const storeKeystore: Vault['storeKeystore'] = async (
    given,
    { public_key, listed_at, isTipRefuted = false } = {},
  ) => {
    const name = toSecretName(given.app_id);
    // guard: list-has-the-key-of-the-row
    const chosen = await chooseNamedForm(given, public_key);
    if (!chosen) return 'key_conflict';
    const keystore: Keystore = { ...chosen, ...(listed_at !== undefined && { listed_at }) };
    const first = composeKeystore(keystore, [keystore], { spend_key: keystore.spend_key });
    let stored = await readStored(keystore.app_id);
    if (!stored && !(await secrets.create(name, first))) {
      stored = await readStored(keystore.app_id);
      if (!stored) throw new Error(`secret ${name} exists and cannot be read yet`);
    }
    const spend_private_key = stored?.keystore.spend_private_key;
    // guard: list-with-another-key-changes-nothing
    if (
      spend_private_key !== undefined &&
      !(await matchesKey(keystore, await keys.derivePublicKey(spend_private_key)))
    )
      return 'key_conflict';
    const storedTip = stored?.keystore.tip_private_key;
    const hasOtherTip =
      storedTip !== undefined &&
      keystore.tip_private_key !== undefined &&
      storedTip !== keystore.tip_private_key;
    // guard: list-with-another-tip-key-changes-nothing
    if (hasOtherTip && !isTipRefuted) return 'tip_key_conflict';
    const spend_key = keystore.spend_key ?? stored?.keystore.spend_key;
    const spend = spend_private_key === undefined ? { spend_key } : { spend_private_key };
    // guard: older-list-loses
    const isSuperseded = stored !== undefined && isNewer(stored.keystore, keystore);
    const merged = !stored
      ? first
      : isSuperseded
        ? composeKeystore(stored.keystore, [keystore, stored.keystore], spend)
        : composeKeystore(keystore, [stored.keystore, keystore], spend);
    const isSame = stored !== undefined && toComparable(stored.current) === toComparable(merged);
    if (stored && !isSameValue(stored.current, merged)) await putCurrent(merged, stored.current);
    if (stored) await settleCurrent(keystore.app_id);
    const answer = isSuperseded ? 'superseded' : isSame ? 'unchanged' : 'stored';
    if (keystore.spend_private_key === undefined || stored?.key) return answer;
    const key = await storeKey(merged, keystore.spend_private_key, public_key);
    if (key === 'key_missing' || !(await matchesKey(keystore, key.public_key))) return 'key_conflict';
    return isSuperseded ? answer : 'stored';
  };

  /** For `catch`: what is wrong with a secret itself is an answer. */
  const answerUnusable = (error: unknown): 'pending_deletion' | 'unreadable' => {
    if (isPendingDeletion(error)) return 'pending_deletion';
    if (error instanceof UnreadableSecret) return 'unreadable';
    throw error;
  };

  const readKeystore = async (user_id: string): Promise<StoredKeystore | 'missing'> => {
    const stored = await readStored(user_id);
    if (!stored) return 'missing';
    const { keystore, current, key } = stored;
    if (!key) return { keystore };
    const isKeyHidden = current.spend_private_key !== key.private_key;
    return { keystore, key, ...(isKeyHidden && { isKeyHidden }) };
  };

  return {
    readKeystore: (user_id) => readKeystore(user_id).catch(answerUnusable),
    storeKeystore: (keystore, more) => storeKeystore(keystore, more).catch(answerUnusable),
    storeKey: (keystore, candidate, named) => storeKey(keystore, candidate, named).catch(answerUnusable),
    restoreCurrent: async (user_id) => {
      await settleCurrent(user_id);
    },
    ...createEnrolmentSecrets(secrets, prefix),
  };
};
