/** How keystores write bytes: hex, base64 of either alphabet, PEM. Pure. */

const HEX_KEY = /^([0-9a-f]{64}|[0-9a-f]{128})$/i;
const STANDARD = /^[A-Za-z0-9+/]+={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]+={0,2}$/;

/** Lower-case hex. */
export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Standard base64 with padding. */
export const toBase64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

const removePadding = (base64: string): string => base64.replace(/=+$/, '');

/** The bytes of base64 in the standard alphabet, without padding; undefined for a length that base64 cannot have. */
const decodeBase64 = (base64: string): Uint8Array | undefined =>
  base64.length % 4 === 1 ? undefined : Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

/** Base64, standard or URL-safe, padded or not → its bytes; undefined for anything else. */
export const parseBase64 = (text: string): Uint8Array | undefined => {
  if (!STANDARD.test(text) && !URL_SAFE.test(text)) return undefined;
  const bare = removePadding(text).replaceAll('-', '+').replaceAll('_', '/');
  const isPaddingWhole = bare.length === text.length || text.length % 4 === 0;
  if (!isPaddingWhole) return undefined;
  const bytes = decodeBase64(bare);
  // Bits beyond the last byte must be zero: nothing may get lost.
  return bytes && removePadding(toBase64(bytes)) === bare ? bytes : undefined;
};

export const isHex32 = (text: string): boolean => /^[0-9a-f]{64}$/i.test(text);

/** Hex as some languages print it, with 0x before it → without. */
export const dropHexPrefix = (text: string): string => (/^0x[0-9a-f]+$/i.test(text) ? text.slice(2) : text);

/** 32 or 64 bytes in hex or base64 → as lower-case hex; undefined for anything else. The lengths cannot be confused. */
export const parseKey = (written: string): string | undefined => {
  const text = dropHexPrefix(written);
  if (HEX_KEY.test(text)) return text.toLowerCase();
  const bytes = parseBase64(text);
  return bytes && (bytes.length === 32 || bytes.length === 64) ? toHex(bytes) : undefined;
};

/** Is there the start of a PEM in the text? Some tools write attributes before it. */
export const isPem = (text: string): boolean => text.includes('-----BEGIN');

const PEM = /-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/;

/** A private key in DER: an RSA key as PEM with real line ends, or the seed of an Ed25519 key as hex. */
export type PrivateKeyBytes = { readonly pem: string } | { readonly seed: string };

const writePem = (label: string, bytes: Uint8Array): string =>
  [
    `-----BEGIN ${label}-----`,
    ...(toBase64(bytes).match(/.{1,64}/g) ?? []),
    `-----END ${label}-----`,
    '',
  ].join('\n');

/** The content of PKCS#8 before the 32 bytes of a seed: version 0 or 1, OID 1.3.101.112, RFC 8410. */
const ED25519 = /^30[0-9a-f]{2}02010[01]300506032b657004220420([0-9a-f]{64})/;

/** What a DER holds is told by its bytes, whatever its label says: SEQUENCE, version, and then the kind. */
const readDer = (bytes: Uint8Array): PrivateKeyBytes | undefined => {
  const [, seed] = ED25519.exec(toHex(bytes.subarray(0, 48))) ?? [];
  if (seed !== undefined) return { seed };
  const lengthBytes = (bytes[1] ?? 0) < 0x80 ? 0 : (bytes[1] ?? 0) - 0x80;
  const version = 2 + lengthBytes;
  const isVersion = bytes[0] === 0x30 && bytes[version] === 0x02 && bytes[version + 1] === 1;
  const kind = bytes[version + 3];
  if (!isVersion || (kind !== 0x30 && kind !== 0x02)) return undefined;
  return { pem: writePem(kind === 0x30 ? 'PRIVATE KEY' : 'RSA PRIVATE KEY', bytes) };
};

/** Shorter than any RSA key in DER: 64 bytes are a key of Ed25519. */
const MIN_DER_BYTES = 48;

/**
 * A private key in PEM whose line ends may be real, written as the letters `\n` or `\r\n`, or lost; or the same
 * without its armour. Undefined when it is no such key, is cut off, or is encrypted.
 */
export const parseDer = (text: string): PrivateKeyBytes | undefined => {
  const [, , body] = PEM.exec(text.replace(/\\+[nr]/g, '\n')) ?? [];
  if (body === undefined && isPem(text)) return undefined;
  const bytes = parseBase64((body ?? text).replace(/\\+[nr]|\s/g, ''));
  if (!bytes || bytes.length < MIN_DER_BYTES || bytes.length === 64) return undefined;
  return readDer(bytes);
};
