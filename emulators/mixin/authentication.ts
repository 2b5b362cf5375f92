/**
 * Who sent a request: the token in `Authorization: Bearer …`.
 *
 * Stricter than the live server is known to be: a token is good for one request. X-Request-Id may be any id, or none,
 * as the Go, Kotlin, Dart and Ruby SDKs have it; the setting `strict_request_id` demands that it is `jti`.
 */
import { createHash } from 'node:crypto';
import { type Account, type Accounts, isUuid } from './accounts.ts';
import { Refusal } from './answers.ts';
import type { Call, CallContext } from './call.ts';
import { isSignedBySession, isTokenAlgorithm, signsWith } from './sessions.ts';
import type { Store } from './store.ts';

/** developers.mixin.one: a clock that is off by more than five minutes gets a 401. */
export const CLOCK_TOLERANCE_SECONDS = 300;
/** Used tokens are stored for longer than their `iat` is accepted. */
const TOKEN_MEMORY_SECONDS = 3_600;

const decodePart = (part: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
};

/** The user that a token claims, not verified; for faults and the ledger. */
export const readClaimedUser = (call: Call): string | undefined => {
  const uid = decodePart(call.authorization.split('.')[1] ?? '')?.uid;
  return isUuid(uid) ? uid : undefined;
};

const hashRequest = (call: Pick<Call, 'method' | 'target' | 'body'>): string =>
  createHash('sha256').update(call.method).update(call.target).update(call.body).digest('hex');

const refuse = (reason: string): Refusal => new Refusal(401, reason);

/** For the calls of somebody who has no session yet: no token, or an empty one as some apps send it. */
export const refuseToken = ({ authorization }: Call): void => {
  if (authorization !== '' && authorization !== 'Bearer') throw refuse('this call takes no token');
};

export interface Tokens {
  /** The account whose session signed this very request; throws a Refusal otherwise. */
  authenticate(call: Call, accounts: Accounts, context: Pick<CallContext, 'clockMs' | 'settings'>): Account;
}

export const openTokens = ({ database }: Store): Tokens => {
  const insert = database.prepare('INSERT OR IGNORE INTO tokens (session_id, jti, iat) VALUES (?, ?, ?)');
  const forget = database.prepare('DELETE FROM tokens WHERE iat < ?');
  let uses = 0;

  const useOnce = (sid: string, jti: string, iat: number): void => {
    uses += 1;
    if (uses % 1_000 === 0) forget.run(iat - TOKEN_MEMORY_SECONDS);
    if (insert.run(sid, jti, iat).changes === 0) throw refuse('the token was used before');
  };

  return {
    authenticate: (call, accounts, { clockMs, settings }) => {
      const token = /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(call.authorization);
      if (token === null) throw refuse('there is no token');
      const [, header = '', payload = '', signature = ''] = token;

      const head = decodePart(header);
      const alg = head?.alg;
      if (!isTokenAlgorithm(alg) || head?.typ !== 'JWT')
        throw refuse('the token’s header is not EdDSA or RS512 JWT');
      const claims = decodePart(payload);
      if (claims === undefined) throw refuse('the token’s claims are not JSON');
      const { uid, sid, iat, exp, jti, sig, scp } = claims;
      if (!isUuid(uid) || !isUuid(sid) || !isUuid(jti)) throw refuse('uid, sid and jti must be UUIDs');
      if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp))
        throw refuse('iat and exp must be seconds');
      const [issued, expires] = [iat as number, exp as number];
      if (scp !== 'FULL') throw refuse('scp is not FULL');

      const account = accounts.find(uid);
      if (account === undefined || account.session_id !== sid) throw refuse('the session is unknown');
      if (!account.session_live) throw refuse('the session is revoked');
      if (!signsWith(account, alg)) throw refuse('the token’s algorithm is not the session’s');
      const signed = Buffer.from(`${header}.${payload}`);
      if (!isSignedBySession(account, signed, Buffer.from(signature, 'base64url')))
        throw refuse('the token is not signed by the session');

      const clock = clockMs / 1_000;
      if (expires <= clock || expires <= issued) throw refuse('the token is expired');
      if (Math.abs(issued - clock) > CLOCK_TOLERANCE_SECONDS) throw refuse('iat is over five minutes off');
      if (sig !== hashRequest(call)) throw refuse('sig does not match the request');
      if (settings.strict_request_id && call.request_id !== undefined && call.request_id !== jti)
        throw refuse('jti is not the X-Request-Id');
      useOnce(sid, jti, issued);
      return account;
    },
  };
};
