/** Random keys, and random bots, each with a keystore of matching keys. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { derivePublicKey } from '../../lib/mixin/keys.ts';
import type { Ed25519Keystore } from '../../lib/model/keystore.ts';
import { bytes, hex } from './vectors.ts';

/** Order of the group (RFC 8032, section 5.1). */
export const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const fromLittleEndian = (data: Uint8Array): bigint => BigInt(`0x${hex(Uint8Array.from(data).reverse())}`);

/** 64 hex characters of a number, little-endian. */
export const littleEndian = (value: bigint): string =>
  hex(bytes(value.toString(16).padStart(64, '0')).reverse());

/** The scalar of a seed, reduced (RFC 8032, section 5.1.5; key.go of MixinNetwork/mixin). */
export const scalarOfSeed = (seed: Uint8Array): bigint => {
  const half = createHash('sha512').update(seed).digest().subarray(0, 32);
  half[0] = (half[0] ?? 0) & 248;
  half[31] = ((half[31] ?? 0) & 63) | 64;
  return fromLittleEndian(half) % ORDER;
};

export const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** Scalars as fox-one's tools store them: that of a seed, or any other. */
export const scalars = fc.oneof(
  seeds.map((seed) => scalarOfSeed(seed)),
  fc.bigInt({ min: 1n, max: ORDER - 1n }),
);

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

export const createKeystore = async ({
  app_id,
  session_id,
  sessionSeed,
  serverSeed,
}: Ids): Promise<Ed25519Keystore> => ({
  app_id,
  session_id,
  server_public_key: await derivePublicKey(hex(serverSeed)),
  session_private_key: hex(sessionSeed),
});
