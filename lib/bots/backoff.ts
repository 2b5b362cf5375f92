/** How long to stay away. Pure: chance comes in as a number. */
import { timing } from '../model/timing.ts';

/**
 * Seconds before try number `attempts + 1`: doubles from the base up to the maximum, and is drawn evenly
 * from its upper half, so that bots that met trouble together do not come back together.
 * @param chance 0 ≤ chance < 1
 */
export const retryDelaySeconds = (attempts: number, chance: number): number => {
  const full = Math.min(timing.retryMaxSeconds, timing.retryBaseSeconds * 2 ** Math.min(attempts, 30));
  return Math.ceil(full * (0.5 + chance / 2));
};

/** A number from 0 up to 1 out of four random bytes. */
export const chanceFrom = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;

/** ISO time so many seconds after `nowMs`. */
export const after = (nowMs: number, seconds: number): string =>
  new Date(nowMs + seconds * 1_000).toISOString();
