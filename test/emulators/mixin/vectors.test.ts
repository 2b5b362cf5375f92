/** Values from the Node SDK 7.5.5, checked with Python. Never use these keys for real accounts. */
import { expect, test } from 'vitest';
import {
  convertToX25519,
  derivePublicKey,
  deriveSharedKey,
  isPublicKey,
} from '../../../emulators/mixin/ed25519.ts';
import { connect, createClock, findAccount, start } from './client.ts';

const user_id = '6e8a3f0e-2f1c-4d0b-8f41-0a1b2c3d4e5f';
const session_id = '7f9b4a1f-3a2d-4e1c-9a52-1b2c3d4e5f60';
const request_id = '11111111-2222-4333-8444-555555555555';
const session_private_key = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const session_public_key = '03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8';
const server_private_key = '202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f';
const server_public_key = '29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7';
const spend_private_key = '404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f';
const spend_public_key = '2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d';

const token =
  'eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiI2ZThhM2YwZS0yZjFjLTRkMGItOGY0MS0wYTFiMmMzZDRlNWYiLCJzaWQiOiI3ZjliNGExZi0zYTJkLTRlMWMtOWE1Mi0xYjJjM2Q0ZTVmNjAiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwianRpIjoiMTExMTExMTEtMjIyMi00MzMzLTg0NDQtNTU1NTU1NTU1NTU1Iiwic2lnIjoiMzFkY2MyYzIxYzRhMTIxZGI2NDBmMmIxNDVmZTY4MGM3NGE2OGNmMThiMzhjZTQ4MzVjMDE1MTIyOWRhZWRmNiIsInNjcCI6IkZVTEwifQ.weQRdfFrsaQ0BOmhVumeeqPUcawy3quWhuhu7ypd9O6p1rWXKAGaQeoQQ8WEjhjkwygfNA-98Vo_-pN5s1J3AA';
const encryptedTip =
  'oKGio6SlpqeoqaqrrK2ur6A-CLHL9l4R1AtrBmZ4hG8In5wS-vqiBjxte3cmMQl7kn4gjBaliwLLYKrOFIqGM9Gke1LXLfXN5Bq4XMLq0Uw';
const encryptedRegistration =
  'oKGio6SlpqeoqaqrrK2ur6eLoLAjOql1uhuxMBJv8LMLoYDGnnfbtPI2ntBhwe4L_PzviuqZCJLOLMHxZ9J5sJDkiHvB99U47s1eIEZdES7ElFkUFuuMDDAl_XZp4vjzgXLJA4pf1GoR0vFGvByUxA';
const encryptedDigits = 'oKGio6SlpqeoqaqrrK2ur_obLMyPXDzykxAxul5nwsgKFOiDZsdvAwKlZw5BOhUF';
const encryptedTrap = 'oKGio6SlpqeoqaqrrK2ur9zF5uABj5ag8ys7tAlc8x63Nj3-29d3T56h8wUKkmFf';
const signature = 'FBVBFIRbi_sqMdllMxUEhaN9TQ2PNGGiNz8Uld4qb7OxVkGM0DnxY3ehZjYxlMkq-rfTvNuU1YfGo_jERaeOCQ';

const setUp = async (user = {}) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now });
  const created = await standIn.createUser({
    user_id,
    session_id,
    session_private_key,
    server_private_key,
    ...user,
  });
  const client = connect(standIn, created.keystore, clock);
  return { client, keystore: created.keystore, account: () => findAccount(standIn, client) };
};

test('public keys and shared keys agree with the vectors', () => {
  expect(derivePublicKey(Buffer.from(session_private_key, 'hex'))).toBe(session_public_key);
  expect(derivePublicKey(Buffer.from(spend_private_key, 'hex'))).toBe(spend_public_key);
  expect(convertToX25519(server_public_key).toString('base64url')).toBe(
    'VzCACrNA_LGM5REe2p1wX5E4i0HkVEy9EDullC2yIz4',
  );
  const sharedKey = 'f6f92efb32945aff683324a1c984c5001f46aaea513f3453138d740b3a604b7d';
  expect(deriveSharedKey(Buffer.from(session_private_key, 'hex'), server_public_key).toString('hex')).toBe(
    sharedKey,
  );
  expect(deriveSharedKey(Buffer.from(server_private_key, 'hex'), session_public_key).toString('hex')).toBe(
    sharedKey,
  );
});

test.each([
  ['the identity', '01'.padEnd(64, '0')],
  ['order 2', `ec${'ff'.repeat(30)}7f`],
  ['order 4', '00'.repeat(32)],
  ['order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
  ['order 8, the other', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ['not a point', '02'.padEnd(64, '0')],
  ['not reduced', `f0${'ff'.repeat(30)}7f`],
  ['upper case', spend_public_key.toUpperCase()],
  ['too short', spend_public_key.slice(2)],
])('a public key is refused: %s', (_name, key) => {
  expect(isPublicKey(key)).toBe(false);
  expect(isPublicKey(spend_public_key)).toBe(true);
});

test('the stand-in returns the keystore of the vectors and accepts their token', async () => {
  const { client, keystore } = await setUp();
  expect(keystore).toEqual({ app_id: user_id, session_id, server_public_key, session_private_key });
  const { data } = await client.send('GET', '/safe/me', undefined, { token, request_id });
  expect(data).toMatchObject({ user_id, pin_token_base64: 'VzCACrNA_LGM5REe2p1wX5E4i0HkVEy9EDullC2yIz4' });
});

test('the TIP PIN of the vectors is registered', async () => {
  const { client, account } = await setUp();
  const pin = { old_pin_base64: '', pin_base64: encryptedTip };
  expect((await client.send('POST', '/pin/update', pin)).data.has_pin).toBe(true);
  expect(account().tip_public_key).toBe(spend_public_key);
  expect(
    (await client.send('POST', '/pin/verify', { pin_base64: encryptedTip, timestamp: 1 })).error.code,
  ).toBe(20119);
  expect(account().pin_errors).toBe(0);
});

test('the registration of the vectors is accepted', async () => {
  const { client, account } = await setUp({ tip: { private_key: spend_private_key } });
  const body = { public_key: spend_public_key, signature, pin_base64: encryptedRegistration };
  expect((await client.send('POST', '/safe/users', body)).data.has_safe).toBe(true);
  expect(account().spend_public_key).toBe(spend_public_key);
});

test('six digits are encrypted as ASCII, and read as hex they are a wrong PIN', async () => {
  const right = await setUp({ six_digit_pin: '123456' });
  expect((await right.client.send('POST', '/pin/verify', { pin: encryptedDigits })).data.has_pin).toBe(true);
  const other = await setUp({ six_digit_pin: '123456' });
  expect((await other.client.send('POST', '/pin/verify', { pin: encryptedTrap })).error.code).toBe(20119);
  expect(other.account().pin_errors).toBe(1);
});
