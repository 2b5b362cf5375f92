/** Random keys, and random bots with a keystore whose keys fit. */
import fc from 'fast-check';
import type { Keystore } from '../../lib/keystore.ts';
import { publicKeyOf } from '../../lib/mixin/keys.ts';
import { hex } from './vectors.ts';

export const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });

export interface Ids {
  readonly app_id: string;
  readonly session_id: string;
  readonly sessionSeed: Uint8Array;
  readonly serverSeed: Uint8Array;
}

export const bots: fc.Arbitrary<Ids> = fc.record({
  app_id: fc.uuid({ version: 4 }),
  session_id: fc.uuid({ version: 4 }),
  sessionSeed: seeds,
  serverSeed: seeds,
});

export const keystoreOf = async ({
  app_id,
  session_id,
  sessionSeed,
  serverSeed,
}: Ids): Promise<Keystore> => ({
  app_id,
  session_id,
  server_public_key: await publicKeyOf(serverSeed),
  session_private_key: hex(sessionSeed),
});
