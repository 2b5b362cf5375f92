import { createPrivateKey, generateKeyPairSync, randomUUID, sign, webcrypto } from 'node:crypto';
import { expect, test } from 'vitest';
import type { MixinStandIn } from '../../../emulators/mixin/server.ts';
import {
  type Clock,
  connect,
  createClock,
  findAccount,
  newClient,
  newKey,
  readLastEntry,
  start,
} from './client.ts';
import { connectRsa, createRsaSessionKeys, newRsaSession } from './phone-client.ts';

const newLegacyClient = async (standIn: MixinStandIn, clock: Clock, user = {}) => {
  const { keystore } = await standIn.createUser({ ...user, session_key: 'rsa' });
  return { keystore, client: connectRsa(standIn, keystore, clock) };
};

const setUp = async (user = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now });
  return { clock, standIn, ...(await newLegacyClient(standIn, clock, user)) };
};

test('the keystore of an RSA session has the older names, a PKCS#1 key and an encrypted key of 128 bytes', async () => {
  const { keystore, standIn } = await setUp();
  expect(Object.keys(keystore)).toEqual(['client_id', 'session_id', 'pin_token', 'private_key']);
  expect(keystore.private_key).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
  expect(keystore.pin_token).toMatch(/^[A-Za-z0-9+/]{171}=$/);
  expect(standIn.accounts()).toMatchObject([{ user_id: keystore.client_id, session_key: 'rsa' }]);
});

test('the key of the PINs is encrypted by OAEP with SHA-256 and the session id, and WebCrypto can decrypt it', async () => {
  const server_private_key = '20'.repeat(32);
  const { keystore } = await setUp({ server_private_key });
  const der = createPrivateKey(keystore.private_key).export({ format: 'der', type: 'pkcs8' });
  const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256' };
  const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['decrypt']);
  const open = (label: string) =>
    webcrypto.subtle.decrypt(
      { name: 'RSA-OAEP', label: Buffer.from(label) },
      key,
      Buffer.from(keystore.pin_token, 'base64'),
    );
  expect(Buffer.from(await open(keystore.session_id)).toString('hex')).toBe(server_private_key);
  await expect(open(randomUUID())).rejects.toThrow();
});

test('an RS512 token is accepted, and the account object shows the encrypted key in both base64 forms', async () => {
  const { client, keystore } = await setUp();
  expect((await client.me()).data).toMatchObject({
    user_id: keystore.client_id,
    session_id: keystore.session_id,
    pin_token: keystore.pin_token,
    pin_token_base64: Buffer.from(keystore.pin_token, 'base64').toString('base64url'),
    server_public_key: '',
  });
});

test('a token of another RSA key, another hash or another padding is 401', async () => {
  const { client, keystore, standIn } = await setUp();
  const [header = '', payload = '', signature = ''] = client.token('GET', '/me', '', randomUUID()).split('.');
  const text = Buffer.from(`${header}.${payload}`);
  const other = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey;
  const pss = { key: keystore.private_key, padding: 6, saltLength: 32 };
  const wrong = [
    sign('sha512', text, other),
    sign('sha256', text, keystore.private_key),
    sign('sha512', text, pss),
    Buffer.alloc(0),
  ];
  for (const bytes of wrong) {
    const token = `${header}.${payload}.${bytes.toString('base64url') || 'AA'}`;
    expect((await client.send('GET', '/me', undefined, { token, request_id: null })).error.code).toBe(401);
    expect(readLastEntry(standIn).reason).toBe('the token is not signed by the session');
  }
  const token = `${header}.${payload}.${signature}`;
  expect((await client.send('GET', '/me', undefined, { token, request_id: null })).data.type).toBe('user');
});

test('a token whose algorithm is not the session’s is 401', async () => {
  const { client, clock, keystore, standIn } = await setUp();
  const reasons: (string | undefined)[] = [];
  const rs256 = client.token('GET', '/me', '', randomUUID()).split('.');
  const header = Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url');
  const text = Buffer.from(`${header}.${rs256[1]}`);
  const signedToken = `${text.toString()}.${sign('sha256', text, keystore.private_key).toString('base64url')}`;
  expect(
    (await client.send('GET', '/me', undefined, { token: signedToken, request_id: null })).error.code,
  ).toBe(401);
  reasons.push(readLastEntry(standIn).reason);

  const modern = await newClient(standIn, clock);
  const { app_id: client_id, session_id } = modern.keystore;
  const rs512 = connectRsa(standIn, { ...keystore, client_id, session_id }, clock);
  expect((await rs512.me()).error.code).toBe(401);
  reasons.push(readLastEntry(standIn).reason);

  const claims = { uid: keystore.client_id, sid: keystore.session_id };
  expect((await modern.send('GET', '/me', undefined, { claims })).error.code).toBe(401);
  reasons.push(readLastEntry(standIn).reason);
  expect(reasons).toEqual([
    'the token’s header is not EdDSA or RS512 JWT',
    'the token’s algorithm is not the session’s',
    'the token’s algorithm is not the session’s',
  ]);
});

