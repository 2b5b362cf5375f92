import { sharedEd25519Key } from '@mixin.dev/mixin-node-sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { derivePublicKey, parseHexKey, sharedSecret, toX25519PublicKey } from '../../lib/mixin/keys.ts';
import { readNewUser, readSignInResult } from '../../lib/mixin/new-account.ts';
import { seeds } from './arbitraries.ts';
import { pinTokenFor, rsaPem, sessionPem } from './rsa-sessions.ts';
import { bytes, hex, keystore, vectors } from './vectors.ts';

const { inputs, v5 } = vectors;
const { request_id, server_public_key, session_seed } = inputs;
const user_id = '0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d';
const session_id = '1b2c3d4e-5f60-4b7c-9d8e-9f0a1b2c3d4e';
/** The frozen server key without its sign, which its image does not have. */
const unsigned = `${server_public_key.slice(0, 62)}57`;

type Fields = Readonly<Record<string, unknown>>;

/** As the server of today answers: the same key three times. */
const user: Fields = {
  type: 'user',
  user_id,
  session_id,
  full_name: 'Ann',
  has_pin: false,
  has_safe: false,
  tip_key_base64: '',
  pin_token: v5.pin_token_base64_std,
  pin_token_base64: v5.pin_token_base64_rawurl,
  server_public_key,
};
const { pin_token: _, pin_token_base64: __, server_public_key: ___, ...keyless } = user;

const newUser = (data: unknown, key = session_seed) => readNewUser({ data, request_id }, key, keystore);
const signedIn = (data: unknown, key = session_seed) => readSignInResult({ data, request_id }, key);
const broken = { name: 'MixinError', code: 'broken_answer', verdict: 'unsure', request_id };

describe("Mixin's key of the session", () => {
  test.each([
    ['in all three forms', {}, server_public_key],
    ['as the point alone', { pin_token: '', pin_token_base64: undefined }, server_public_key],
    ['as the point in capitals', { server_public_key: server_public_key.toUpperCase() }, server_public_key],
    ['as pin_token_base64 alone', { pin_token: null, server_public_key: '' }, unsigned],
    ['as pin_token alone', { pin_token_base64: '', server_public_key: undefined }, unsigned],
    ['as the point without its sign', { server_public_key: unsigned }, unsigned],
  ])("Mixin's session key is read: %s", (_, more, expected) => {
    const account = { user_id, session_id, server_public_key: expected, request_id };
    expect(newUser({ ...user, ...more })).toEqual(account);
    expect(signedIn({ ...user, ...more }).account).toEqual(account);
  });

  test("Mixin's session key from pin_token gives the secret that the official SDK derives from it", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, seeds, async (session, server) => {
        const image = Buffer.from(toX25519PublicKey(bytes(await derivePublicKey(hex(server)))));
        const tokens = { pin_token: image.toString('base64'), pin_token_base64: image.toString('base64url') };
        const { server_public_key: point = '' } = newUser({ ...keyless, ...tokens }, hex(session));
        const theirs = sharedEd25519Key({
          app_id: user_id,
          session_id,
          session_private_key: hex(session),
          pin_token_base64: tokens.pin_token_base64,
        });
        expect(hex(sharedSecret(session, parseHexKey(point)))).toBe(theirs.toString('hex'));
      }),
      { numRuns: 20 },
    );
  });

  test.each([
    ['missing', keyless],
    ['empty', { ...keyless, pin_token: '', pin_token_base64: '', server_public_key: '' }],
    ['not a point', { ...keyless, server_public_key: `02${'00'.repeat(31)}` }],
    ['a point in base64', { ...keyless, server_public_key: v5.pin_token_base64_std }],
    ['an image without a point', { ...keyless, pin_token: Buffer.alloc(32, 2).toString('base64') }],
    ['of small order', { ...keyless, pin_token: Buffer.alloc(32).toString('base64') }],
    ['of an RSA session', { ...keyless, pin_token: pinTokenFor(Buffer.alloc(32), session_id) }],
    [
      'another in pin_token',
      { ...user, pin_token: Buffer.from(bytes('09'.padEnd(64, '0'))).toString('base64') },
    ],
    ['another in server_public_key', { ...user, server_public_key: inputs.spend_pub }],
    ['broken in one of three', { ...user, pin_token_base64: 'CANARY' }],
    ['a number', { ...user, pin_token: 7 }],
  ])("Mixin's session key is refused: %s", (_, data) => {
    expect(() => newUser(data)).toThrow(expect.objectContaining(broken));
    expect(() => signedIn(data)).toThrow(expect.objectContaining(broken));
    expect(() => newUser(data)).toThrow(/^(?!.*CANARY)/s);
  });
});

