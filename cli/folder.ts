/** Packs a folder of lists into a ZIP archive, in memory: the same files give the same bytes. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ZippableFile, zipSync } from 'fflate';
import { findTextFormat, isPassedOver, textEndings } from '../lib/lists/formats.ts';
import { limits } from '../lib/model/limits.ts';
import { UsageError } from './errors.ts';
import { explainFileErrors, readBytes } from './files.ts';
import { escapeControls, formatNumber } from './output.ts';

/** What an archive without ZIP64 can hold. */
const MAX_FILES = Math.min(limits.maxArchiveFiles, 65_535);
const MAX_NAMES_SHOWN = 3;
/** The first day a ZIP knows. It has no time zone, so this is the same bytes everywhere. */
const getFixedTime = () => new Date(1980, 0, 1);

interface FolderContents {
  /** Relative names with slashes. */
  readonly lists: string[];
  readonly others: string[];
}

/** Adds what is in a folder and its folders. What archives pass over is skipped, and symbolic links are not followed. */
const collect = async (folder: string, prefix: string, contents: FolderContents): Promise<void> => {
  const path = join(folder, prefix);
  for (const entry of await explainFileErrors(path, () => readdir(path, { withFileTypes: true }))) {
    if (isPassedOver(entry.name)) continue;
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) await collect(folder, `${name}/`, contents);
    else if (entry.isFile() && findTextFormat(name)) contents.lists.push(name);
    else contents.others.push(name);
  }
};

/** By code units, so that the order is the same everywhere. */
const sortNames = (names: readonly string[]) => [...names].sort((a, b) => (a < b ? -1 : 1));

const describeSkipped = (folder: string, others: readonly string[]): string | undefined => {
  if (others.length === 0) return undefined;
  const more = others.length - MAX_NAMES_SHOWN;
  const names = sortNames(others).slice(0, MAX_NAMES_SHOWN).map(escapeControls).join(', ');
  return `Skipped in ${folder}, because they are links or not lists: ${names}${more > 0 ? ` and ${more} more` : ''}`;
};

const readAll = async (folder: string, names: readonly string[]): Promise<Record<string, ZippableFile>> => {
  const files: [string, ZippableFile][] = [];
  let size = 0;
  for (const name of names) {
    const content = await readBytes(join(folder, name));
    size += content.length;
    if (size > limits.maxArchiveBytes) {
      throw new UsageError(
        `The lists in ${folder} have more than ${formatNumber(limits.maxArchiveBytes)} bytes. Split them into several folders.`,
      );
    }
    files.push([name, [content, { mtime: getFixedTime() }]]);
  }
  return Object.fromEntries(files);
};

export interface FolderArchive {
  readonly body: Uint8Array;
  /** Says what was skipped. */
  readonly note?: string;
}

/** The lists of a folder and of the folders in it, as a ZIP. Throws UsageError when there are none or too many. */
export const packFolder = async (folder: string): Promise<FolderArchive> => {
  const contents: FolderContents = { lists: [], others: [] };
  await collect(folder, '', contents);
  const { lists, others } = contents;
  if (lists.length === 0) {
    throw new UsageError(`${folder} has no list in it: no file ends in ${textEndings}.`);
  }
  if (lists.length > MAX_FILES) {
    throw new UsageError(
      `${folder} has ${formatNumber(lists.length)} lists in it, and an archive can have ${formatNumber(MAX_FILES)}. Split them into several folders.`,
    );
  }
  const note = describeSkipped(folder, others);
  const body = zipSync(await readAll(folder, sortNames(lists)));
  return { body, ...(note !== undefined && { note }) };
};
