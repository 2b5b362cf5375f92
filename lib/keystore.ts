/**
 * A bot's keystore in the form the Mixin dashboard exports (2023-12 and later) and every Mixin SDK loads:
 * all keys lower-case hex, private keys as 32-byte seeds (RFC 8032).
 */
export interface Keystore {
  /** The bot's user id, a lower-case UUID. */
  readonly app_id: string;
  readonly session_id: string;
  /** Mixin's Ed25519 point for this session; PIN encryption needs it. */
  readonly server_public_key: string;
  readonly session_private_key: string;
  /** Seed of the key that is registered with Safe. */
  readonly spend_private_key?: string;
  /** Seed of the TIP PIN where it is not the spend key. */
  readonly tip_private_key?: string;
}
