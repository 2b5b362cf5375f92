/**
 * Keys of Mixin: Ed25519 (RFC 8032) for sessions, TIP PINs and Safe, and its image on Curve25519 (RFC 7748)
 * for the secret that a session shares with Mixin. A private key is its 32-byte seed everywhere, but for keys of
 * fox-one's tools, of which only the scalar may be known. RSA keys of older sessions are in rsa.ts.
 */
import { createHash, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { etc, Point, signAsync } from '@noble/ed25519';
import { type PrivateKey, SCALAR_PREFIX } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import { createMixinError } from './errors.ts';
import * as rsa from './rsa.ts';

export { generateRsaKey } from './rsa.ts';

/** Asynchronous, as in the port: a browser reads RSA keys only so. */
export const readRsaKey: Keys['readRsaKey'] = async (pem) => rsa.readRsaKey(pem);
export const canDecryptPinToken: Keys['canDecryptPinToken'] = async (...session) =>
  rsa.canDecryptPinToken(...session);

const KEY_BYTES = 32;
/** DER before the 32 bytes of a key: PKCS#8 and SPKI with OID 1.3.101.112 (Ed25519) and .110 (X25519), RFC 8410. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');
const der = (prefix: Buffer, key: Uint8Array): Buffer => Buffer.concat([prefix, key]);

/** Keeps the nonces of scalars apart from those of any seed; see signByScalar. */
const NONCE_DOMAIN = Buffer.from('enlist: nonces of an Ed25519 scalar', 'utf8');

/** Order of the group (L in RFC 8032) and of the field. */
const { n: L, p } = Point.CURVE();

const expectKeyBytes = (key: Uint8Array): Uint8Array => {
  if (key.length !== KEY_BYTES) throw createMixinError('bad_keystore');
  return key;
};

/** 64 hex characters → 32 bytes. Throws MixinError `bad_keystore` on anything else. */
export const parseHexKey = (hex: string): Uint8Array => {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw createMixinError('bad_keystore');
  return new Uint8Array(Buffer.from(hex, 'hex'));
};

const fromLittleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

const littleEndian = (value: bigint): Uint8Array =>
  new Uint8Array(Buffer.from(value.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex').reverse());

const sha512 = (...parts: readonly Uint8Array[]): Uint8Array =>
  createHash('sha512').update(Buffer.concat(parts)).digest();

/**
 * Could this (64 hex characters) be a private scalar: little-endian, reduced, not zero? Keys of fox-one's tools
 * are such scalars (mixinnet.Key of mixin-sdk-go).
 */
export const isScalar = (hex: string): boolean => {
  if (!/^[0-9a-f]{64}$/i.test(hex)) return false;
  const scalar = fromLittleEndian(parseHexKey(hex));
  return scalar > 0n && scalar < L;
};

type Secret = { readonly seed: Uint8Array } | { readonly scalar: bigint };

const parseSecret = (key: PrivateKey): Secret => {
  if (!key.startsWith(SCALAR_PREFIX)) return { seed: parseHexKey(key) };
  const hex = key.slice(SCALAR_PREFIX.length);
  if (!isScalar(hex)) throw createMixinError('bad_keystore');
  return { scalar: fromLittleEndian(parseHexKey(hex)) };
};

/** By node:crypto, in a quarter of the library's time: a list of 80,000 bots needs some 200,000 public keys. */
const deriveFromSeed = (seed: Uint8Array): string =>
  createPublicKey(createPrivateKey({ key: der(PKCS8_ED25519, seed), format: 'der', type: 'pkcs8' }))
    .export({ format: 'der', type: 'spki' })
    .subarray(-KEY_BYTES)
    .toString('hex');

/**
 * The Ed25519 public key (64 lower-case hex characters) of a seed or a scalar. Throws MixinError `bad_keystore`
 * for a text that is neither, and for a scalar that is not reduced.
 */
export const derivePublicKey = async (key: PrivateKey): Promise<string> => {
  const secret = parseSecret(key);
  if ('scalar' in secret) return Point.BASE.multiply(secret.scalar).toHex();
  return deriveFromSeed(secret.seed);
};

/**
 * RFC 8032, section 5.1.6, from its step 2 on. The nonce's prefix, which a seed would give, is made of the scalar:
 * a scalar and a message have one nonce, and no other scalar or message has it. fox-one's prefix is what the RFC
 * makes of a seed with the same bytes. Ours is different: 32 bytes of a list may at first be either of the two, and
 * signatures by both with equal nonces would reveal the keys.
 */
const signByScalar = (message: Uint8Array, scalar: bigint): Uint8Array => {
  const prefix = sha512(NONCE_DOMAIN, littleEndian(scalar));
  const r = fromLittleEndian(sha512(prefix, message)) % L;
  const R = Point.BASE.multiply(r).toBytes();
  const k = fromLittleEndian(sha512(R, Point.BASE.multiply(scalar).toBytes(), message)) % L;
  return new Uint8Array(Buffer.concat([R, littleEndian((r + k * scalar) % L)]));
};

/**
 * Ed25519 signature (64 bytes) over the message bytes as they are, always the same for the same key and message.
 * Throws MixinError `bad_keystore` as derivePublicKey does.
 */
export const sign = async (message: Uint8Array, key: PrivateKey): Promise<Uint8Array> => {
  const secret = parseSecret(key);
  return 'scalar' in secret ? signByScalar(message, secret.scalar) : signAsync(message, secret.seed);
};

const parsePoint = (publicKey: Uint8Array): Point => {
  try {
    return Point.fromBytes(expectKeyBytes(publicKey)).assertValidity();
  } catch {
    throw createMixinError('bad_keystore');
  }
};

/**
 * Ed25519 public key (32 bytes) → X25519 public key (32 bytes), u = (1 + y) / (1 - y) mod p
 * (RFC 7748, section 4.1). Throws `bad_keystore` for bytes that are not a point, or a point of small order.
 */
export const toX25519PublicKey = (publicKey: Uint8Array): Uint8Array => {
  const point = parsePoint(publicKey);
  if (point.isSmallOrder()) throw createMixinError('bad_keystore');
  const { y } = point.toAffine();
  return littleEndian(etc.mod((1n + y) * etc.invert(etc.mod(1n - y, p), p), p));
};

/**
 * Ed25519 seed (32 bytes) → X25519 private key: the first half of its SHA-512, clamped (RFC 8032, section 5.1.5
 * and RFC 7748, section 5). Throws `bad_keystore`.
 */
export const toX25519PrivateKey = (seed: Uint8Array): Uint8Array => {
  const scalar = new Uint8Array(sha512(expectKeyBytes(seed)).subarray(0, KEY_BYTES));
  scalar[0] = (scalar[0] ?? 0) & 248;
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64;
  return scalar;
};

/** Is this (64 hex characters) an Ed25519 public key that PIN encryption can use? */
export const isPublicKey = (hex: string): boolean => {
  try {
    toX25519PublicKey(parseHexKey(hex));
    return true;
  } catch {
    return false;
  }
};

/**
 * X25519 public key → the Ed25519 point with that image and sign bit 0, y = (u - 1) / (u + 1) mod p (RFC 7748,
 * section 4.1), both 64 hex characters. Undefined where no point has that image (u on the twist), where it has
 * small order, and for a u that is not below p. `pin_token` of today's sessions is such a u.
 */
export const ed25519FromX25519 = (hex: string): string | undefined => {
  if (!/^[0-9a-f]{64}$/i.test(hex)) return undefined;
  const u = fromLittleEndian(parseHexKey(hex));
  if (u >= p - 1n) return undefined;
  const y = etc.mod((u - 1n) * etc.invert(u + 1n, p), p);
  const publicKey = etc.bytesToHex(littleEndian(y));
  return isPublicKey(publicKey) ? publicKey : undefined;
};

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
