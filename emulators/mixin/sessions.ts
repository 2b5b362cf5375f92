/** Sessions of both kinds: what the server stores, how tokens are signed and how PINs are encrypted. */
import { randomUUID } from 'node:crypto';
import { decodeBase64 } from './call.ts';
import {
  convertToX25519,
  createSeed,
  derivePublicKey,
  deriveSharedKey,
  isPublicKey,
  isSigned,
} from './ed25519.ts';
import { isRsaPublicKey, isSignedRs512, sealPinKey } from './rsa.ts';

/** `rsa` is the older kind: clients no longer create it, but old keystores still have it. */
export type SessionKind = 'ed25519' | 'rsa';

export interface SessionKey {
  readonly kind: SessionKind;
  /** Ed25519: hex of the point. RSA: SubjectPublicKeyInfo, DER in standard base64. */
  readonly public_key: string;
}

export interface Session {
  session_id: string;
  session_kind: SessionKind;
  /** As in SessionKey. */
  session_public_key: string;
  session_live: boolean;
  /** Hex. Ed25519: the server's seed. RSA: the key of the session's PINs itself. */
  server_seed: string;
  /** Hex; empty for RSA. */
  server_public_key: string;
  /** Base64url. Ed25519: the server's key in X25519 form. RSA: the key of the PINs, sealed for the client. */
  pin_token: string;
  /** The greatest PIN iterator of this session, as decimal digits: it does not fit a number. */
  last_iterator: string;
}

export interface PresetSession {
  readonly session_id?: string | undefined;
  readonly server_seed?: Buffer | undefined;
}

export const createServerSession = (key: SessionKey, fixed: PresetSession = {}): Session => {
  const session_id = fixed.session_id ?? randomUUID();
  const seed = fixed.server_seed ?? createSeed();
  const server_public_key = key.kind === 'rsa' ? '' : derivePublicKey(seed);
  const pin_token =
    key.kind === 'rsa' ? sealPinKey(key.public_key, session_id, seed) : convertToX25519(server_public_key);
  return {
    session_id,
    session_kind: key.kind,
    session_public_key: key.public_key,
    session_live: true,
    server_seed: seed.toString('hex'),
    server_public_key,
    pin_token: pin_token.toString('base64url'),
    last_iterator: '0',
  };
};

/**
 * A session key as clients send it: 32 bytes of Ed25519 in either base64, or an RSA SubjectPublicKeyInfo in standard
 * base64; undefined when it is neither.
 */
export const parseSessionKey = (text: string): SessionKey | undefined => {
  const raw = decodeBase64(text);
  if (raw?.length !== 32) return isRsaPublicKey(text) ? { kind: 'rsa', public_key: text } : undefined;
  const public_key = raw.toString('hex');
  return isPublicKey(public_key) ? { kind: 'ed25519', public_key } : undefined;
};

const algorithms: Readonly<Record<SessionKind, string>> = { ed25519: 'EdDSA', rsa: 'RS512' };

export const isTokenAlgorithm = (alg: unknown): alg is string =>
  typeof alg === 'string' && Object.values(algorithms).includes(alg);

export const signsWith = (session: Session, alg: string): boolean => algorithms[session.session_kind] === alg;

export const isSignedBySession = (session: Session, message: Uint8Array, signature: Uint8Array): boolean =>
  (session.session_kind === 'rsa' ? isSignedRs512 : isSigned)(session.session_public_key, message, signature);

/** The AES key of the session's PINs. */
export const derivePinKey = (session: Session): Buffer => {
  const seed = Buffer.from(session.server_seed, 'hex');
  return session.session_kind === 'rsa' ? seed : deriveSharedKey(seed, session.session_public_key);
};
