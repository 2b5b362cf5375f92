/**
 * A ZIP archive → the bytes of its files (PKWARE APPNOTE 6.3.10; numbers in comments are its sections). Believes
 * nothing that the archive says of itself: every size, place and checksum is checked, and no more memory is taken
 * than `limits` allow. Only what every packer writes is read: stored and deflated files, no password, no ZIP64. Pure.
 */
import { Inflate, inflateSync } from 'fflate';
import { limits } from '../model/limits.ts';
import { problem, type Refused } from './raw-list.ts';

export interface ArchiveEntry {
  /** As the archive has it, folders and all: to be shown, never to be opened. */
  readonly name: string;
  /** The file's bytes; undefined when they are not what the archive says they are. */
  readonly unpack: () => Uint8Array | undefined;
}

/** 4.3.7, 4.3.12, 4.3.15 and 4.3.16. */
const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const ZIP64_LOCATOR = 0x07064b50;
const END_RECORD = 0x06054b50;

const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const ZIP64_LOCATOR_BYTES = 20;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;

/** 4.4.4: bits 0, 6 and 13 speak of encryption. */
const ENCRYPTED = 0x2041;
/** 4.4.5 */
const STORED = 0;
const DEFLATED = 8;
/** 4.4.1.4: the real number stands in a ZIP64 record. */
const IN_ZIP64 = 0xffffffff;

/** Deflate makes at most 1032 bytes of one: from this much a lie costs little time and memory. */
const SMALL_BYTES = 8_192;

const bad = (message: string, fix: string) => problem('bad_archive', message, fix);
const tooLarge = (message: string) =>
  problem('archive_too_large', message, 'Share the files out among several archives.');

export const damaged = bad(
  'The archive is no ZIP, is cut off, or says wrong things of itself.',
  'Pack it again, and send it whole.',
);
const encrypted = bad('The archive is encrypted.', 'Pack it again without a password.');
const otherCompression = bad(
  'The archive has a file that is neither stored nor deflated.',
  'Pack it again with the usual compression (Deflate).',
);
const zip64 = bad(
  'The archive is a ZIP64, or one of several parts.',
  'Pack at most 65,535 files, with a tool that writes plain ZIP where that is enough.',
);
const tooManyFiles = tooLarge(`The archive has more than ${limits.maxArchiveFiles} files.`);
const tooManyBytes = tooLarge(`The files of the archive have more than ${limits.maxArchiveBytes} bytes.`);

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 (4.4.7). */
const crcOf = (bytes: Uint8Array): number => {
  let crc = ~0;
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
};

/** Inflates slice by slice and stops at the first byte too many. */
const inflateLarge = (data: Uint8Array, size: number): Uint8Array | undefined => {
  const out = new Uint8Array(size);
  let length = 0;
  const inflate = new Inflate((part) => {
    if (length + part.length > size) throw new RangeError('longer than it said');
    out.set(part, length);
    length += part.length;
  });
  for (let at = 0; at < data.length; at += SMALL_BYTES) {
    const end = at + SMALL_BYTES;
    inflate.push(data.subarray(at, end), end >= data.length);
  }
  return length === size ? out : undefined;
};

/** fflate cuts off what does not fit: one byte more shows it. */
const inflateSmall = (data: Uint8Array, size: number): Uint8Array | undefined => {
  const out = inflateSync(data, { out: new Uint8Array(size + 1) });
  return out.length === size ? out : undefined;
};

const inflate = (data: Uint8Array, size: number): Uint8Array | undefined => {
  try {
    return (data.length > SMALL_BYTES ? inflateLarge : inflateSmall)(data, size);
  } catch {
    return undefined;
  }
};

/** What the central directory says of a file (4.3.12). */
interface Listed {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where its local header begins. */
  readonly start: number;
}

/** … and where its data really are. */
interface Found extends Listed {
  readonly data: Uint8Array;
  readonly end: number;
}

const viewOf = (body: Uint8Array): DataView => new DataView(body.buffer, body.byteOffset, body.byteLength);

