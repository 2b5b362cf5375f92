/** Packs a folder of lists into a ZIP archive, in memory: the same files give the same bytes. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ZippableFile, zipSync } from 'fflate';
import { findTextFormat, textEndings } from '../lib/lists/formats.ts';
import { limits } from '../lib/model/limits.ts';
import { UsageError } from './failure.ts';
import { readable, readBytes } from './files.ts';
import { bytes, printable } from './output.ts';

/** What an archive without ZIP64 can hold. */
const MAX_FILES = Math.min(limits.maxArchiveFiles, 65_535);
const NAMES_TOLD = 3;
/** The first day a ZIP knows. It has no time zone, so this is the same bytes everywhere. */
const noTime = () => new Date(1980, 0, 1);

interface Found {
  /** Relative names with slashes. */
  readonly lists: string[];
  readonly others: string[];
}

/** Walks into folders; hidden files are passed over, and symbolic links are not followed. */
const find = async (folder: string, prefix: string, found: Found): Promise<void> => {
  const at = join(folder, prefix);
  for (const entry of await readable(at, () => readdir(at, { withFileTypes: true }))) {
    if (entry.name.startsWith('.')) continue;
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) await find(folder, `${name}/`, found);
    else if (entry.isFile() && findTextFormat(name)) found.lists.push(name);
    else found.others.push(name);
  }
};

/** By code units: no locale may change the order. */
const inOrder = (names: readonly string[]) => [...names].sort((a, b) => (a < b ? -1 : 1));

const noteOf = (folder: string, others: readonly string[]): string | undefined => {
  if (others.length === 0) return undefined;
  const more = others.length - NAMES_TOLD;
  const named = inOrder(others).slice(0, NAMES_TOLD).map(printable).join(', ');
  return `Left out of ${folder}, no lists or not followed: ${named}${more > 0 ? ` and ${more} more` : ''}`;
};

const readAll = async (folder: string, names: readonly string[]): Promise<Record<string, ZippableFile>> => {
  const files: [string, ZippableFile][] = [];
  let size = 0;
  for (const name of names) {
    const content = await readBytes(join(folder, name));
    size += content.length;
    if (size > limits.maxArchiveBytes) {
      throw new UsageError(
        `The lists of ${folder} have more than ${bytes(limits.maxArchiveBytes)} bytes. Share them out among several folders.`,
      );
    }
    files.push([name, [content, { mtime: noTime() }]]);
  }
  return Object.fromEntries(files);
};

export interface Packed {
  readonly body: Uint8Array;
  /** What was left out, for the person who uploads. */
  readonly note?: string;
}

/** The lists of a folder and of the folders in it, as a ZIP. Throws UsageError when there are none or too many. */
export const packFolder = async (folder: string): Promise<Packed> => {
  const found: Found = { lists: [], others: [] };
  await find(folder, '', found);
  const { lists, others } = found;
  if (lists.length === 0) {
    throw new UsageError(`${folder} holds no list: no file in it ends in ${textEndings}.`);
  }
  if (lists.length > MAX_FILES) {
    throw new UsageError(
      `${folder} holds ${bytes(lists.length)} lists and an archive may hold ${bytes(MAX_FILES)}. Share them out among several folders.`,
    );
  }
  const note = noteOf(folder, others);
  const body = zipSync(await readAll(folder, inOrder(lists)));
  return { body, ...(note !== undefined && { note }) };
};
