/**
 * RSA keys of sessions from before 2023-12: they sign tokens (RS512), and decrypt the `pin_token` that holds the key
 * of the session's PINs. The Go SDK dropped them on 2023-12-25 (ca14fdd); fox-one's and Ruby's still have them
 * (keystore.go, utils/crypto.rb; read 2026-11-21).
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  privateDecrypt,
  sign,
} from 'node:crypto';
import { createMixinError } from './errors.ts';

const MIN_BITS = 1024;
const NEW_BITS = 2048;
const MAX_PEM_CHARACTERS = 10_000;
/** AES-128, AES-192, AES-256. */
const AES_KEY_BYTES: readonly number[] = [16, 24, 32];

/** Some exports write a PEM's line ends as the letters `\r\n` or `\n`. */
const withLineEnds = (pem: string): string => pem.replace(/\\r\\n|\\n|\r\n/g, '\n').trim();

const parse = (pem: string): KeyObject | undefined => {
  if (pem.length > MAX_PEM_CHARACTERS) return undefined;
  try {
    const key = createPrivateKey({ key: withLineEnds(pem), format: 'pem' });
    return key.asymmetricKeyType === 'rsa' && countBits(key) >= MIN_BITS ? key : undefined;
  } catch {
    return undefined;
  }
};

const countBits = (key: KeyObject): number => key.asymmetricKeyDetails?.modulusLength ?? 0;

const pkcs1 = (key: KeyObject): string => key.export({ type: 'pkcs1', format: 'pem' }).toString();

/**
 * An RSA private key of at least 1024 bits in PEM (PKCS#1 or PKCS#8, its line ends real or written as `\r\n` or
 * `\n`) → the same key as PKCS#1 PEM with LF, and its public half as base64 of SPKI DER, the `session_secret` of
 * an RSA session. Undefined for anything else. Whether private and public numbers belong together shows when
 * the key decrypts its pin_token.
 */
export const readRsaKey = (
  pem: string,
): { readonly pem: string; readonly public_key: string; readonly bits: number } | undefined => {
  const key = parse(pem);
  if (key === undefined) return undefined;
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return { pem: pkcs1(key), public_key: spki.toString('base64'), bits: countBits(key) };
};

/**
 * The AES key (16, 24 or 32 bytes) in a session's pin_token (base64): RSA-OAEP with SHA-256 for digest and mask,
 * and the session id as the label. Throws MixinError `bad_keystore`.
 */
export const decryptPinToken = (pem: string, pin_token: string, session_id: string): Uint8Array => {
  const key = parse(pem);
  if (key === undefined) throw createMixinError('bad_keystore');
  const aesKey = decrypt(key, Buffer.from(pin_token, 'base64'), Buffer.from(session_id, 'utf8'));
  if (aesKey === undefined || !AES_KEY_BYTES.includes(aesKey.length)) throw createMixinError('bad_keystore');
  return aesKey;
};

const decrypt = (key: KeyObject, blob: Buffer, oaepLabel: Buffer): Uint8Array | undefined => {
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    return privateDecrypt({ key, padding, oaepHash: 'sha256', oaepLabel }, blob);
  } catch {
    return undefined;
  }
};

/** Can this key decrypt this pin_token (base64) of that session, and is an AES key in it? */
export const canDecryptPinToken = (pem: string, pin_token: string, session_id: string): boolean => {
  try {
    decryptPinToken(pem, pin_token, session_id);
    return true;
  } catch {
    return false;
  }
};

/** RSASSA-PKCS1-v1_5 with SHA-512 (RS512 of RFC 7518). Throws MixinError `bad_keystore` where the key cannot sign. */
export const signByRsa = (message: Uint8Array, pem: string): Uint8Array => {
  const key = parse(pem);
  if (key === undefined) throw createMixinError('bad_keystore');
  try {
    return sign('sha512', message, { key, padding: constants.RSA_PKCS1_PADDING });
  } catch {
    throw createMixinError('bad_keystore');
  }
};

/**
 * A new RSA session key of 2048 bits, as PKCS#1 PEM. The sample of Mixin's page from 2018 is a key of 1024 bits:
 * such keys are read, but not generated, for NIST SP 800-131A has disallowed them for signatures since 2014. Whether
 * Mixin accepts any RSA key at a sign-in today is unknown; no current client sends one.
 */
export const generateRsaKey = (): Promise<string> =>
  new Promise((resolve, reject) => {
    generateKeyPair('rsa', { modulusLength: NEW_BITS }, (error, _, privateKey) => {
      if (error) reject(error);
      else resolve(pkcs1(privateKey));
    });
  });
