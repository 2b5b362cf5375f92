/**
 * The calls that make accounts. POST /users makes a network user (https://developers.mixin.one/docs/api/users,
 * read 2026-11-21). POST /verifications and POST /verifications/:id sign a person in; their page was taken down in
 * 2018, and what is sent here is what the page and the present Android, iOS and Flutter apps send together.
 */
import { isRsaKey, type SessionKey } from '../model/keystore.ts';
import type { MixinAccounts } from '../model/ports.ts';
import { parseUuid } from '../model/uuid.ts';
import type { MixinClient } from './client.ts';
import { createMixinError } from './errors.ts';
import { derivePublicKey, parseHexKey } from './keys.ts';
import { readNewUser, readSignInResult } from './new-account.ts';
import { readRsaKey } from './rsa.ts';
import { readVerification } from './verification.ts';

/** Goes into a path or a header, so it must be a UUID and nothing else. Throws TypeError. */
const expectUuid = (text: string): string => {
  const id = parseUuid(text);
  if (id === undefined) throw new TypeError('an id for a path or a header must be a UUID');
  return id;
};

/**
 * The public half of a session as it is sent: 32 bytes of an Ed25519 key, or the SPKI DER of an RSA key. Network
 * users have it as unpadded base64url (Go, Node, Dart, Ruby), signed-in ones as standard base64 (Android, iOS,
 * Flutter); of an RSA key everybody sends standard base64. Throws MixinError `bad_keystore`.
 */
const createSessionSecret = async (key: SessionKey, encoding: 'base64' | 'base64url'): Promise<string> => {
  if (!isRsaKey(key)) return Buffer.from(parseHexKey(await derivePublicKey(key))).toString(encoding);
  const rsa = readRsaKey(key);
  if (rsa === undefined) throw createMixinError('bad_keystore');
  return rsa.public_key;
};

/**
 * Makes the calls over a client. Each is sent once, over a connection of its own, and throws MixinError; its verdict
 * says what may follow.
 *
 * - createUser: POST /users, signed by the owner. Sent twice it makes and bills two users.
 * - requestCode: POST /verifications without a token.
 * - signIn: POST /verifications/:id without a token.
 *
 * The last two throw TypeError, before anything is sent, for a device or verification id that is no UUID.
 */
export const createMixinAccounts = (client: MixinClient): MixinAccounts => ({
  createUser: async (owner, { full_name, session_key }) => {
    const session_secret = await createSessionSecret(session_key, 'base64url');
    const body = { session_secret, full_name };
    const answer = await client.call(owner, { method: 'POST', path: '/users', body, fresh: true });
    return readNewUser(answer, session_key, owner);
  },

  requestCode: async ({ device_id, captcha, ...fields }) => {
    const headers = { 'mixin-device-id': expectUuid(device_id) };
    const body = { ...captcha, ...fields };
    const request = { method: 'POST', path: '/verifications', body, headers, fresh: true } as const;
    return readVerification(await client.callOpen(request));
  },

  signIn: async (verification_id, session_key, { device_id, ...fields }) => {
    const path = `/verifications/${expectUuid(verification_id)}`;
    const headers = { 'mixin-device-id': expectUuid(device_id) };
    const body = { ...fields, session_secret: await createSessionSecret(session_key, 'base64') };
    const request = { method: 'POST', path, body, headers, fresh: true } as const;
    return readSignInResult(await client.callOpen(request), session_key);
  },
});
