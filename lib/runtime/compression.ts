/** Compression by Node's zlib. */
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import type { Compression } from '../model/ports.ts';

const inflateAsync = promisify(inflateRaw);

export const compression: Compression = {
  inflate: async (data, maxBytes) => {
    try {
      // zlib takes no limit below 1.
      const bytes = await inflateAsync(data, { maxOutputLength: Math.max(1, maxBytes) });
      return bytes.length > maxBytes ? undefined : bytes;
    } catch {
      return undefined;
    }
  },
  crc32,
};
