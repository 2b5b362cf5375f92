import { createPublicKey, verify } from 'node:crypto';
import { signAccessToken } from '@mixin.dev/mixin-node-sdk';
import { verifyAsync } from '@noble/ed25519';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Method } from '../../lib/mixin/errors.ts';
import { derivePublicKey } from '../../lib/mixin/keys.ts';
import { createToken, digestRequest } from '../../lib/mixin/token.ts';
import { bots, createKeystore } from './arbitraries.ts';
import { createRsaKeystore, ed25519Pem } from './rsa-sessions.ts';
import { bytes, hex, keystore, vectors } from './vectors.ts';

const requests: readonly (readonly [Method, string, string])[] = [
  ['GET', '/safe/me', ''],
  ['POST', '/users', '{"foo":"bar"}'],
  ['GET', '/logs?category=PIN_INCORRECT&limit=5', ''],
];

test.each(vectors.v1.map((vector, index) => ({ vector, request: requests[index] })))(
  'the token for $vector.signed_string equals the frozen one',
  async ({ vector, request = ['GET', '', ''] }) => {
    const [method, uri, body] = request;
    expect(`${method}${uri}${body}`).toBe(vector.signed_string);
    expect(digestRequest(method, uri, body)).toBe(vector.sig);
    const token = await createToken({
      keystore,
      method,
      uri,
      body,
      request_id: vectors.inputs.request_id,
      unixSeconds: vectors.inputs.now_unix,
      lifetimeSeconds: 3600,
    });
    expect(token).toBe(vector.jwt);
  },
);

const part = (token: string, index: number): Buffer =>
  Buffer.from(token.split('.')[index] ?? '', 'base64url');
const readClaims = (token: string) => JSON.parse(part(token, 1).toString('utf8'));

test('a token has the claims of the official SDK, and its signature verifies', async () => {
  const urls = fc.webPath().map((path) => `/safe${path}?limit=5`);
  const calls = fc.record({
    bot: bots,
    method: fc.constantFrom<Method>('GET', 'POST'),
    uri: urls,
    body: fc.oneof(fc.constant(''), fc.json()),
    request_id: fc.uuid({ version: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(calls, async ({ bot, method, uri, body, request_id }) => {
      const own = await createKeystore(bot);
      const theirs = signAccessToken(method, uri, body, request_id, own);
      const unixSeconds: number = readClaims(theirs).iat;
      const ours = await createToken({
        keystore: own,
        method,
        uri,
        body,
        request_id,
        unixSeconds,
        lifetimeSeconds: 3600,
      });
      expect(readClaims(ours)).toEqual(readClaims(theirs));
      const signedBytes = Buffer.from(ours.slice(0, ours.lastIndexOf('.')));
      const publicKey = bytes(await derivePublicKey(hex(bot.sessionSeed)));
      expect(await verifyAsync(part(ours, 2), signedBytes, publicKey)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('a session key that is not a seed cannot sign a token', async () => {
  const request = {
    keystore: { ...keystore, session_private_key: keystore.session_private_key.repeat(2) },
    method: 'GET',
    uri: '/safe/me',
    body: '',
    request_id: vectors.inputs.request_id,
    unixSeconds: 1,
    lifetimeSeconds: 60,
  } as const;
  await expect(createToken(request)).rejects.toMatchObject({ code: 'bad_keystore' });
});

describe('an RSA session', () => {
  const own = createRsaKeystore(Buffer.alloc(32, 1));
  const request = {
    keystore: own,
    method: 'GET',
    uri: '/safe/me',
    body: '',
    request_id: vectors.inputs.request_id,
    unixSeconds: vectors.inputs.now_unix,
    lifetimeSeconds: 3600,
  } as const;

  test('an RSA session signs RS512 over the claims that an Ed25519 session would sign', async () => {
    const token = await createToken(request);
    expect(part(token, 0).toString()).toBe('{"alg":"RS512","typ":"JWT"}');
    expect(readClaims(token)).toEqual(readClaims(vectors.v1[0]?.jwt ?? ''));
    const signedBytes = Buffer.from(token.slice(0, token.lastIndexOf('.')));
    expect(verify('sha512', signedBytes, createPublicKey(own.private_key), part(token, 2))).toBe(true);
  });

  test.each([
    ['not a valid PEM', '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----'],
    ['of another kind', ed25519Pem],
  ])('a session key that is %s cannot sign a token', async (_, private_key) => {
    const broken = { ...request, keystore: { ...own, private_key } };
    await expect(createToken(broken)).rejects.toMatchObject({ code: 'bad_keystore' });
  });
});
