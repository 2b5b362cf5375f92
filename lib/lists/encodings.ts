/** The ways in which keystores write bytes: hex, base64 of either alphabet, PEM. Pure. */

const HEX_KEY = /^([0-9a-f]{64}|[0-9a-f]{128})$/i;
const STANDARD = /^[A-Za-z0-9+/]+={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]+={0,2}$/;

const withoutPadding = (base64: string): string => base64.replace(/=+$/, '');

/** Is the padding either left out or whole, and no bit lost? */
const isWhole = (base64: string, bytes: Buffer): boolean => {
  const bare = withoutPadding(base64);
  const isPadded = bare.length === base64.length || base64.length % 4 === 0;
  return isPadded && bytes.toString('base64url') === bare.replaceAll('+', '-').replaceAll('/', '_');
};

/** Base64, standard or URL-safe, padded or not → its bytes; undefined for anything else. */
export const bytesOfBase64 = (text: string): Buffer | undefined => {
  if (!STANDARD.test(text) && !URL_SAFE.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return isWhole(text, bytes) ? bytes : undefined;
};

export const isHex32 = (text: string): boolean => /^[0-9a-f]{64}$/i.test(text);

/** 32 or 64 bytes in hex or base64 → as lower-case hex; undefined for anything else. The lengths cannot be confused. */
export const hexOfKey = (text: string): string | undefined => {
  if (HEX_KEY.test(text)) return text.toLowerCase();
  const bytes = bytesOfBase64(text);
  return bytes && (bytes.length === 32 || bytes.length === 64) ? bytes.toString('hex') : undefined;
};

export const isPem = (text: string): boolean => text.startsWith('-----BEGIN');

const PEM = /^-----BEGIN ((?:RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----$/;

/**
 * A private key in PEM whose line ends may be real, written as the letters `\n` or `\r\n`, or lost → with real ones.
 * Undefined when it is none, is cut off, or is encrypted.
 */
export const pemOf = (text: string): string | undefined => {
  const [, label, body = ''] = PEM.exec(text.replace(/\\+[nr]/g, '\n').trim()) ?? [];
  const bytes = bytesOfBase64(body.replace(/\s/g, ''));
  if (!label || !bytes) return undefined;
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
};
