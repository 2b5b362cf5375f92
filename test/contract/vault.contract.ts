/** What every implementation of `Vault` must do. The promise of Enlist depends on it. */
import { randomBytes, randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deriveKeyVersionId, KEY_LABEL } from '../../lib/aws/vault/vault.ts';
import { derivePublicKey, isScalar } from '../../lib/mixin/keys.ts';
import type { Ed25519Keystore, Keystore, RsaKeystore } from '../../lib/model/keystore.ts';
import type { StoredKey, StoredKeystore, Vault } from '../../lib/model/ports.ts';
import {
  type Backend,
  clientOptions,
  connectServices,
  loseFirstAnswer,
  type StartBackend,
  startProxy,
} from './backend.ts';

const seed = (): string => randomBytes(32).toString('hex');

const session = async () => ({
  session_id: randomUUID() as string,
  server_public_key: await derivePublicKey(seed()),
  session_private_key: seed(),
});
const newKeystore = async (more: Partial<Ed25519Keystore> = {}): Promise<Ed25519Keystore> => ({
  app_id: randomUUID(),
  ...(await session()),
  ...more,
});

/** The key that was stored. Throws when there is none. */
const storeKey = async (vault: Vault, keystore: Keystore, candidate: string, named?: string) => {
  const key = await vault.storeKey(keystore, candidate, named);
  if (typeof key === 'string') throw new Error(key);
  return key;
};

