/**
 * A ZIP archive → the bytes of its files (PKWARE APPNOTE 6.3.10; numbers in comments are its sections). Believes
 * nothing that the archive says of itself: every size, place and checksum is checked, and no more memory is used
 * than `limits` allow. Only what every packer writes is read: stored and deflated files, no password, no ZIP64. Pure.
 */
import { limits } from '../model/limits.ts';
import type { Compression } from '../model/ports.ts';
import { type Failure, type Result, succeed } from '../model/result.ts';
import { rejectList } from './raw-list.ts';

export interface ArchiveEntry {
  /** As the archive has it, with its folders: to be shown, never to be opened. */
  readonly name: string;
  /** The file's bytes; undefined when their length or checksum is wrong. */
  readonly unpack: () => Promise<Uint8Array | undefined>;
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

/** 4.4.4: bits 0, 6 and 13 mean encryption. */
const ENCRYPTED = 0x2041;
/** 4.4.5 */
const STORED = 0;
const DEFLATED = 8;
/** 4.4.1.4: the real number is in a ZIP64 record. */
const IN_ZIP64 = 0xffffffff;

const refuse = (message: string, fix: string) => rejectList('bad_archive', message, fix);
const tooLarge = (message: string) =>
  rejectList('archive_too_large', message, 'Split the files into several archives.');

export const damaged = refuse(
  'The archive is not a ZIP, is cut off, or contradicts itself.',
  'Pack it again and send the whole file.',
);
const encrypted = refuse('The archive is encrypted.', 'Pack it again without a password.');
const otherCompression = refuse(
  'The archive has a file of another compression than Deflate.',
  'Pack it again with the usual compression (Deflate).',
);
const zip64 = refuse(
  'The archive is a ZIP64, or one of several parts.',
  'Pack at most 65,535 files, with a tool that writes plain ZIP.',
);
const tooManyFiles = tooLarge(`The archive has more than ${limits.maxArchiveFiles} files.`);
const tooManyBytes = tooLarge(`The files of the archive have more than ${limits.maxArchiveBytes} bytes.`);

/** What the central directory says of a file (4.3.12). */
interface DirectoryEntry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where its local header begins. */
  readonly start: number;
}

/** The same with the place of its data. */
interface ArchiveFile extends DirectoryEntry {
  readonly data: Uint8Array;
  readonly end: number;
}

const createView = (body: Uint8Array): DataView =>
  new DataView(body.buffer, body.byteOffset, body.byteLength);

/** Where the end record begins (4.3.16): its comment reaches just to the end of the archive. */
const findEnd = (view: DataView): number | undefined => {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at -= 1) {
    const isEnd = view.getUint32(at, true) === END_RECORD;
    if (isEnd && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return undefined;
};

const readEntry = (view: DataView, at: number, nameBytes: Uint8Array): DirectoryEntry => ({
  name: new TextDecoder().decode(nameBytes),
  flags: view.getUint16(at + 8, true),
  method: view.getUint16(at + 10, true),
  crc: view.getUint32(at + 16, true),
  packedBytes: view.getUint32(at + 20, true),
  bytes: view.getUint32(at + 24, true),
  start: view.getUint32(at + 42, true),
});

/** Why a file cannot be read; undefined when it can. */
const checkEntry = ({ flags, method, packedBytes, bytes, start }: DirectoryEntry): Failure | undefined => {
  if (packedBytes === IN_ZIP64 || bytes === IN_ZIP64 || start === IN_ZIP64) return zip64;
  if ((flags & ENCRYPTED) !== 0) return encrypted;
  if (method !== STORED && method !== DEFLATED) return otherCompression;
  return method === STORED && packedBytes !== bytes ? damaged : undefined;
};

/** The central directory, which must fill its place to the byte. */
const readDirectory = (
  body: Uint8Array,
  start: number,
  end: number,
  count: number,
): Result<readonly DirectoryEntry[]> => {
  const view = createView(body);
  const entries: DirectoryEntry[] = [];
  let total = 0;
  let at = start;
  while (at < end) {
    if (entries.length === count || at + CENTRAL_BYTES > end) return damaged;
    if (view.getUint32(at, true) !== CENTRAL_HEADER) return damaged;
    const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
    const next = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) return damaged;
    const file = readEntry(view, at, body.subarray(at + CENTRAL_BYTES, nameEnd));
    const failure = checkEntry(file);
    if (failure) return failure;
    total += file.bytes;
    if (total > limits.maxArchiveBytes) return tooManyBytes;
    entries.push(file);
    at = next;
  }
  return entries.length === count ? succeed(entries) : damaged;
};

/** Follows the directory to a file's data, by its local header (4.3.7). */
const findFile = (body: Uint8Array, directory: number, entry: DirectoryEntry): ArchiveFile | undefined => {
  const view = createView(body);
  const { start, method, packedBytes } = entry;
  if (start + LOCAL_BYTES > directory || view.getUint32(start, true) !== LOCAL_HEADER) return undefined;
  if ((view.getUint16(start + 6, true) & ENCRYPTED) !== 0) return undefined;
  if (view.getUint16(start + 8, true) !== method) return undefined;
  const data = start + LOCAL_BYTES + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
  const end = data + packedBytes;
  return end > directory ? undefined : { ...entry, data: body.subarray(data, end), end };
};

/** Do files share bytes? A small archive could then unpack to a huge one. */
const doOverlap = (files: readonly ArchiveFile[]): boolean => {
  const inPlace = [...files].sort((a, b) => a.start - b.start);
  return inPlace.some(({ start }, i) => start < (inPlace[i - 1]?.end ?? 0));
};

/** Unpacks no further than the directory says, and believes nothing that is shorter or of another checksum. */
const createEntry = (
  { name, method, data, bytes, crc }: ArchiveFile,
  compression: Compression,
): ArchiveEntry => ({
  name,
  unpack: async () => {
    const file = method === STORED ? data : await compression.inflate(data, bytes);
    return file?.length === bytes && compression.crc32(file) === crc ? file : undefined;
  },
});

const isZip64 = (view: DataView, end: number): boolean =>
  end >= ZIP64_LOCATOR_BYTES && view.getUint32(end - ZIP64_LOCATOR_BYTES, true) === ZIP64_LOCATOR;

/** The files and folders of an archive in the order of its directory. Nothing is unpacked yet. */
export const openArchive = (body: Uint8Array, compression: Compression): Result<readonly ArchiveEntry[]> => {
  const view = createView(body);
  const end = findEnd(view);
  if (end === undefined) return damaged;
  const parts = view.getUint32(end + 4, true);
  if (isZip64(view, end) || parts !== 0) return zip64;
  const count = view.getUint16(end + 10, true);
  if (count > limits.maxArchiveFiles) return tooManyFiles;
  const directory = view.getUint32(end + 16, true);
  if (directory + view.getUint32(end + 12, true) !== end) return damaged;
  const entries = readDirectory(body, directory, end, count);
  if (!entries.ok) return entries;
  const files = entries.value.map((entry) => findFile(body, directory, entry));
  if (!files.every((file) => file !== undefined) || doOverlap(files)) return damaged;
  return succeed(files.map((file) => createEntry(file, compression)));
};
