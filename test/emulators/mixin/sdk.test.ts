/** The official Node SDK, unchanged, works with the stand-in: so the stand-in checks what real clients send. */
import { MixinApi, ResponseError } from '@mixin.dev/mixin-node-sdk';
import { expect, test } from 'vitest';
import { type Keystore, newKey, start } from './client.ts';

// retry: -1 because the SDK reads 0 as "5 times", for POSTs too.
const sdk = (baseURL: string, keystore: Keystore) =>
  MixinApi({ keystore, requestConfig: { baseURL, timeout: 5_000, retry: -1 } as never });

const readCode = async (promise: Promise<unknown>): Promise<number | undefined> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ResponseError ? error.code : undefined;
};

test('the official SDK can set a TIP PIN, verify it, and register with Safe', async () => {
  const standIn = await start();
  const { keystore } = await standIn.createUser();
  const api = sdk(standIn.url, keystore);
  const key = newKey();

  expect(await api.safe.checkRegisteration()).toMatchObject({
    has_safe: false,
    has_pin: false,
    tip_key_base64: '',
  });
  const profile = await api.pin.updateTipPin('', key.public_key, 1);
  expect(profile).toMatchObject({ has_pin: true, tip_counter: 1 });
  expect(Buffer.from(profile.tip_key_base64, 'base64url').toString('hex')).toBe(key.public_key);
  expect(await api.pin.verifyTipPin(key.private_key)).toMatchObject({ user_id: keystore.app_id });
  const registration = await api.safe.register(
    keystore.app_id,
    key.private_key,
    Buffer.from(key.private_key, 'hex'),
  );
  expect(registration).toMatchObject({ has_safe: true, spend_public_key: key.public_key });
  expect(await api.safe.checkRegisteration()).toMatchObject({ has_safe: true });
  expect(await api.user.profile()).toMatchObject({ has_safe: true });

  const bound = standIn.ledger().flatMap((entry) => (entry.bound === undefined ? [] : [entry.bound]));
  expect(bound).toEqual([
    { kind: 'tip', public_key: key.public_key },
    { kind: 'spend', public_key: key.public_key },
  ]);
});

test('with the official SDK an app creates a network user that works by pin_token_base64 and registers', async () => {
  const standIn = await start();
  const { keystore } = await standIn.createUser();
  const [session, tip, spend] = [newKey(), newKey(), newKey()];
  const sessionSecret = Buffer.from(session.public_key, 'hex').toString('base64url');
  const user = (await sdk(standIn.url, keystore).user.createBareUser(
    'Network user',
    sessionSecret,
  )) as unknown as {
    user_id: string;
    session_id: string;
    pin_token_base64: string;
    server_public_key: string;
  };
  const network = {
    app_id: user.user_id,
    session_id: user.session_id,
    session_private_key: session.private_key,
  };

  const byPinToken = sdk(standIn.url, { ...network, pin_token_base64: user.pin_token_base64 } as never);
  await byPinToken.pin.updateTipPin('', tip.public_key, 1);
  const byServerKey = sdk(standIn.url, { ...network, server_public_key: user.server_public_key });
  const registration = await byServerKey.safe.register(
    user.user_id,
    tip.private_key,
    Buffer.from(spend.private_key, 'hex'),
  );
  expect(registration.has_safe).toBe(true);
  expect(await readCode(byServerKey.user.createBareUser('Another', sessionSecret))).toBe(403);
});

test('with the official SDK a network user is bought once, reads its profile, sets its PIN and verifies it', async () => {
  const standIn = await start();
  const { keystore } = await standIn.createUser();
  const [session, tip] = [newKey(), newKey()];
  const user = (await sdk(standIn.url, keystore).user.createBareUser(
    'Bare',
    Buffer.from(session.public_key, 'hex').toString('base64url'),
  )) as unknown as Record<'user_id' | 'session_id' | 'pin_token_base64', string>;
  const bare = sdk(standIn.url, {
    app_id: user.user_id,
    session_id: user.session_id,
    session_private_key: session.private_key,
    pin_token_base64: user.pin_token_base64,
  } as never);

  expect(await bare.user.profile()).toMatchObject({
    user_id: user.user_id,
    full_name: 'Bare',
    has_pin: false,
  });
  expect(await bare.pin.updateTipPin('', tip.public_key, 1)).toMatchObject({ has_pin: true, tip_counter: 1 });
  expect(await bare.pin.verifyTipPin(tip.private_key)).toMatchObject({ user_id: user.user_id });
  expect(await readCode(bare.pin.verifyTipPin(newKey().private_key))).toBe(20119);
  const users = standIn.ledger().flatMap((entry) => entry.created ?? []);
  expect(users).toEqual([{ kind: 'network', user_id: user.user_id }]);
});

test('the official SDK gets 20123 for an app whose bill is not paid', async () => {
  const standIn = await start();
  const { keystore } = await standIn.createUser({ unpaid: true });
  const sessionSecret = Buffer.from(newKey().public_key, 'hex').toString('base64url');
  expect(await readCode(sdk(standIn.url, keystore).user.createBareUser('Bare', sessionSecret))).toBe(20123);
});

test('six digits must be given to the official SDK as hex of their ASCII; given as they are they become a wrong PIN', async () => {
  const standIn = await start();
  const { keystore } = await standIn.createUser({ six_digit_pin: '123456' });
  const api = sdk(standIn.url, keystore);

  expect(await readCode(api.pin.verify('123456'))).toBe(20119);
  expect(standIn.accounts()[0]?.pin_errors).toBe(1);
  expect(await api.pin.verify('313233343536')).toMatchObject({ has_pin: true, tip_key_base64: '' });

  const tip = newKey();
  expect(await api.pin.updateTipPin('313233343536', tip.public_key, 1)).toMatchObject({ tip_counter: 1 });
  expect(await api.pin.verifyTipPin(tip.private_key)).toMatchObject({ has_pin: true });
});

test('the official SDK reads a wrong TIP PIN in the logs', async () => {
  const standIn = await start();
  const tip = newKey();
  const { keystore } = await standIn.createUser({ tip });
  const api = sdk(standIn.url, keystore);
  expect(await readCode(api.pin.verifyTipPin(newKey().private_key))).toBe(20119);
  const logs = await api.user.logs({ category: 'PIN_INCORRECT', offset: '', limit: 5 });
  expect(logs).toMatchObject([{ type: 'log', code: 'PIN_INCORRECT' }]);
});
