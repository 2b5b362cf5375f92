/**
 * The signed token of a request: a JWT (EdDSA) whose `sig` claim binds it to method, address and body.
 * Facts: https://developers.mixin.one/docs/api/guide, and the shipped SDKs (Go auth.go, Node
 * signAuthenticationToken), which agree (read 2026-11-21).
 */
import { createHash } from 'node:crypto';
import type { Keystore } from '../keystore.ts';
import type { Method } from './errors.ts';
import { bytesOfHex, sign } from './keys.ts';

export interface TokenRequest {
  readonly keystore: Pick<Keystore, 'app_id' | 'session_id' | 'session_private_key'>;
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
export const requestDigest = (method: Method, uri: string, body: string): string =>
  createHash('sha256').update(`${method}${uri}${body}`, 'utf8').digest('hex');

const base64url = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');

const HEADER = base64url('{"alg":"EdDSA","typ":"JWT"}');

/** The token in compact form, for `Authorization: Bearer`. Throws MixinError `bad_keystore`. */
export const createToken = async (request: TokenRequest): Promise<string> => {
  const { keystore, method, uri, body, request_id, unixSeconds, lifetimeSeconds } = request;
  const claims = {
    uid: keystore.app_id,
    sid: keystore.session_id,
    iat: unixSeconds,
    exp: unixSeconds + lifetimeSeconds,
    jti: request_id,
    sig: requestDigest(method, uri, body),
    scp: 'FULL',
  };
  const signed = `${HEADER}.${base64url(JSON.stringify(claims))}`;
  const signature = await sign(Buffer.from(signed, 'utf8'), bytesOfHex(keystore.session_private_key));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
};
