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

/** 32 or 64 bytes in hex or base64 → as lower-case hex; undefined for anything else. The lengths cannot be confused. */
export const parseKey = (text: string): string | undefined => {
  if (HEX_KEY.test(text)) return text.toLowerCase();
  const bytes = parseBase64(text);
  return bytes && (bytes.length === 32 || bytes.length === 64) ? toHex(bytes) : undefined;
};

export const isPem = (text: string): boolean => text.startsWith('-----BEGIN');

const PEM = /^-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----$/;

/**
 * A private key in PEM whose line ends may be real, written as the letters `\n` or `\r\n`, or lost → with real ones.
 * Undefined when it is no such key, is cut off, or is encrypted.
 */
export const parsePem = (text: string): string | undefined => {
  const [, label, body = ''] = PEM.exec(text.replace(/\\+[nr]/g, '\n').trim()) ?? [];
  const bytes = parseBase64(body.replace(/\s/g, ''));
  if (!label || !bytes) return undefined;
  const lines = toBase64(bytes).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
};
