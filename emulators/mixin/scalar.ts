/**
 * Ed25519 public keys of scalars, by the plain arithmetic of RFC 8032: node:crypto takes seeds alone, and the
 * library that the product uses must not be asked about itself.
 */

const P = 2n ** 255n - 19n;
/** Order of the base point; a scalar is reduced when it is smaller. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
/** RFC 8032, 5.1: d = -121665/121666 */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** Projective: x = X / Z, y = Y / Z. */
type Point = readonly [X: bigint, Y: bigint, Z: bigint];

const IDENTITY: Point = [0n, 1n, 1n];
const BASE: Point = [
  15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  46316835694926478169428394003475163141307993866256225615783033603165251855960n,
  1n,
];

const mod = (value: bigint): bigint => ((value % P) + P) % P;

/** Complete for this curve: also where both points are the same. */
const add = ([X1, Y1, Z1]: Point, [X2, Y2, Z2]: Point): Point => {
  const A = mod(Z1 * Z2);
  const B = mod(A * A);
  const C = mod(X1 * X2);
  const E = mod(Y1 * Y2);
  const F = mod(D * C * E);
  const [G, H] = [B - F, B + F];
  return [mod(A * G * ((X1 + Y1) * (X2 + Y2) - C - E)), mod(A * H * (E + C)), mod(G * H)];
};

const times = (scalar: bigint): Point => {
  let sum = IDENTITY;
  let power = BASE;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = add(sum, power);
    power = add(power, power);
  }
  return sum;
};

const inverse = (value: bigint): bigint => {
  let result = 1n;
  let square = mod(value);
  for (let rest = P - 2n; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
};

const littleEndian = (hex: string): bigint =>
  BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`);

/** 64 hex characters to 64 hex characters; undefined for what is no reduced scalar. */
export const publicKeyOfScalar = (hex: string): string | undefined => {
  const scalar = littleEndian(hex);
  if (scalar === 0n || scalar >= L) return undefined;
  const [X, Y, Z] = times(scalar);
  const z = inverse(Z);
  const encoded = mod(Y * z) | ((mod(X * z) & 1n) << 255n);
  return Buffer.from(encoded.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');
};
