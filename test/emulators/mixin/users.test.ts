import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createClock, newClient, newKey, readLastEntry, start } from './client.ts';
import { connectRsa, newRsaSession } from './phone-client.ts';

const setUp = async (user = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now });
  return { clock, standIn, client: await newClient(standIn, clock, user) };
};

const newSecret = (): string => Buffer.from(newKey().public_key, 'hex').toString('base64url');

test('a network user with an RSA session can sign RS512 and decrypt its PIN key', async () => {
  const { client, clock, standIn } = await setUp();
  const { pem, secret } = newRsaSession();
  const { data } = await client.send('POST', '/users', { session_secret: secret, full_name: 'Old' });
  expect(data).toMatchObject({ server_public_key: '', has_pin: false });
  const { user_id, session_id, pin_token } = data as Record<string, string>;
  const user = connectRsa(
    standIn,
    {
      client_id: String(user_id),
      session_id: String(session_id),
      pin_token: String(pin_token),
      private_key: pem,
    },
    clock,
  );
  expect((await user.setTip(newKey())).data.has_pin).toBe(true);
});

test.each([
  ['of 512 bits', () => newRsaSession(512).secret],
  ['in base64url', () => Buffer.from(newRsaSession().secret, 'base64').toString('base64url')],
  ['without padding', () => newRsaSession().secret.replace(/=*$/, '').slice(0, -1)],
  [
    'with a byte more',
    () => Buffer.concat([Buffer.from(newRsaSession().secret, 'base64'), Buffer.of(0)]).toString('base64'),
  ],
  [
    'for PSS',
    () =>
      generateKeyPairSync('rsa-pss', { modulusLength: 1_024 })
        .publicKey.export({ format: 'der', type: 'spki' })
        .toString('base64'),
  ],
  [
    'of a curve',
    () => generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  ],
])('a session key of a new user is 10002 when it is an RSA key %s', async (_name, make) => {
  const { client, standIn } = await setUp();
  const body = { session_secret: make(), full_name: 'User' };
  expect((await client.send('POST', '/users', body)).error).toMatchObject({
    code: 10002,
    extra: { field: 'session_secret' },
  });
  expect(standIn.accounts()).toHaveLength(1);
});

test('a request that is sent twice creates two users, and the ledger shows which app paid for each', async () => {
  const { client, clock, standIn } = await setUp();
  const other = await newClient(standIn, clock);
  const body = JSON.stringify({ session_secret: newSecret(), full_name: 'User' });
  const ids = [];
  for (const payer of [client, client, other])
    ids.push((await payer.send('POST', '/users', body)).data.user_id);
  await client.send('POST', '/users', { session_secret: newSecret() });
  expect(new Set(ids).size).toBe(3);
  const bought = standIn.ledger().flatMap(({ user_id, created }) => (created ? [[user_id, created]] : []));
  const { app_id: payer } = client.keystore;
  expect(bought).toEqual([
    [payer, { kind: 'network', user_id: ids[0] }],
    [payer, { kind: 'network', user_id: ids[1] }],
    [other.keystore.app_id, { kind: 'network', user_id: ids[2] }],
  ]);
});

test('an app with an unpaid bill is refused with 20123, and no user is created', async () => {
  const { client, standIn } = await setUp({ unpaid: true });
  const body = { session_secret: newSecret(), full_name: 'User' };
  expect((await client.send('POST', '/users', body)).error.code).toBe(20123);
  expect(readLastEntry(standIn)).not.toHaveProperty('created');
  expect(standIn.accounts()).toHaveLength(1);
  for (const user of [
    { unpaid: true, kind: 'network' as const },
    { unpaid: true, created_by: client.keystore.app_id },
    { kind: 'person' as const, created_by: client.keystore.app_id },
    { kind: 'ghost' as 'app' },
  ])
    expect(() => standIn.createUser(user)).toThrow(TypeError);
});

test('the bill counts half a dollar for each network user, and only the app can read it', async () => {
  const { client, clock, standIn } = await setUp();
  const other = await newClient(standIn, clock);
  const target = `/safe/apps/${client.keystore.app_id}/billing`;
  const costs = [];
  for (let round = 0; round < 3; round += 1) {
    costs.push((await client.send('GET', target)).data);
    await client.send('POST', '/users', { session_secret: newSecret(), full_name: 'User' });
  }
  expect(costs).toEqual(['0', '0.5', '1'].map((users) => ({ credit: '0', cost: { users, resources: '0' } })));
  expect((await other.send('GET', target)).error.code).toBe(403);
  expect((await client.send('GET', '/safe/apps/billing')).error.code).toBe(404);
});

test('neither a network user nor a person may create users', async () => {
  const { client, clock, standIn } = await setUp();
  for (const user of [{ created_by: client.keystore.app_id }, { kind: 'person' as const }]) {
    const other = await newClient(standIn, clock, user);
    const body = { session_secret: newSecret(), full_name: 'User' };
    expect((await other.send('POST', '/users', body)).error.code).toBe(403);
  }
});
