/**
 * A bot's keystore in the form the Mixin dashboard exports (2023-12 and later) and every Mixin SDK loads:
 * all keys lower-case hex, private keys as 32-byte seeds (RFC 8032).
 */
import { z } from 'zod';

/** Any UUID, of whatever version: Mixin makes some by hashing. */
const uuid = z.guid().lowercase();
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

export const keystoreSchema = z.object({
  /** The bot's user id, a lower-case UUID. */
  app_id: uuid,
  session_id: uuid,
  /** Mixin's Ed25519 point for this session; PIN encryption needs it. */
  server_public_key: hex32,
  session_private_key: hex32,
  /** Seed of the key that is registered with Safe. */
  spend_private_key: hex32.exactOptional(),
  /** Seed of the TIP PIN where it is not the spend key. */
  tip_private_key: hex32.exactOptional(),
});

export type Keystore = Readonly<z.infer<typeof keystoreSchema>>;

/** A hex seed as bytes. */
export const seedBytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