/** Where the end record begins (4.3.16): its comment reaches just to the end of the archive. */
const findEnd = (view: DataView): number | undefined => {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at -= 1) {
    const isEnd = view.getUint32(at, true) === END_RECORD;
    if (isEnd && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return undefined;
};

const readListed = (view: DataView, at: number, nameBytes: Uint8Array): Listed => ({
  name: new TextDecoder().decode(nameBytes),
  flags: view.getUint16(at + 8, true),
  method: view.getUint16(at + 10, true),
  crc: view.getUint32(at + 16, true),
  packedBytes: view.getUint32(at + 20, true),
  bytes: view.getUint32(at + 24, true),
  start: view.getUint32(at + 42, true),
});

/** What an honest archive of the kind we read never says of a file. */
const refuseListed = ({ flags, method, packedBytes, bytes, start }: Listed): Refused | undefined => {
  if (packedBytes === IN_ZIP64 || bytes === IN_ZIP64 || start === IN_ZIP64) return zip64;
  if ((flags & ENCRYPTED) !== 0) return encrypted;
  if (method !== STORED && method !== DEFLATED) return otherCompression;
  return method === STORED && packedBytes !== bytes ? damaged : undefined;
};

/** The central directory, which must fill its place to the byte. */
const readDirectory = (body: Uint8Array, start: number, end: number, count: number): Listed[] | Refused => {
  const view = viewOf(body);
  const listed: Listed[] = [];
  let total = 0;
  let at = start;
  while (at < end) {
    if (listed.length === count || at + CENTRAL_BYTES > end) return damaged;
    if (view.getUint32(at, true) !== CENTRAL_HEADER) return damaged;
    const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
    const next = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) return damaged;
    const file = readListed(view, at, body.subarray(at + CENTRAL_BYTES, nameEnd));
    const refused = refuseListed(file);
    if (refused) return refused;
    total += file.bytes;
    if (total > limits.maxArchiveBytes) return tooManyBytes;
    listed.push(file);
    at = next;
  }
  return listed.length === count ? listed : damaged;
};

/** Follows the directory to a file's data, by its local header (4.3.7). */
const find = (body: Uint8Array, directory: number, listed: Listed): Found | undefined => {
  const view = viewOf(body);
  const { start, method, packedBytes } = listed;
  if (start + LOCAL_BYTES > directory || view.getUint32(start, true) !== LOCAL_HEADER) return undefined;
  if ((view.getUint16(start + 6, true) & ENCRYPTED) !== 0) return undefined;
  if (view.getUint16(start + 8, true) !== method) return undefined;
  const data = start + LOCAL_BYTES + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
  const end = data + packedBytes;
  return end > directory ? undefined : { ...listed, data: body.subarray(data, end), end };
};

/** Files that share bytes are how a small archive becomes an endless one. */
const doOverlap = (files: readonly Found[]): boolean => {
  const inPlace = [...files].sort((a, b) => a.start - b.start);
  return inPlace.some(({ start }, i) => start < (inPlace[i - 1]?.end ?? 0));
};

const entryOf = ({ name, method, data, bytes, crc }: Found): ArchiveEntry => ({
  name,
  unpack: () => {
    const file = method === STORED ? data : inflate(data, bytes);
    return file && crcOf(file) === crc ? file : undefined;
  },
});

const isZip64 = (view: DataView, end: number): boolean =>
  end >= ZIP64_LOCATOR_BYTES && view.getUint32(end - ZIP64_LOCATOR_BYTES, true) === ZIP64_LOCATOR;

/** The files and folders of an archive in the order of its directory. Nothing is unpacked yet. */
export const openArchive = (body: Uint8Array): { readonly entries: readonly ArchiveEntry[] } | Refused => {
  const view = viewOf(body);
  const end = findEnd(view);
  if (end === undefined) return damaged;
  const parts = view.getUint32(end + 4, true);
  if (isZip64(view, end) || parts !== 0) return zip64;
  const count = view.getUint16(end + 10, true);
  if (count > limits.maxArchiveFiles) return tooManyFiles;
  const directory = view.getUint32(end + 16, true);
  if (directory + view.getUint32(end + 12, true) !== end) return damaged;
  const listed = readDirectory(body, directory, end, count);
  if ('problem' in listed) return listed;
  const files = listed.map((file) => find(body, directory, file));
  if (!files.every((file) => file !== undefined) || doOverlap(files)) return damaged;
  return { entries: files.map(entryOf) };
};
