/**
 * Keys of Mixin: Ed25519 (RFC 8032) for sessions, TIP PINs and Safe, and its image on Curve25519 (RFC 7748)
 * for the secret that a session shares with Mixin. A private key is its 32-byte seed everywhere.
 */
import { createHash, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { etc, getPublicKeyAsync, Point, signAsync } from '@noble/ed25519';
import { MixinError } from './errors.ts';

const KEY_BYTES = 32;
/** DER before the 32 bytes of an X25519 key: PKCS#8 and SPKI with OID 1.3.101.110 (RFC 8410). */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');

const checked = (key: Uint8Array): Uint8Array => {
  if (key.length !== KEY_BYTES) throw new MixinError('bad_keystore');
  return key;
};

/** 64 hex characters → 32 bytes. Throws MixinError `bad_keystore` on anything else. */
export const bytesOfHex = (hex: string): Uint8Array => {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new MixinError('bad_keystore');
  return new Uint8Array(Buffer.from(hex, 'hex'));
};

/** The Ed25519 public key of a 32-byte seed, as 64 lower-case hex characters. Throws `bad_keystore`. */
export const publicKeyOf = async (seed: Uint8Array): Promise<string> =>
  etc.bytesToHex(await getPublicKeyAsync(checked(seed)));

/** Ed25519 signature (64 bytes) over the message bytes as they are. Throws `bad_keystore`. */
export const sign = async (message: Uint8Array, seed: Uint8Array): Promise<Uint8Array> =>
  signAsync(message, checked(seed));

const pointOf = (publicKey: Uint8Array): Point => {
  try {
    return Point.fromBytes(checked(publicKey)).assertValidity();
  } catch {
    throw new MixinError('bad_keystore');
  }
};

const littleEndian = (value: bigint): Uint8Array =>
  new Uint8Array(Buffer.from(value.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex').reverse());

/**
 * Ed25519 public key (32 bytes) → X25519 public key (32 bytes), u = (1 + y) / (1 - y) mod p
 * (RFC 7748, section 4.1). Throws `bad_keystore` for bytes that are no point, or one of small order.
 */
export const toX25519PublicKey = (publicKey: Uint8Array): Uint8Array => {
  const point = pointOf(publicKey);
  if (point.isSmallOrder()) throw new MixinError('bad_keystore');
  const { p } = Point.CURVE();
  const { y } = point.toAffine();
  return littleEndian(etc.mod((1n + y) * etc.invert(etc.mod(1n - y, p), p), p));
};

/**
 * Ed25519 seed → X25519 private key: the first half of its SHA-512, clamped (RFC 8032, section 5.1.5 and
 * RFC 7748, section 5). Throws `bad_keystore`.
 */
export const toX25519PrivateKey = (seed: Uint8Array): Uint8Array => {
  const scalar = new Uint8Array(createHash('sha512').update(checked(seed)).digest().subarray(0, KEY_BYTES));
  scalar[0] = (scalar[0] ?? 0) & 248;
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64;
  return scalar;
};

/** Is this (hex) the Ed25519 public key of a keystore, one that PIN encryption can use? */
export const isPublicKey = (hex: string): boolean => {
  try {
    toX25519PublicKey(bytesOfHex(hex));
    return true;
  } catch {
    return false;
  }
};

const der = (prefix: Buffer, key: Uint8Array): Buffer => Buffer.concat([prefix, key]);

/**
 * The secret (32 bytes) that a session shares with Mixin and that encrypts its PINs: plain X25519, no KDF.
 * `seed` is the session's, `serverPublicKey` the Ed25519 point of the keystore. Throws `bad_keystore`.
 */
export const sharedSecret = (seed: Uint8Array, serverPublicKey: Uint8Array): Uint8Array => {
  const privateKey = der(PKCS8_X25519, toX25519PrivateKey(seed));
  const publicKey = der(SPKI_X25519, toX25519PublicKey(serverPublicKey));
  return diffieHellman({
    privateKey: createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }),
    publicKey: createPublicKey({ key: publicKey, format: 'der', type: 'spki' }),
  });
};
