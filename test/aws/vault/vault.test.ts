/** Secrets Manager reports success but stores nothing, or another value: a key that is not stored is never returned. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Emulators, startEmulators } from '../../../infra/local/emulators.ts';
import { derivePublicKey } from '../../../lib/mixin/keys.ts';
import { type Call, connectServices, type Fault, startProxy } from '../../contract/backend.ts';

let emulators: Emulators;
beforeAll(async () => {
  emulators = await startEmulators();
});
afterAll(() => emulators.stop());

const seed = () => randomBytes(32).toString('hex');

/** Connects the vault through a proxy. */
const connectThroughProxy = async (chooseFault: (call: Call) => Fault | undefined) => {
  const { environment } = emulators;
  const proxy = await startProxy(environment.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? '', chooseFault);
  return connectServices({ ...environment, AWS_ENDPOINT_URL_SECRETS_MANAGER: proxy.url }).vault;
};

/** Reports success for this action and does nothing. */
const ignoreAction =
  (ignoredAction: string) =>
  ({ action }: Call): Fault | undefined =>
    action === ignoredAction ? { instead: Buffer.from('{}') } : undefined;

const storeNew = async () => {
  const { vault } = connectServices(emulators.environment);
  const keystore = {
    app_id: randomUUID(),
    session_id: randomUUID(),
    server_public_key: await derivePublicKey(seed()),
    session_private_key: seed(),
  };
  await vault.storeKeystore(keystore);
  return keystore;
};

test('a spend key that Secrets Manager did not store is an error', async () => {
  const keystore = await storeNew();
  const vault = await connectThroughProxy(ignoreAction('PutSecretValue'));
  await expect(vault.storeKey(keystore, seed())).rejects.toThrow('could not be read back');
});

test('a spend key that Secrets Manager changed is returned as it was stored', async () => {
  const keystore = await storeNew();
  const [candidate, other] = [seed(), seed()];
  const vault = await connectThroughProxy(({ action, body }) =>
    action === 'PutSecretValue'
      ? { body: Buffer.from(body.toString().replaceAll(candidate, other)) }
      : undefined,
  );
  const key = await vault.storeKey(keystore, candidate);
  expect(key).toMatchObject({ private_key: other, public_key: await derivePublicKey(other) });
});

test('a spend key that Secrets Manager stored in part is unreadable', async () => {
  const keystore = await storeNew();
  const candidate = seed();
  const vault = await connectThroughProxy(({ action, body }) =>
    action === 'PutSecretValue'
      ? { body: Buffer.from(body.toString().replaceAll(candidate, candidate.slice(0, 40))) }
      : undefined,
  );
  expect(await vault.storeKey(keystore, candidate)).toBe('unreadable');
});

test('a session key that Secrets Manager did not store is an error', async () => {
  const vault = await connectThroughProxy(ignoreAction('CreateSecret'));
  await expect(vault.storeEnrolment(randomUUID(), { session_key: seed() })).rejects.toThrow(
    'could not be read back',
  );
});

test('a secret that exists and is not visible yet is an error, and the same call stores it later', async () => {
  const keystore = await storeNew();
  let hidden = 2;
  const vault = await connectThroughProxy(({ action, body }) => {
    if (action !== 'GetSecretValue' || hidden === 0) return undefined;
    hidden -= 1;
    // Asks for a secret that does not exist: the answer is what a stale read answers.
    return { body: Buffer.from(body.toString().replace(keystore.app_id, randomUUID())) };
  });
  await expect(vault.storeKeystore(keystore)).rejects.toThrow('cannot be read yet');
  expect(await vault.storeKeystore(keystore)).toBe('unchanged');
});
