/**
 * A bot's keystore in the form the Mixin dashboard exports (2023-12 and later) and every Mixin SDK loads:
 * all keys lower-case hex, private keys as 32-byte seeds (RFC 8032). Older accounts have an RSA session instead.
 */
import * as z from 'zod';
import { uuidSchema } from './uuid.ts';

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * An Ed25519 private key as text: 64 hex characters of its seed, or `scalar:` and 64 hex characters of the
 * reduced scalar, where only that is known (fox-one's tools store keys in that form).
 */
export type PrivateKey = string;
export const SCALAR_PREFIX = 'scalar:';
const privateKeySchema = z.string().regex(/^(scalar:)?[0-9a-f]{64}$/);

/**
 * The private keys that 64 hex characters can be: the seed and, where they can be one, the scalar. Only the public key
 * that Mixin shows decides: fox-one's tools store scalars, all others store seeds.
 */
export const listKeyForms = (
  hex: string,
  { isScalar }: { readonly isScalar: (hex: string) => boolean },
): readonly PrivateKey[] => (isScalar(hex) ? [hex, `${SCALAR_PREFIX}${hex}`] : [hex]);

const pem = z.string().startsWith('-----BEGIN ').max(10_000);

/** Private half of a session: 64 hex characters of an Ed25519 seed, or an RSA key as PEM. */
export type SessionKey = string;
export const sessionKeySchema = z.union([hex32, pem]);
export const isRsaKey = (key: SessionKey): boolean => key.startsWith('-----BEGIN ');

const common = {
  /** The bot's user id, a lower-case UUID. */
  app_id: uuidSchema,
  session_id: uuidSchema,
  /** When the list with this session was uploaded (docs/decisions/0020). SDKs pass over it. */
  listed_at: z.iso.datetime().exactOptional(),
  /** The key that is registered with Safe. */
  spend_private_key: privateKeySchema.exactOptional(),
  /** A listed spend key that may be a seed or a scalar: only Mixin's public key shows which. Never with the one above. */
  spend_key: hex32.exactOptional(),
  /** The TIP PIN where it is not the spend key: a seed or a scalar, as Mixin's public key shows. */
  tip_private_key: hex32.exactOptional(),
  /** The six-digit PIN of an account that has no TIP PIN yet. */
  pin: z
    .string()
    .regex(/^\d{6}$/)
    .exactOptional(),
};

const ed25519Keystore = z.object({
  ...common,
  /** Mixin's Ed25519 point for this session; PIN encryption needs it. */
  server_public_key: hex32,
  session_private_key: hex32,
});

const rsaKeystore = z.object({
  ...common,
  /** Standard base64 of the key that PINs are encrypted with, itself encrypted to the session. */
  pin_token: z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/),
  /** PKCS#1 or PKCS#8 PEM. */
  private_key: pem,
});

export const keystoreSchema = z.union([ed25519Keystore, rsaKeystore]);

export type Ed25519Keystore = Readonly<z.infer<typeof ed25519Keystore>>;
export type RsaKeystore = Readonly<z.infer<typeof rsaKeystore>>;
export type Keystore = Ed25519Keystore | RsaKeystore;

export const isRsaKeystore = (keystore: Keystore): keystore is RsaKeystore => 'private_key' in keystore;

/**
 * An Ed25519 point without its sign bit. PIN encryption takes only the point's image on Curve25519, which is the
 * same for both signs, and older keystores have only that image.
 */
export const withoutSign = (publicKey: string): string => {
  const lastByte = Number.parseInt(publicKey.slice(62), 16) & 127;
  return publicKey.slice(0, 62).toLowerCase() + lastByte.toString(16).padStart(2, '0');
};
