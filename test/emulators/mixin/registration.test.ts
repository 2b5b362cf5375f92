import { createHash } from 'node:crypto';
import { signTipBody, TIPBodyForSequencerRegister } from '@mixin.dev/mixin-node-sdk';
import { expect, test } from 'vitest';
import {
  type Client,
  connect,
  createClock,
  findAccount,
  type Key,
  newClient,
  newKey,
  readLastEntry,
  start,
} from './client.ts';

const setUp = async (user = {}, options = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now, ...options });
  const client = await newClient(standIn, clock, user);
  return { clock, standIn, client, account: () => findAccount(standIn, client) };
};

/** The signature as the page documents it: hex, over SHA-256("SEQUENCER:REGISTER:" + user id + key). */
const documented = (client: Client, spend: Key): string =>
  signTipBody(
    spend.private_key,
    createHash('sha256').update(`SEQUENCER:REGISTER:${client.keystore.app_id}${spend.public_key}`).digest(),
  );

test('a spend key is registered, and the ledger names it', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, account, standIn } = await setUp({ tip });
  const { data } = await client.register(spend, tip);
  expect(data).toMatchObject({ has_safe: true, spend_public_key: spend.public_key });
  expect(account()).toMatchObject({ has_safe: true, spend_public_key: spend.public_key });
  expect(readLastEntry(standIn)).toMatchObject({ bound: { kind: 'spend', public_key: spend.public_key } });
});

test('a second registration is refused, with the same key and with another', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, account, standIn } = await setUp({ tip });
  await client.register(spend, tip);
  for (const again of [spend, newKey()])
    expect((await client.register(again, tip)).error).toMatchObject({
      code: 10002,
      extra: { field: 'public_key', reason: 'registered already' },
    });
  expect((await client.send('POST', '/safe/users', {})).error.extra?.reason).toBe('registered already');
  expect(account()).toMatchObject({ spend_public_key: spend.public_key, pin_errors: 0 });
  expect(standIn.ledger().filter(({ bound }) => bound !== undefined)).toHaveLength(1);
});

test('an account that was created in Safe cannot be registered', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, account, standIn } = await setUp({ tip, safe: spend });
  expect((await client.me()).data).toMatchObject({ has_safe: true, spend_public_key: spend.public_key });
  expect((await client.register(newKey(), tip)).error.code).toBe(10002);
  expect(account().spend_public_key).toBe(spend.public_key);
  expect(standIn.ledger().some(({ bound }) => bound !== undefined)).toBe(false);
});

test.each([
  ['an upper-case key', 'public_key', (body: Body) => ({ public_key: body.public_key.toUpperCase() })],
  ['a key that is not a point', 'public_key', () => ({ public_key: '02'.padEnd(64, '0') })],
  [
    'a key of small order',
    'public_key',
    () => ({ public_key: 'ff'.padStart(64, 'f').replace(/^../, 'ec').replace(/..$/, '7f') }),
  ],
  ['a key of 31 bytes', 'public_key', (body: Body) => ({ public_key: body.public_key.slice(2) })],
  ['no key', 'public_key', () => ({ public_key: undefined })],
  ['no signature', 'signature', () => ({ signature: undefined })],
  ['a padded signature', 'signature', (body: Body) => ({ signature: `${body.signature}==` })],
  [
    'a hex signature',
    'signature',
    (body: Body) => ({ signature: Buffer.from(body.signature, 'base64url').toString('hex') }),
  ],
  ['the signature of another key', 'signature', () => ({ public_key: newKey().public_key })],
  ['no PIN', 'pin_base64', () => ({ pin_base64: '' })],
] satisfies [string, string, (body: Body) => Partial<Record<keyof Body, string | undefined>>][])(
  'a registration with %s is 10002 and names the field',
  async (_name, field, override) => {
    const tip = newKey();
    const { client, account } = await setUp({ tip });
    const body = client.registration(newKey(), tip);
    const reply = await client.send('POST', '/safe/users', { ...body, ...override(body) });
    expect(reply.error).toMatchObject({ code: 10002, extra: { field } });
    expect(account()).toMatchObject({ has_safe: false, pin_errors: 0 });
    expect((await client.send('POST', '/safe/users', body)).data.has_safe).toBe(true);
  },
);
type Body = ReturnType<Client['registration']>;

