/** The result of Enlist is usable by other programs: the official SDK works with a keystore from the vault. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { MixinApi } from '@mixin.dev/mixin-node-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientConfig } from '../../infra/local/client-config.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { startStack, type TestStack, uploadRows, waitForState } from '../helpers/stack.ts';

interface SecretKeystore {
  app_id: string;
  session_id: string;
  server_public_key: string;
  session_private_key: string;
  spend_private_key: string;
}

let stack: TestStack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const readSecret = async (user_id: string): Promise<SecretKeystore> => {
  const { aws, secretPrefix } = readConfig(stack.embedded.environment);
  const client = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
  const { SecretString } = await client.send(
    new GetSecretValueCommand({ SecretId: `${secretPrefix}/${user_id}` }),
  );
  return JSON.parse(SecretString ?? '');
};

/** The SDK resends POSTs by default; only retry -1 turns that off. */
const sdk = (keystore: SecretKeystore) =>
  MixinApi({ keystore, requestConfig: { baseURL: stack.standIn.url, timeout: 5_000, retry: -1 } as never });

describe('a keystore from the vault', () => {
  test('a keystore from the vault has the fields of the dashboard format, the spend key and the time of its list, and nothing else', async () => {
    const { keystore } = await stack.standIn.createUser();
    await uploadRows(stack, [keystore]);
    await waitForState(stack, keystore.app_id, 'registered');
    const secret = await readSecret(keystore.app_id);
    expect(Object.keys(secret).sort()).toEqual([
      'app_id',
      'listed_at',
      'server_public_key',
      'session_id',
      'session_private_key',
      'spend_private_key',
    ]);
    expect(secret).toMatchObject(keystore);
  });

  test('the official SDK can verify the TIP PIN and read has_safe with a keystore from the vault', async () => {
    const { keystore } = await stack.standIn.createUser();
    await uploadRows(stack, [keystore]);
    await waitForState(stack, keystore.app_id, 'registered');
    const secret = await readSecret(keystore.app_id);
    const client = sdk(secret);
    const account = await client.pin.verifyTipPin(secret.spend_private_key);
    expect(account.user_id).toBe(keystore.app_id);
    const me = await client.safe.checkRegisteration();
    expect(me.has_safe).toBe(true);
  });

  test('Mixin refuses the PIN of a keystore from the vault when another key signs it', async () => {
    const { keystore } = await stack.standIn.createUser();
    await uploadRows(stack, [keystore]);
    await waitForState(stack, keystore.app_id, 'registered');
    const secret = await readSecret(keystore.app_id);
    await expect(sdk(secret).pin.verifyTipPin(secret.session_private_key)).rejects.toMatchObject({
      code: 20_119,
    });
  });
});