/** @param start starts a backend for secrets */
export const describeVault = (name: string, start: StartBackend) => {
  describe(`the vault: ${name}`, () => {
    let backend: Backend;
    let vault: Vault;
    let secrets: SecretsManagerClient;
    beforeAll(async () => {
      backend = await start();
      vault = connectServices(backend.environment).vault;
      secrets = new SecretsManagerClient(clientOptions(backend.environment, 'secretsManager'));
    });
    afterAll(async () => {
      secrets?.destroy();
      await backend?.stop();
    });

    const SecretId = (app_id: string) => `${backend.environment.ENLIST_SECRET_PREFIX}/${app_id}`;
    /** The secret as other programs read it. */
    const current = async (app_id: string): Promise<Record<string, unknown>> =>
      JSON.parse(
        (await secrets.send(new GetSecretValueCommand({ SecretId: SecretId(app_id) }))).SecretString ?? '',
      );
    const labels = async (app_id: string) =>
      (await secrets.send(new DescribeSecretCommand({ SecretId: SecretId(app_id) }))).VersionIdsToStages ??
      {};
    const createOutside = (app_id: string, SecretString: string) =>
      secrets.send(new CreateSecretCommand({ Name: SecretId(app_id), SecretString }));
    const writeOutside = (app_id: string, value: Keystore) =>
      secrets.send(
        new PutSecretValueCommand({ SecretId: SecretId(app_id), SecretString: JSON.stringify(value) }),
      );
    const readStored = async (app_id: string): Promise<StoredKeystore> => {
      const stored = await vault.readKeystore(app_id);
      if (typeof stored === 'string') throw new Error(stored);
      return stored;
    };
    /** Stores a keystore and a key beside it. */
    const storeWithKey = async (more: Partial<Ed25519Keystore> = {}) => {
      const keystore = await newKeystore(more);
      expect(await vault.storeKeystore(keystore)).toBe('stored');
      const candidate = seed();
      const key = await storeKey(vault, (await readStored(keystore.app_id)).keystore, candidate);
      return { keystore, candidate, key };
    };

    describe('keystores', () => {
      test('a keystore reads back as it was stored, without a spend key', async () => {
        const keystore = await newKeystore({ tip_private_key: seed() });
        expect(await vault.storeKeystore(keystore)).toBe('stored');
        expect(await vault.readKeystore(keystore.app_id)).toEqual({ keystore });
        expect(await current(keystore.app_id)).toEqual(keystore);
      });

      test('storing the same keystore again writes nothing', async () => {
        const { keystore } = await storeWithKey();
        const before = await labels(keystore.app_id);
        expect(await vault.storeKeystore(keystore)).toBe('unchanged');
        expect(await labels(keystore.app_id)).toEqual(before);
      });

      test('a newer session replaces the older one, and the key stays', async () => {
        const { keystore, key } = await storeWithKey();
        const newer = { ...keystore, ...(await session()) };
        expect(await vault.storeKeystore(newer)).toBe('stored');
        const spend_private_key = key.private_key;
        expect(await vault.readKeystore(keystore.app_id)).toEqual({
          keystore: { ...newer, spend_private_key },
          key,
        });
        expect(await current(keystore.app_id)).toEqual({ ...newer, spend_private_key });
      });

      test('a TIP key may come later, and a list without it does not remove it', async () => {
        const { keystore, key } = await storeWithKey();
        const tip_private_key = seed();
        await vault.storeKeystore({ ...keystore, tip_private_key });
        expect((await readStored(keystore.app_id)).keystore.tip_private_key).toBe(tip_private_key);
        await vault.storeKeystore({ ...keystore, ...(await session()) });
        expect(await readStored(keystore.app_id)).toMatchObject({ keystore: { tip_private_key }, key });
      });

      test('two lists at the same time leave one whole session', async () => {
        const keystore = await newKeystore();
        const other = { ...keystore, ...(await session()) };
        const answers = await Promise.all(
          [keystore, other, keystore, other].map((it) => vault.storeKeystore(it)),
        );
        for (const answer of answers) expect(['stored', 'unchanged']).toContain(answer);
        expect([keystore, other]).toContainEqual((await readStored(keystore.app_id)).keystore);
      });

      test('a keystore that was never stored is missing', async () => {
        expect(await vault.readKeystore(randomUUID())).toBe('missing');
      });
    });

    describe('what must not be written over', () => {
      test('the key is restored to a current version that lacks it when the bot is listed again', async () => {
        const { keystore, key } = await storeWithKey();
        await writeOutside(keystore.app_id, keystore);
        expect(await readStored(keystore.app_id)).toMatchObject({ key, isKeyHidden: true });
        await vault.storeKeystore(keystore);
        expect((await current(keystore.app_id)).spend_private_key).toBe(key.private_key);
        expect((await readStored(keystore.app_id)).isKeyHidden).toBeUndefined();
      });

      test('the key is restored to a current version that lacks it on request', async () => {
        const { keystore, key } = await storeWithKey();
        await writeOutside(keystore.app_id, keystore);
        await vault.restoreCurrent(keystore.app_id);
        expect((await current(keystore.app_id)).spend_private_key).toBe(key.private_key);
      });

      test('no key is stored but the one that the row names', async () => {
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        const named = seed();
        const public_key = await derivePublicKey(named);
        expect(await vault.storeKey(keystore, seed(), public_key)).toBe('key_missing');
        const other = { ...keystore, spend_private_key: seed() };
        expect(await vault.storeKeystore(other, { public_key })).toBe('key_conflict');
        expect(await vault.readKeystore(keystore.app_id)).toEqual({ keystore });
        const right = { ...keystore, spend_private_key: named };
        expect(await vault.storeKeystore(right, { public_key })).toBe('stored');
        expect((await readStored(keystore.app_id)).key).toEqual({
          private_key: named,
          public_key,
          secret_version: deriveKeyVersionId(keystore.app_id),
        });
      });

      test('another TIP key is a conflict, unless Mixin has refuted the stored one, which then keeps a label', async () => {
        const [first, second, third] = [seed(), seed(), seed()];
        const keystore = await newKeystore({ tip_private_key: first });
        await vault.storeKeystore(keystore);
        const another = { ...keystore, tip_private_key: second };
        expect(await vault.storeKeystore(another)).toBe('tip_key_conflict');
        expect(await current(keystore.app_id)).toEqual(keystore);
        expect(await vault.storeKeystore(another, { isTipRefuted: true })).toBe('stored');
        await vault.storeKeystore({ ...keystore, tip_private_key: third }, { isTipRefuted: true });
        for (let i = 0; i < 3; i += 1)
          await vault.storeKeystore({ ...keystore, ...(await session()), tip_private_key: third });
        const tipKeys = await Promise.all(
          Object.keys(await labels(keystore.app_id)).map(async (VersionId) => {
            const input = { SecretId: SecretId(keystore.app_id), VersionId };
            const { SecretString } = await secrets.send(new GetSecretValueCommand(input));
            return JSON.parse(SecretString ?? '').tip_private_key;
          }),
        );
        expect(tipKeys).toEqual(expect.arrayContaining([first, second, third]));
      });

      test('the session of the latest list stays, whatever order the lists are stored in', async () => {
        const older = await newKeystore();
        const newer = { ...older, ...(await session()) };
        const [early, late] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];
        await vault.storeKeystore(newer, { listed_at: late });
        expect(await vault.storeKeystore(older, { listed_at: early })).toBe('superseded');
        expect((await readStored(older.app_id)).keystore).toEqual({ ...newer, listed_at: late });
        // A writer that read an older session writes it back, and dies.
        await writeOutside(older.app_id, { ...older, listed_at: early });
        expect((await readStored(older.app_id)).keystore.session_id).toBe(older.session_id);
        await storeKey(vault, older, seed());
        expect((await current(older.app_id)).session_id).toBe(newer.session_id);
      });

      test('a newer session that is stored while a key is written stays', async ({ skip }) => {
        const endpoint = backend.environment.AWS_ENDPOINT_URL_SECRETS_MANAGER;
        if (endpoint === undefined) throw skip();
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        const newer = { ...keystore, ...(await session()) };
        let isArmed = true;
        const proxy = await startProxy(endpoint, async ({ action }) => {
          if (action !== 'PutSecretValue' || !isArmed) return undefined;
          isArmed = false;
          await vault.storeKeystore(newer);
          return undefined;
        });
        const slow = connectServices({
          ...backend.environment,
          AWS_ENDPOINT_URL_SECRETS_MANAGER: proxy.url,
        }).vault;
        const key = await storeKey(slow, keystore, seed());
        expect(await current(keystore.app_id)).toEqual({ ...newer, spend_private_key: key.private_key });
      });

      test('upper-case hex is read as lists are', async () => {
        const keystore = await newKeystore();
        const session_private_key = keystore.session_private_key.toUpperCase();
        await createOutside(keystore.app_id, JSON.stringify({ ...keystore, session_private_key }));
        expect(await vault.readKeystore(keystore.app_id)).toEqual({ keystore });
      });
    });

    describe('the spend key', () => {
      test('the candidate becomes the key, in a version of its own, and reads back', async () => {
        const { keystore, candidate, key } = await storeWithKey();
        expect(key).toEqual({
          private_key: candidate,
          public_key: await derivePublicKey(candidate),
          secret_version: deriveKeyVersionId(keystore.app_id),
        });
        expect((await readStored(keystore.app_id)).key).toEqual(key);
        expect((await labels(keystore.app_id))[key.secret_version]).toContain(KEY_LABEL);
      });

      test('a secret with a key has exactly the fields that a Mixin SDK loads', async () => {
        const { keystore, candidate } = await storeWithKey();
        expect(await current(keystore.app_id)).toEqual({ ...keystore, spend_private_key: candidate });
        expect(Object.keys(await current(keystore.app_id)).sort()).toEqual([
          'app_id',
          'server_public_key',
          'session_id',
          'session_private_key',
          'spend_private_key',
        ]);
      });

      test('of several candidates at the same time one wins, every caller gets it, and the secret holds it', async () => {
        for (let round = 0; round < 3; round += 1) {
          const keystore = await newKeystore();
          await vault.storeKeystore(keystore);
          const candidates = Array.from({ length: 4 }, seed);
          const vaults = candidates.map(() => connectServices(backend.environment).vault);
          const keys = await Promise.all(
            vaults.map((it, i) => storeKey(it, keystore, candidates[i] ?? seed())),
          );
          expect(new Set(keys.map(({ public_key }) => public_key)).size).toBe(1);
          const [winner] = keys as [StoredKey];
          expect(candidates).toContain(winner.private_key);
          expect(await derivePublicKey(winner.private_key)).toBe(winner.public_key);
          expect((await readStored(keystore.app_id)).key).toEqual(winner);
          expect((await current(keystore.app_id)).spend_private_key).toBe(winner.private_key);
        }
      });

      test('the first candidate stays the key, whatever candidate comes later', async () => {
        const { keystore, key } = await storeWithKey();
        const later = await storeKey(connectServices(backend.environment).vault, keystore, seed());
        expect(later).toEqual(key);
        expect(await storeKey(vault, { ...keystore, spend_private_key: seed() }, seed())).toEqual(key);
        expect((await current(keystore.app_id)).spend_private_key).toBe(key.private_key);
      });

      test('a key whose answer was lost is the one that was written', async ({ skip }) => {
        const endpoint = backend.environment.AWS_ENDPOINT_URL_SECRETS_MANAGER;
        if (endpoint === undefined) throw skip();
        const proxy = await startProxy(endpoint, loseFirstAnswer('PutSecretValue'));
        const lossy = connectServices({
          ...backend.environment,
          AWS_ENDPOINT_URL_SECRETS_MANAGER: proxy.url,
        }).vault;
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        const candidate = seed();
        const key = await storeKey(lossy, keystore, candidate);
        expect(key.private_key).toBe(candidate);
        expect(proxy.actions.filter((action) => action === 'PutSecretValue')).toHaveLength(2);
        expect((await readStored(keystore.app_id)).key).toEqual(key);
      });

      test('the key stays through many updates of the keystore, though old versions are deleted', async () => {
        const { keystore, key } = await storeWithKey();
        for (let i = 0; i < 6; i += 1) await vault.storeKeystore({ ...keystore, ...(await session()) });
        expect((await readStored(keystore.app_id)).key).toEqual(key);
        expect((await labels(keystore.app_id))[key.secret_version]).toEqual([KEY_LABEL]);
        expect((await current(keystore.app_id)).spend_private_key).toBe(key.private_key);
      });

      test('another key that a program writes into the current version changes nothing', async () => {
        const { keystore, key } = await storeWithKey();
        await writeOutside(keystore.app_id, { ...keystore, spend_private_key: seed() });
        expect(await readStored(keystore.app_id)).toMatchObject({
          keystore: { spend_private_key: key.private_key },
          key,
        });
        expect(await storeKey(vault, keystore, seed())).toEqual(key);
      });

      test('a newer session at the same time does not harm the key', async () => {
        for (let round = 0; round < 3; round += 1) {
          const keystore = await newKeystore();
          await vault.storeKeystore(keystore);
          const newer = { ...keystore, ...(await session()) };
          const [key] = await Promise.all([storeKey(vault, keystore, seed()), vault.storeKeystore(newer)]);
          const stored = await readStored(keystore.app_id);
          expect(stored.key).toEqual(key);
          expect(stored.keystore.spend_private_key).toBe(key.private_key);
          // A program that knows nothing of the versions must find the key too.
          expect((await current(keystore.app_id)).spend_private_key).toBe(key.private_key);
        }
      });

      test('a key that is stored while a newer session is written stays in the current version', async ({
        skip,
      }) => {
        const endpoint = backend.environment.AWS_ENDPOINT_URL_SECRETS_MANAGER;
        if (endpoint === undefined) throw skip();
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        let key: StoredKey | undefined;
        const proxy = await startProxy(endpoint, async ({ action }) => {
          if (action === 'PutSecretValue') key ??= await storeKey(vault, keystore, seed());
          return undefined;
        });
        const slow = connectServices({
          ...backend.environment,
          AWS_ENDPOINT_URL_SECRETS_MANAGER: proxy.url,
        }).vault;
        const newer = { ...keystore, ...(await session()) };
        expect(await slow.storeKeystore(newer)).toBe('stored');
        expect(key).toBeDefined();
        const spend_private_key = key?.private_key ?? '';
        expect(await vault.readKeystore(keystore.app_id)).toEqual({
          keystore: { ...newer, spend_private_key },
          key,
        });
        expect(await current(keystore.app_id)).toEqual({ ...newer, spend_private_key });
      });

      test('storing a key does not bring an older session back', async () => {
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        const newer = { ...keystore, ...(await session()) };
        await vault.storeKeystore(newer);
        await storeKey(vault, keystore, seed());
        expect((await readStored(keystore.app_id)).keystore.session_id).toBe(newer.session_id);
      });

      test('no key is stored for a bot without a keystore', async () => {
        const keystore = await newKeystore();
        await expect(storeKey(vault, keystore, seed())).rejects.toThrow();
        expect(await vault.readKeystore(keystore.app_id)).toBe('missing');
      });
    });

    describe('spend keys of a list', () => {
      test('the spend key of a list becomes the key, whatever candidate comes later', async () => {
        const keystore = await newKeystore({ spend_private_key: seed() });
        expect(await vault.storeKeystore(keystore)).toBe('stored');
        const stored = await readStored(keystore.app_id);
        expect(stored.keystore).toEqual(keystore);
        expect(stored.key?.private_key).toBe(keystore.spend_private_key);
        expect(await storeKey(vault, keystore, seed())).toEqual(stored.key);
        expect(await vault.storeKeystore(keystore)).toBe('unchanged');
      });

      test('the spend key of a list may come after a list without one', async () => {
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        const spend_private_key = seed();
        expect(await vault.storeKeystore({ ...keystore, spend_private_key })).toBe('stored');
        expect((await readStored(keystore.app_id)).key?.private_key).toBe(spend_private_key);
      });

      test('a list with another spend key than the stored one is a conflict, and nothing is written', async () => {
        const { keystore, key } = await storeWithKey();
        const before = { labels: await labels(keystore.app_id), value: await current(keystore.app_id) };
        const other = { ...keystore, ...(await session()), spend_private_key: seed() };
        expect(await vault.storeKeystore(other)).toBe('key_conflict');
        expect({ labels: await labels(keystore.app_id), value: await current(keystore.app_id) }).toEqual(
          before,
        );
        expect((await readStored(keystore.app_id)).key).toEqual(key);
      });

      test('of two lists with different spend keys one is stored and the other is a conflict', async () => {
        const keystore = await newKeystore();
        const fromList = [seed(), seed()].map((key) => ({ ...keystore, spend_private_key: key }));
        const answers = await Promise.all(
          fromList.map((it) => connectServices(backend.environment).vault.storeKeystore(it)),
        );
        expect([...answers].sort()).toEqual(['key_conflict', 'stored']);
        const stored = await readStored(keystore.app_id);
        expect(stored.keystore.spend_private_key).toBe(
          fromList[answers.indexOf('stored')]?.spend_private_key,
        );
      });
    });

    describe('keys that may be a seed or a scalar', () => {
      /** A seed below the group's order, which could also be a scalar, in both forms. */
      const createAmbiguousKey = async () => {
        let spend_key = seed();
        while (!isScalar(spend_key)) spend_key = seed();
        return { spend_key, scalar: `scalar:${spend_key}` };
      };

      test('a key of unknown form is stored beside the session and is not the key yet', async () => {
        const { spend_key } = await createAmbiguousKey();
        const keystore = await newKeystore({ spend_key });
        expect(await vault.storeKeystore(keystore)).toBe('stored');
        expect(await vault.readKeystore(keystore.app_id)).toEqual({ keystore });
        expect(await vault.storeKeystore(keystore)).toBe('unchanged');
      });

      test('a key of unknown form becomes the key once its form is known', async () => {
        const { spend_key, scalar } = await createAmbiguousKey();
        const keystore = await newKeystore({ spend_key });
        await vault.storeKeystore(keystore);
        const key = await storeKey(vault, keystore, scalar);
        expect(key).toMatchObject({ private_key: scalar, public_key: await derivePublicKey(scalar) });
        const { spend_key: _, ...rest } = keystore;
        expect(await current(keystore.app_id)).toEqual({ ...rest, spend_private_key: scalar });
        expect(await vault.storeKeystore(keystore)).toBe('unchanged');
        expect(await current(keystore.app_id)).toEqual({ ...rest, spend_private_key: scalar });
      });

      test('a key of unknown form matches a stored key in either form, and conflicts with any other', async () => {
        const { spend_key } = await createAmbiguousKey();
        const keystore = await newKeystore({ spend_private_key: spend_key });
        await vault.storeKeystore(keystore);
        const { spend_private_key: _, ...rest } = keystore;
        expect(await vault.storeKeystore({ ...rest, spend_key })).toBe('unchanged');
        const other = (await createAmbiguousKey()).spend_key;
        expect(await vault.storeKeystore({ ...rest, spend_key: other })).toBe('key_conflict');
        expect((await readStored(keystore.app_id)).key?.private_key).toBe(spend_key);
      });
    });

    describe('sessions', () => {
      test('a session whose server key differs in its sign only is unchanged', async () => {
        const keystore = await newKeystore();
        await vault.storeKeystore(keystore);
        const withOtherSign = Buffer.from(keystore.server_public_key, 'hex');
        withOtherSign[31] = (withOtherSign[31] ?? 0) ^ 128;
        const other = { ...keystore, server_public_key: withOtherSign.toString('hex') };
        expect(await vault.storeKeystore(other)).toBe('unchanged');
        expect((await readStored(keystore.app_id)).keystore).toEqual(keystore);
      });

      test('an RSA session is stored whole, and an Ed25519 session replaces it', async () => {
        const { app_id, ...ed25519 } = await newKeystore();
        const rsa: RsaKeystore = {
          app_id,
          session_id: randomUUID(),
          pin_token: randomBytes(128).toString('base64'),
          private_key: '-----BEGIN RSA PRIVATE KEY-----\nmade up\n-----END RSA PRIVATE KEY-----\n',
          pin: '314159',
        };
        expect(await vault.storeKeystore(rsa)).toBe('stored');
        expect(await vault.readKeystore(app_id)).toEqual({ keystore: rsa });
        const key = await storeKey(vault, rsa, seed());
        expect(await vault.readKeystore(app_id)).toEqual({
          keystore: { ...rsa, spend_private_key: key.private_key },
          key,
        });
        expect(await vault.storeKeystore({ app_id, ...ed25519 })).toBe('stored');
        const { pin } = rsa;
        const { private_key: spend_private_key } = key;
        expect(await current(app_id)).toEqual({ app_id, ...ed25519, pin, spend_private_key });
      });
    });

    describe('enrolments', () => {
      const sign_in = () => ({
        code: '2718',
        device_id: randomUUID() as string,
        platform: 'Android' as const,
        platform_version: '16',
        app_version: '3.0.0',
        package_name: 'one.mixin.messenger',
        notification_token: 'token',
        purpose: 'SESSION' as const,
        registration_id: 7,
      });

      test('an enrolment keeps its first session key, whatever comes later', async () => {
        const id = randomUUID();
        const session_key = seed();
        const first = await vault.storeEnrolment(id, { session_key });
        expect(first).toEqual({ stored: { session_key }, isNew: true });
        const again = await vault.storeEnrolment(id, { session_key: seed() });
        expect(again).toEqual({ stored: { session_key }, isNew: false });
        expect(await vault.readEnrolment(id)).toEqual({ session_key });
      });

      test('an enrolment takes a newer code and keeps its session key', async () => {
        const id = randomUUID();
        const [session_key, old, newer] = [seed(), sign_in(), { ...sign_in(), code: '1618' }];
        await vault.storeEnrolment(id, { session_key, sign_in: old });
        expect(await vault.storeEnrolment(id, { session_key, sign_in: old })).toMatchObject({
          isNew: false,
        });
        expect(await vault.storeEnrolment(id, { session_key: seed(), sign_in: newer })).toEqual({
          stored: { session_key, sign_in: newer },
          isNew: true,
        });
        expect(await vault.storeEnrolment(id, { session_key: seed() })).toEqual({
          stored: { session_key, sign_in: newer },
          isNew: false,
        });
      });

      test('of several workers at the same time all get one session key', async () => {
        const id = randomUUID();
        const all = await Promise.all(
          Array.from({ length: 4 }, () =>
            connectServices(backend.environment).vault.storeEnrolment(id, { session_key: seed() }),
          ),
        );
        const stored = new Set(all.map((it) => (typeof it === 'object' ? it.stored.session_key : it)));
        expect(stored.size).toBe(1);
        expect(await vault.readEnrolment(id)).toEqual({ session_key: [...stored][0] });
      });

      test('a removed enrolment blocks its name, and may be removed again', async () => {
        const id = randomUUID();
        expect(await vault.readEnrolment(id)).toBe('missing');
        await vault.removeEnrolment(id);
        await vault.storeEnrolment(id, { session_key: seed() });
        await vault.removeEnrolment(id);
        await vault.removeEnrolment(id);
        expect(await vault.readEnrolment(id)).toBe('pending_deletion');
        expect(await vault.storeEnrolment(id, { session_key: seed() })).toBe('pending_deletion');
      });
    });

    describe('secrets of other programs', () => {
      test('a secret of another program that has a spend key keeps it', async () => {
        const keystore = await newKeystore({ spend_private_key: seed() });
        await createOutside(keystore.app_id, JSON.stringify(keystore));
        const { spend_private_key, ...fromList } = keystore;
        expect(await vault.storeKeystore(fromList)).toBe('unchanged');
        const stored = await readStored(keystore.app_id);
        expect(stored.keystore).toEqual(keystore);
        const key = await storeKey(vault, stored.keystore, seed());
        expect(key.private_key).toBe(spend_private_key);
        expect((await current(keystore.app_id)).spend_private_key).toBe(spend_private_key);
      });

      test('a secret of another program keeps its spend key when a list brings a newer session', async () => {
        const keystore = await newKeystore({ spend_private_key: seed() });
        await createOutside(keystore.app_id, JSON.stringify(keystore));
        const { spend_private_key, ...fromList } = { ...keystore, ...(await session()) };
        expect(await vault.storeKeystore(fromList)).toBe('stored');
        expect((await readStored(keystore.app_id)).keystore).toEqual({ ...fromList, spend_private_key });
      });

      test('a secret of another program conflicts with another spend key of a list', async () => {
        const keystore = await newKeystore({ spend_private_key: seed() });
        await createOutside(keystore.app_id, JSON.stringify(keystore));
        const other = { ...keystore, spend_private_key: seed() };
        expect(await vault.storeKeystore(other)).toBe('key_conflict');
        expect(await current(keystore.app_id)).toEqual(keystore);
      });

      test.each([
        ['text', (canary: string) => canary],
        ['half of a JSON text', (canary: string) => `{"spend_private_key":"${canary}"`],
        ['another JSON text', (canary: string) => JSON.stringify({ key: canary })],
      ])('a secret that is %s is unreadable', async (_name, write) => {
        const keystore = await newKeystore();
        const canary = seed().replace(/[0-9]/g, 'x');
        await createOutside(keystore.app_id, write(canary));
        expect(await vault.readKeystore(keystore.app_id)).toBe('unreadable');
        expect(await vault.storeKeystore(keystore)).toBe('unreadable');
      });

      test('a secret with the keystore of another bot is unreadable', async () => {
        const keystore = await newKeystore();
        await createOutside(
          keystore.app_id,
          JSON.stringify(await newKeystore({ spend_private_key: seed() })),
        );
        expect(await vault.readKeystore(keystore.app_id)).toBe('unreadable');
      });
    });

    test('a secret that is scheduled for deletion blocks its name', async () => {
      const { keystore } = await storeWithKey();
      await secrets.send(
        new DeleteSecretCommand({ SecretId: SecretId(keystore.app_id), RecoveryWindowInDays: 7 }),
      );
      expect(await vault.readKeystore(keystore.app_id)).toBe('pending_deletion');
      expect(await vault.storeKeystore(keystore)).toBe('pending_deletion');
      expect(await vault.storeKeystore({ ...keystore, spend_private_key: seed() })).toBe('pending_deletion');
      expect(await vault.storeKey(keystore, seed())).toBe('pending_deletion');
    });
  });
};