test('the PIN of a registration must be the TIP signature of this very registration', async () => {
  const [tip, spend] = [newKey(), newKey()];
  const { client, clock, account, standIn } = await setUp({ tip });
  const other = await newClient(standIn, clock, { tip });
  const signedFor = (user_id: string, key: Key, by: Key) =>
    Buffer.from(signTipBody(by.private_key, TIPBodyForSequencerRegister(user_id, key.public_key)), 'hex');
  const me = client.keystore.app_id;
  const wrong = [
    signedFor(me, spend, newKey()),
    signedFor(other.keystore.app_id, spend, tip),
    signedFor(me, newKey(), tip),
    client.tipProof(tip, 1),
  ];
  for (const [index, pin] of wrong.entries()) {
    const body = { ...client.registration(spend, tip), pin_base64: client.encrypt(pin) };
    expect((await client.send('POST', '/safe/users', body)).error.code).toBe(20119);
    expect(account()).toMatchObject({ has_safe: false, pin_errors: index + 1 });
  }
  const body = { ...client.registration(spend, tip), pin_base64: client.encrypt(signedFor(me, spend, tip)) };
  expect((await client.send('POST', '/safe/users', body)).data.has_safe).toBe(true);
});

test('a registration with a used iterator is refused, and does not count as a wrong PIN', async () => {
  const tip = newKey();
  const { client, account } = await setUp({ tip });
  await client.verifyTip(tip, { iterator: 5n });
  expect((await client.register(newKey(), tip, { iterator: 5n })).error.code).toBe(20119);
  expect(account()).toMatchObject({ has_safe: false, pin_errors: 0 });
});

test.each([{}, { six_digit_pin: '123456' }])(
  'a registration without a TIP PIN is 20118: %j',
  async (user) => {
    const { client, account } = await setUp(user);
    expect((await client.register(newKey(), newKey())).error.code).toBe(20118);
    expect(account()).toMatchObject({ has_safe: false, pin_errors: 0 });
  },
);

test('a stand-in for one form of the signature refuses the other', async () => {
  const tip = newKey();
  for (const signature of ['shipped', 'documented'] as const) {
    const { client } = await setUp({ tip }, { signature });
    const spend = newKey();
    const shippedBody = client.registration(spend, tip);
    const documentedBody = { ...shippedBody, signature: documented(client, spend) };
    const [wrong, right] =
      signature === 'shipped' ? [documentedBody, shippedBody] : [shippedBody, documentedBody];
    expect((await client.send('POST', '/safe/users', wrong)).error.extra?.field).toBe('signature');
    expect((await client.send('POST', '/safe/users', right)).data.has_safe).toBe(true);
  }
});

test('a setting hides the spend key from the account object', async () => {
  const { client } = await setUp({ safe: 'foreign' }, { shows_spend_key: false });
  const { data } = await client.me();
  expect(data.has_safe).toBe(true);
  expect(data).not.toHaveProperty('spend_public_key');
});

test('the session key of a new user may be sent in both base64 forms, and anything else is 10002', async () => {
  const { client, clock, standIn } = await setUp();
  const session = newKey();
  const raw = Buffer.from(session.public_key, 'hex');
  for (const session_secret of [raw.toString('base64'), raw.toString('base64url')]) {
    const { data } = await client.send('POST', '/users', { session_secret, full_name: 'User' });
    expect(data).toMatchObject({ has_pin: false, has_safe: false, tip_counter: 0, full_name: 'User' });
    expect(Buffer.from(String(data.pin_token), 'base64')).toEqual(
      Buffer.from(String(data.pin_token_base64), 'base64url'),
    );
    const user = connect(
      standIn,
      {
        app_id: String(data.user_id),
        session_id: String(data.session_id),
        server_public_key: String(data.server_public_key),
        session_private_key: session.private_key,
      },
      clock,
    );
    expect((await user.setTip(newKey())).data.has_pin).toBe(true);
    const refusal = await user.send('POST', '/users', { session_secret, full_name: 'User' });
    expect(refusal.error.code).toBe(403);
  }
  for (const session_secret of [
    '',
    raw.subarray(1).toString('base64'),
    Buffer.alloc(32, 2).toString('base64'),
  ])
    expect((await client.send('POST', '/users', { session_secret, full_name: 'User' })).error).toMatchObject({
      code: 10002,
      extra: { field: 'session_secret' },
    });
});
