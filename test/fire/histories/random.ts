/** A seeded random source: the same seed gives the same values. */
import { createHash } from 'node:crypto';

export interface RandomSource {
  bytes(length: number): Uint8Array;
  /** So many random bytes in hex. */
  hex(length: number): string;
  digits(length: number): string;
  uuid(): string;
}

export const createRandomSource = (seed: number): RandomSource => {
  let blocks = 0;
  const block = (): Buffer => {
    blocks += 1;
    return createHash('sha512').update(`${seed}/${blocks}`).digest();
  };
  const bytes = (length: number): Buffer => {
    const blocks: Buffer[] = [];
    for (let size = 0; size < length; size += 64) blocks.push(block());
    return Buffer.concat(blocks).subarray(0, length);
  };
  return {
    bytes,
    hex: (length) => bytes(length).toString('hex'),
    digits: (length) => [...bytes(length)].map((byte) => byte % 10).join(''),
    uuid: () => {
      const hex = bytes(16).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
  };
};
