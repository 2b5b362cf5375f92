/**
 * Ed25519 keys (RFC 8032) and what Mixin makes of them, by node:crypto and @noble/ed25519. Independent of lib/mixin
 * on purpose: a mistake there must not be repeated here.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
  verify,
} from 'node:crypto';
import { etc, Point } from '@noble/ed25519';

/** The order of the base point, and the field's prime. */
const { n: L, p: P } = Point.CURVE();

/** Whether 64 lower-case hex characters are a canonical Ed25519 point that is not of small order. */
export const isPublicKey = (publicKey: string): boolean => {
  if (!/^[0-9a-f]{64}$/.test(publicKey)) return false;
  try {
    return !Point.fromHex(publicKey).isSmallOrder();
  } catch {
    return false;
  }
};

const fromLittleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** The same key on Curve25519, 32 bytes. RFC 7748, 4.1: u = (1 + y) / (1 - y). */
export const convertToX25519 = (publicKey: string): Buffer => {
  const { y } = Point.fromHex(publicKey);
  const u = etc.mod((1n + y) * etc.invert(1n - y, P), P);
  return Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse();
};

/** DER before the 32 bytes of a private key (RFC 8410). */
const PKCS8 = { ed25519: '302e020100300506032b657004220420', x25519: '302e020100300506032b656e04220420' };

const importPrivateKey = (type: keyof typeof PKCS8, key: Uint8Array) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from(PKCS8[type], 'hex'), key]),
    format: 'der',
    type: 'pkcs8',
  });

const importPublicKey = (crv: 'Ed25519' | 'X25519', key: Buffer) =>
  createPublicKey({ key: { kty: 'OKP', crv, x: key.toString('base64url') }, format: 'jwk' });

/** The public key of a 32-byte seed, in hex. */
export const derivePublicKey = (seed: Uint8Array): string =>
  createPublicKey(importPrivateKey('ed25519', seed))
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('hex');

/** The public key of a private scalar, both in 64 hex characters; undefined for what is not a reduced scalar. */
export const derivePublicKeyOfScalar = (hex: string): string | undefined => {
  const scalar = fromLittleEndian(Buffer.from(hex, 'hex'));
  return scalar > 0n && scalar < L ? Point.BASE.multiply(scalar).toHex() : undefined;
};

export const createSeed = (): Buffer => randomBytes(32);

export const isSigned = (publicKey: string, message: Uint8Array, signature: Uint8Array): boolean =>
  signature.length === 64 &&
  verify(null, message, importPublicKey('Ed25519', Buffer.from(publicKey, 'hex')), signature);

/** X25519 between our Ed25519 seed and their Ed25519 public key, without any key derivation; 32 bytes. */
export const deriveSharedKey = (seed: Uint8Array, publicKey: string): Buffer => {
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32);
  return diffieHellman({
    privateKey: importPrivateKey('x25519', scalar),
    publicKey: importPublicKey('X25519', convertToX25519(publicKey)),
  });
};
