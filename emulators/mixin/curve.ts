/**
 * Keys of curve 25519 by node:crypto, and the little arithmetic it does not offer. Independent of lib/mixin on
 * purpose: a mistake there must not be repeated here.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';

const P = 2n ** 255n - 19n;
/** RFC 8032, 5.1: d = -121665/121666 */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

const mod = (value: bigint): bigint => ((value % P) + P) % P;

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
};

const SQRT_MINUS_ONE = power(2n, (P - 1n) / 4n);

const inverse = (value: bigint): bigint => power(value, P - 2n);

const littleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** The affine y of an encoded point, without its sign bit. */
const yOf = (publicKey: string): bigint => littleEndian(Buffer.from(publicKey, 'hex')) & (2n ** 255n - 1n);

/** RFC 8032, 5.1.3; undefined when no x belongs to y. */
const xOf = (y: bigint): bigint | undefined => {
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  const root = mod(u * v ** 3n * power(u * v ** 7n, (P - 5n) / 8n));
  const square = mod(v * root * root);
  if (square === u) return root;
  return square === mod(-u) ? mod(root * SQRT_MINUS_ONE) : undefined;
};

/** Whether 8 times the point is the identity; RFC 8032, 5.1.4 without T, so that nothing is divided. */
const isOfSmallOrder = (x: bigint, y: bigint): boolean => {
  let [X, Y, Z] = [x, y, 1n];
  for (let doubling = 0; doubling < 3; doubling += 1) {
    const A = mod(X * X);
    const B = mod(Y * Y);
    const H = A + B;
    const E = H - mod((X + Y) ** 2n);
    const G = A - B;
    const F = mod(2n * Z * Z) + G;
    [X, Y, Z] = [mod(E * F), mod(G * H), mod(F * G)];
  }
  return X === 0n && Y === Z;
};

/** Whether 64 lower-case hex characters are a canonical Ed25519 point that is not of small order. */
export const isPublicKey = (publicKey: string): boolean => {
  if (!/^[0-9a-f]{64}$/.test(publicKey)) return false;
  const y = yOf(publicKey);
  if (y >= P) return false;
  const x = xOf(y);
  return x !== undefined && !isOfSmallOrder(x, y);
};

/** RFC 7748, 4.1: u = (1 + y) / (1 - y). */
export const montgomeryPublicKey = (publicKey: string): Buffer => {
  const y = yOf(publicKey);
  const u = mod((1n + y) * inverse(1n - y));
  return Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse();
};

const ed25519Private = (seed: Uint8Array) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });

const okpPublic = (crv: 'Ed25519' | 'X25519', raw: Buffer) =>
  createPublicKey({ key: { kty: 'OKP', crv, x: raw.toString('base64url') }, format: 'jwk' });

export const publicKeyOf = (seed: Uint8Array): string =>
  createPublicKey(ed25519Private(seed)).export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');

export const newSeed = (): Buffer => randomBytes(32);

export const signWith = (seed: Uint8Array, message: Uint8Array): Buffer =>
  sign(null, message, ed25519Private(seed));

export const verifies = (publicKey: string, message: Uint8Array, signature: Uint8Array): boolean =>
  signature.length === 64 &&
  verify(null, message, okpPublic('Ed25519', Buffer.from(publicKey, 'hex')), signature);

/** X25519 between our Ed25519 seed and their Ed25519 public key, without any key derivation. */
export const sharedKey = (seed: Uint8Array, publicKey: string): Buffer => {
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32);
  const privateKey = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), scalar]),
    format: 'der',
    type: 'pkcs8',
  });
  return diffieHellman({ privateKey, publicKey: okpPublic('X25519', montgomeryPublicKey(publicKey)) });
};

/** Both alphabets, padded or not, as shipped SDKs send both; undefined when it is neither. */
export const decodeBase64 = (text: string): Buffer | undefined => {
  const bare = text.replace(/={1,2}$/, '');
  if (bare === '' || bare.length % 4 === 1) return undefined;
  if (text !== bare && text.length % 4 !== 0) return undefined;
  if (!/^[A-Za-z0-9+/]+$/.test(bare) && !/^[A-Za-z0-9_-]+$/.test(bare)) return undefined;
  return Buffer.from(bare, 'base64url');
};