test('six digits are verified, and upgraded to a TIP PIN, with the key of an RSA session', async () => {
  const { client, standIn } = await setUp({ six_digit_pin: '123456' });
  const verify = (digits: string) =>
    client.send('POST', '/pin/verify', {
      pin: client.encrypt(Buffer.from(digits), { encoding: 'base64' }),
    });
  expect((await verify('123456')).data.has_pin).toBe(true);
  expect((await verify('123457')).error.code).toBe(20119);
  expect(findAccount(standIn, client).pin_errors).toBe(1);

  const [tip, spend] = [newKey(), newKey()];
  const pins = {
    old_pin_base64: client.encrypt(Buffer.from('123456')),
    pin_base64: client.encrypt(client.tipPin(tip.public_key)),
  };
  expect((await client.send('POST', '/pin/update', pins)).data.tip_counter).toBe(1);
  expect((await client.verifyTip(tip)).data.has_pin).toBe(true);
  expect((await client.register(spend, tip)).data.has_safe).toBe(true);
});

test('a PIN under the key of another RSA session is 20119 and not counted', async () => {
  const tip = newKey();
  const { client, clock, keystore, standIn } = await setUp({ tip });
  const { keystore: other } = await newLegacyClient(standIn, clock);
  const sessionKeys = {
    sign: createRsaSessionKeys(keystore).sign,
    pinKey: createRsaSessionKeys(other).pinKey,
  };
  const wrongKeyClient = connect(standIn, client.keystore, clock, sessionKeys);
  expect((await wrongKeyClient.verifyTip(tip)).error.code).toBe(20119);
  expect(findAccount(standIn, client).pin_errors).toBe(0);
  expect((await client.verifyTip(tip)).data.has_pin).toBe(true);
});

test('iterators belong to the session, and a new session has a new key', async () => {
  const tip = newKey();
  const { client, clock, keystore, standIn } = await setUp({ tip });
  expect((await client.verifyTip(tip, { iterator: 7n })).data.has_pin).toBe(true);
  expect((await client.verifyTip(tip, { iterator: 7n })).error.code).toBe(20119);
  const newSession = await newLegacyClient(standIn, clock, { user_id: keystore.client_id });
  expect((await client.me()).error.code).toBe(401);
  expect((await newSession.client.verifyTip(tip, { iterator: 1n })).data.has_pin).toBe(true);
  expect(createRsaSessionKeys(newSession.keystore).pinKey()).toHaveLength(32);
  expect(createRsaSessionKeys(newSession.keystore).pinKey()).not.toEqual(
    createRsaSessionKeys(keystore).pinKey(),
  );
  expect(findAccount(standIn, client).pin_errors).toBe(0);
});

test('createUser accepts a given RSA key, and refuses any other text', async () => {
  const { standIn } = await setUp();
  const { pem } = newRsaSession();
  const { keystore } = await standIn.createUser({ session_key: 'rsa', session_private_key: pem });
  expect(keystore.private_key).toBe(pem);
  const ed25519 = generateKeyPairSync('ed25519')
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
  for (const session_private_key of ['', 'ab'.repeat(32), ed25519, newRsaSession(512).pem])
    expect(() => standIn.createUser({ session_key: 'rsa', session_private_key })).toThrow(TypeError);
  expect(() => standIn.createUser({ session_key: 'dsa' as 'rsa' })).toThrow('session_key');
});

test('an account that exists changes from RSA to Ed25519 with a new session', async () => {
  const { client, clock, keystore, standIn } = await setUp();
  const modern = await newClient(standIn, clock, { user_id: keystore.client_id });
  expect((await client.me()).error.code).toBe(401);
  expect((await modern.me()).data.user_id).toBe(keystore.client_id);
  expect(findAccount(standIn, modern).session_key).toBe('ed25519');
});
