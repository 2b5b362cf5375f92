/** Random numbers that follow from one: the same history throws the same. */
import { createHash } from 'node:crypto';

export interface Dice {
  bytes(length: number): Uint8Array;
  /** So many random bytes in hex. */
  hex(length: number): string;
  digits(length: number): string;
  uuid(): string;
}

export const dice = (chance: number): Dice => {
  let thrown = 0;
  const block = (): Buffer => {
    thrown += 1;
    return createHash('sha512').update(`${chance}/${thrown}`).digest();
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
