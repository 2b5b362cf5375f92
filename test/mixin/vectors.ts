/** The frozen facts of the protocol (test/vectors/protocol.json) and the bot they are about. */
import type { Ed25519Keystore } from '../../lib/model/keystore.ts';
import vectors from '../vectors/protocol.json' with { type: 'json' };

export { vectors };

export const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
export const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

const { inputs } = vectors;

export const keystore: Ed25519Keystore = {
  app_id: inputs.user_id,
  session_id: inputs.session_id,
  server_public_key: inputs.server_public_key,
  session_private_key: inputs.session_seed,
};

export const nowMs = inputs.now_unix * 1000;
export const iterator = 1_700_000_000_000_000_000n;
export const iv = bytes(vectors.v5.iv);
