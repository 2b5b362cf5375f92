import {
  CreateSecretCommand,
  DeleteSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { expect, onTestFinished, test } from 'vitest';
import { derivePublicKeyOfScalar } from '../../../emulators/mixin/ed25519.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { startEmulators } from '../../../infra/local/emulators.ts';
import { countKeys, type Ledger } from '../../../infra/local/key-counts.ts';
import type { Environment } from '../../../lib/runtime/config.ts';

/** RFC 8032, 7.1, test 1. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const SEED_KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const SCALAR = `07${'0'.repeat(62)}`;
const SCALAR_KEY = derivePublicKeyOfScalar(SCALAR);

const start = async () => {
  const emulators = await startEmulators();
  onTestFinished(() => emulators.stop());
  const environment: Environment = { ...emulators.environment, MIXIN_URL: 'http://127.0.0.1:1' };
  const client = new SecretsManagerClient(clientConfig(environment.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? ''));
  onTestFinished(() => client.destroy());
  const store = (Name: string, value: object) =>
    client.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify(value) }));
  return { environment, client, store };
};

const createEntry = (user_id: string, public_key: string | undefined) =>
  ({ user_id, bound: { public_key } }) as unknown as NonNullable<Ledger>[number];

test('a key is found in every form in which it can be stored, and a missing one counts as lost', async () => {
  const { environment, store } = await start();
  await store('enlist/seed', { spend_private_key: SEED });
  await store('enlist/scalar', { spend_private_key: `scalar:${SCALAR}` });
  await store('enlist/either', { spend_key: SCALAR });
  await store('enlist/tip', { tip_private_key: SEED });
  const ledger = [
    createEntry('seed', SEED_KEY),
    createEntry('scalar', SCALAR_KEY),
    createEntry('either', SCALAR_KEY),
    createEntry('tip', SEED_KEY),
    createEntry('scalar', SEED_KEY),
    createEntry('nobody', SEED_KEY),
  ];
  expect(await countKeys(environment, ledger)).toEqual({ keys_stored: 2, keys_bound: 6, keys_lost: 2 });
});

test('session keys of enrolments do not count, scheduled for deletion or not', async () => {
  const { environment, client, store } = await start();
  for (const id of ['one', 'two']) await store(`enlist/enrolment/${id}`, { session_key: SEED });
  await client.send(new DeleteSecretCommand({ SecretId: 'enlist/enrolment/two', RecoveryWindowInDays: 7 }));
  expect(await countKeys(environment, [])).toEqual({ keys_stored: 0, keys_bound: 0, keys_lost: 0 });
});