describe('an RSA session', () => {
  const pin_token = pinTokenFor(Buffer.alloc(32, 5), session_id);
  const raw = Buffer.from(pin_token, 'base64').toString('base64url');

  test.each([
    ['pin_token', { pin_token }],
    ['pin_token_base64', { pin_token: '', pin_token_base64: raw }],
    ['the one of two that it opens', { pin_token: v5.pin_token_base64_std, pin_token_base64: raw }],
  ])('the keystore of an RSA session has %s, in standard base64', (_, more) => {
    const account = { user_id, session_id, pin_token, request_id };
    expect(newUser({ ...keyless, ...more }, sessionPem)).toEqual(account);
    expect(signedIn({ ...keyless, ...more }, sessionPem).account).toEqual(account);
  });

  test.each([
    ['for another session', pinTokenFor(Buffer.alloc(32), user_id)],
    ['for another key', pinTokenFor(Buffer.alloc(32), session_id, rsaPem(1024))],
    ['without an AES key', pinTokenFor(Buffer.alloc(20), session_id)],
    ['of an Ed25519 session', v5.pin_token_base64_std],
    ['missing', undefined],
  ])('a pin_token of an RSA session is refused: %s', (_, token) => {
    const data = { ...keyless, pin_token: token };
    expect(() => newUser(data, sessionPem)).toThrow(expect.objectContaining(broken));
    expect(() => signedIn(data, sessionPem)).toThrow(expect.objectContaining(broken));
  });
});

describe('the ids of an account', () => {
  test('the ids of an account are stored in lower case', () => {
    const data = { ...user, user_id: user_id.toUpperCase(), session_id: session_id.toUpperCase() };
    expect(newUser(data)).toMatchObject({ user_id, session_id });
    expect(signedIn(data).account).toMatchObject({ user_id, session_id });
  });

  test.each([
    ['no user id', { user_id: undefined }],
    ['an invalid user id', { user_id: 'CANARY' }],
    ['no session id', { session_id: '' }],
  ])('an account is refused: %s', (_, more) => {
    expect(() => newUser({ ...user, ...more })).toThrow(expect.objectContaining(broken));
    expect(() => signedIn({ ...user, ...more })).toThrow(expect.objectContaining(broken));
  });

  test.each([
    ['the owner', { user_id: inputs.user_id }],
    ['the owner in capitals', { user_id: inputs.user_id.toUpperCase() }],
    ["the owner's session", { session_id: inputs.session_id }],
    ['an account in Safe', { has_safe: true }],
    ['an account with a TIP key', { tip_key_base64: v5.pin_token_base64_rawurl }],
    ['has_safe as text', { has_safe: 'false' }],
  ])('an answer is not a new user: %s', (_, more) => {
    expect(() => newUser({ ...user, ...more })).toThrow(expect.objectContaining(broken));
  });

  test('the answer for a new user may leave out Safe and TIP, and the account of a person may have both', () => {
    expect(newUser({ ...user, has_safe: undefined, tip_key_base64: null }).user_id).toBe(user_id);
    const person = { ...user, has_safe: true, tip_key_base64: v5.pin_token_base64_rawurl };
    expect(signedIn(person).account.user_id).toBe(user_id);
  });

  test.each([[[user]], ['text'], [7]])('%j is not an account', (data) => {
    expect(() => newUser(data)).toThrow(expect.objectContaining(broken));
    expect(() => signedIn(data)).toThrow(expect.objectContaining(broken));
  });
});

describe('the person who signed in', () => {
  /** The answer of the page of 2018, but for ids and keys. */
  const fields = {
    type: 'user',
    identity_number: '7000',
    full_name: '',
    avatar_url: '',
    relationship: 'ME',
    mute_until: '0001-01-01T00:00:00Z',
    created_at: '2018-05-03T06:03:56.867971412Z',
    is_verified: false,
    phone: '+8613800013800',
    invitation_code: '',
    code_id: 'dabcf1c2-6a5e-4ea3-ad51-6e6641a06c7c',
    code_url: 'https://mixin.one/codes/dabcf1c2-6a5e-4ea3-ad51-6e6641a06c7c',
    has_pin: false,
    receive_message_source: 'EVERYBODY',
  };
  const session = { user_id, session_id, pin_token: v5.pin_token_base64_std };

  test('the person has every field of the page but its ids and keys', () => {
    expect(signedIn({ ...fields, ...session }).person).toEqual(fields);
  });

  test('the person has the fields that accounts have today', () => {
    const more = { has_safe: true, biography: 'x', has_emergency_contact: false };
    expect(signedIn({ ...fields, ...session, ...more }).person).toEqual({ ...fields, ...more });
  });

  test('the person has no key, no session id, and no unknown field', () => {
    const person = signedIn({ ...user, salt_base64: 'CANARY', session_secret: 'CANARY', a: 'CANARY' }).person;
    expect(person).toEqual({ type: 'user', full_name: 'Ann', has_pin: false, has_safe: false });
  });

  test('the person has plain values only, and none that is too long', () => {
    const odd = {
      avatar_url: 'x'.repeat(2_001),
      biography: 'x'.repeat(2_000),
      phone: { n: 1 },
      code_id: null,
    };
    expect(signedIn({ ...session, ...odd }).person).toEqual({ biography: 'x'.repeat(2_000) });
  });
});
