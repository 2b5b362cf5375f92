/**
 * The signed token of a request: a JWT whose `sig` claim binds it to method, address and body. Ed25519 sessions
 * sign EdDSA, RSA sessions RS512. Facts: https://developers.mixin.one/docs/api/guide, and the shipped SDKs (Go
 * auth.go, Node signAuthenticationToken; RS512: fox-one's keystore.go), which agree (read 2026-11-21).
 */
import { createHash } from 'node:crypto';
import { isRsaKeystore, type Keystore } from '../model/keystore.ts';
import type { Method } from './errors.ts';
import { sign } from './keys.ts';
import { signByRsa } from './rsa.ts';

interface TokenRequest {
  readonly keystore: Keystore;
  readonly method: Method;
  /** Path and query exactly as they are sent, from the first `/`. */
  readonly uri: string;
  /** The very string that is sent; empty where there is no body. */
  readonly body: string;
  /** UUID; goes out as X-Request-Id as well. */
  readonly request_id: string;
  readonly unixSeconds: number;
  readonly lifetimeSeconds: number;
}

/** Lower-case hex of SHA-256 over method, address and body, put together without separators, in UTF-8. */
export const digestRequest = (method: Method, uri: string, body: string): string =>
  createHash('sha256').update(`${method}${uri}${body}`, 'utf8').digest('hex');

const base64url = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');

const createHeader = (keystore: Keystore): string =>
  base64url(`{"alg":"${isRsaKeystore(keystore) ? 'RS512' : 'EdDSA'}","typ":"JWT"}`);

const signBySession = async (message: Uint8Array, keystore: Keystore): Promise<Uint8Array> =>
  isRsaKeystore(keystore)
    ? signByRsa(message, keystore.private_key)
    : sign(message, keystore.session_private_key);

/** The token in compact form, for `Authorization: Bearer`. Throws MixinError `bad_keystore`. */
export const createToken = async (request: TokenRequest): Promise<string> => {
  const { keystore, method, uri, body, request_id, unixSeconds, lifetimeSeconds } = request;
  const claims = {
    uid: keystore.app_id,
    sid: keystore.session_id,
    iat: unixSeconds,
    exp: unixSeconds + lifetimeSeconds,
    jti: request_id,
    sig: digestRequest(method, uri, body),
    scp: 'FULL',
  };
  const signed = `${createHeader(keystore)}.${base64url(JSON.stringify(claims))}`;
  const signature = await signBySession(Buffer.from(signed, 'utf8'), keystore);
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
};
