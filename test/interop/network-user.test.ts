/** A network user of Enlist is usable by other programs: the official SDK works with its keystore from the vault. */
import { MixinApi } from '@mixin.dev/mixin-node-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ed25519Keystore } from '../../lib/model/keystore.ts';
import { startStack, type TestStack, uploadRows, waitFor, waitForState } from '../helpers/stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** The SDK resends POSTs by default; only retry -1 turns that off. */
const sdk = (keystore: Ed25519Keystore) =>
  MixinApi({ keystore, requestConfig: { baseURL: stack.standIn.url, timeout: 5_000, retry: -1 } as never });

const readKeystore = async (user_id: string) => {
  const stored = await stack.services.vault.readKeystore(user_id);
  if (typeof stored === 'string' || !('session_private_key' in stored.keystore))
    throw new Error('no keystore');
  return stored.keystore;
};

describe('network users of an owner bot', () => {
  test('network users are created and registered, and the official SDK can use them', async () => {
    const { keystore } = await stack.standIn.createUser();
    await uploadRows(stack, [keystore]);
    await waitForState(stack, keystore.app_id, 'registered');
    const create = { owner: keystore.app_id, count: 2, full_name: 'Wallet {n}', accept_cost_usd: 1 };
    const { status, body } = await stack.post('/batches', { create });
    expect(status).toBe(202);
    const { batch_id } = body as { batch_id: string };
    await waitFor(async () => {
      const batch = (await stack.get(`/batches/${batch_id}`)).body as { states: Record<string, number> };
      return batch.states.registered === 2 && batch.states.enrolled === 2;
    });
    const { body: page } = await stack.get(`/batches/${batch_id}/bots?state=registered`);
    const { bots } = page as { bots: { bot_id: string }[] };
    const names: string[] = [];
    for (const { bot_id: user_id } of bots) {
      const secret = await readKeystore(user_id);
      const client = sdk(secret);
      const me = await client.safe.checkRegisteration();
      expect(me).toMatchObject({ user_id, has_safe: true });
      names.push(me.full_name);
      const owner = await client.pin.verifyTipPin(secret.spend_private_key ?? '');
      expect(owner.user_id).toBe(user_id);
    }
    expect(names.sort()).toEqual(['Wallet 1', 'Wallet 2']);
  });

  test('network users are bought once for each row, however often the list is sent', async () => {
    const { keystore } = await stack.standIn.createUser();
    await uploadRows(stack, [keystore]);
    await waitForState(stack, keystore.app_id, 'registered');
    const create = { owner: keystore.app_id, count: 1, full_name: 'Once', accept_cost_usd: 0.5 };
    const headers = { 'idempotency-key': 'an-invented-key-of-a-client' };
    const answers = [
      await stack.post('/batches', { create }, headers),
      await stack.post('/batches', { create }, headers),
    ];
    const ids = new Set(answers.map(({ body }) => (body as { batch_id: string }).batch_id));
    expect(ids.size).toBe(1);
    await waitFor(async () => {
      const batch = (await stack.get(`/batches/${[...ids][0]}`)).body as { states: Record<string, number> };
      return batch.states.registered === 1;
    });
    const bought = stack.standIn
      .ledger()
      .filter((entry) => entry.created && entry.user_id === keystore.app_id);
    expect(bought).toHaveLength(1);
  });
});
