/** A ZIP of lists and keystores → the rows of all its files. Pure. */

import { limits } from '../model/limits.ts';
import type { RowError } from '../model/problem.ts';
import { findContentType, findFormat } from './formats.ts';
import { problem, type RawRow, type ReadList, tooManyRows } from './raw-list.ts';
import { decodeText, notUtf8, readText } from './text.ts';
import { type ArchiveEntry, damaged, openArchive } from './zip-archive.ts';

const MAX_NAME_CHARACTERS = 200;

/** A file's name as it may be shown: without control characters and what turns or hides text. */
const shown = (name: string): string =>
  [...name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')].slice(0, MAX_NAME_CHARACTERS).join('');

/** Folders, and what systems leave in them: `.DS_Store`, `__MACOSX/`. */
const isPassedOver = (name: string): boolean => {
  const parts = name.split(/[/\\]/);
  return parts.at(-1) === '' || parts.some((part) => part === '__MACOSX' || /^\.[^.]/.test(part));
};

const unknownFile = problem(
  'unknown_file',
  'The file is no list: its name ends in none of .json, .jsonl, .ndjson and .csv.',
  'Take it out of the archive, or name it by what it holds.',
);

const emptyFile = problem('empty_list', 'The file has no rows.', 'Take it out of the archive.');

/** What one file holds; a problem that is not the file's alone is one of the whole archive. */
const readFile = ({ name, unpack }: ArchiveEntry): ReadList => {
  const format = findFormat(findContentType(name));
  if (format === undefined || format === 'zip') return unknownFile;
  const bytes = unpack();
  if (!bytes) return damaged;
  const text = decodeText(bytes);
  const read = text === undefined ? notUtf8 : readText(text, format);
  return 'rows' in read && read.total === 0 ? emptyFile : read;
};

const isOfAll = (read: ReadList): boolean => read === damaged || read === tooManyRows;

/** A file that cannot be read is one wrong row. */
const asRows = (read: ReadList): Exclude<ReadList, { readonly problem: unknown }> => {
  if ('rows' in read) return read;
  return { rows: [], errors: [{ row: 1, line: 1, field: '(file)', ...read.problem }], total: 1 };
};

/** Reads every file of an archive, as if they were one list. */
export const readArchive = (body: Uint8Array): ReadList => {
  const archive = openArchive(body);
  if ('problem' in archive) return archive;
  const rows: RawRow[] = [];
  const errors: RowError[] = [];
  let total = 0;
  for (const entry of archive.entries) {
    if (isPassedOver(entry.name)) continue;
    const read = readFile(entry);
    if (isOfAll(read)) return read;
    const file = shown(entry.name);
    const found = asRows(read);
    for (const row of found.rows) rows.push({ ...row, row: total + row.row, file });
    for (const error of found.errors) errors.push({ ...error, row: total + error.row, file });
    total += found.total;
    if (total > limits.maxRows) return tooManyRows;
  }
  return { rows, errors, total };
};
