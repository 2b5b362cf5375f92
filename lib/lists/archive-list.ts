/** A ZIP of lists and keystores → the rows of all its files. Pure. */
import { limits } from '../model/limits.ts';
import type { Compression } from '../model/ports.ts';
import type { RowError } from '../model/problem.ts';
import { type Result, succeed } from '../model/result.ts';
import { findTextFormat, isPassedOver, textEndings } from './formats.ts';
import { type RawList, type RawRow, rejectList, tooManyRows } from './raw-list.ts';
import { decodeText, readText } from './text.ts';
import { type ArchiveEntry, damaged, openArchive } from './zip-archive.ts';

const MAX_NAME_CHARACTERS = 200;

/** A file's name that is safe to show: without control characters and those that hide text or change its direction. */
const cleanName = (name: string): string =>
  [...name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')].slice(0, MAX_NAME_CHARACTERS).join('');

const unknownFile = rejectList(
  'unknown_file',
  `Not a list: expected ${textEndings}.`,
  'Remove the file from the archive, or rename it to match its content.',
);

const emptyFile = rejectList('empty_list', 'The file has no rows.', 'Remove it from the archive.');

/** What one file holds; a problem that is not the file's alone is one of the whole archive. */
const readFile = async ({ name, unpack }: ArchiveEntry): Promise<Result<RawList>> => {
  const format = findTextFormat(name);
  if (format === undefined) return unknownFile;
  const bytes = await unpack();
  if (!bytes) return damaged;
  const text = decodeText(bytes);
  if (!text.ok) return text;
  const list = readText(text.value, format);
  return list.ok && list.value.total === 0 ? emptyFile : list;
};

const isAboutArchive = (list: Result<RawList>): boolean => list === damaged || list === tooManyRows;

/** A file that cannot be read is one invalid row. */
const toRows = (list: Result<RawList>): RawList =>
  list.ok
    ? list.value
    : { rows: [], errors: [{ row: 1, line: 1, field: '(file)', ...list.error }], total: 1, formats: [] };

/** Reads every file of an archive, as if they were one list. */
export const readArchive = async (body: Uint8Array, compression: Compression): Promise<Result<RawList>> => {
  const archive = openArchive(body, compression);
  if (!archive.ok) return archive;
  const rows: RawRow[] = [];
  const errors: RowError[] = [];
  const formats = new Set<string>();
  let total = 0;
  for (const entry of archive.value) {
    if (isPassedOver(entry.name)) continue;
    const list = await readFile(entry);
    if (isAboutArchive(list)) return list;
    const file = cleanName(entry.name);
    const part = toRows(list);
    for (const row of part.rows) rows.push({ ...row, row: total + row.row, file });
    for (const error of part.errors) errors.push({ ...error, row: total + error.row, file });
    for (const format of part.formats) formats.add(format);
    total += part.total;
    if (total > limits.maxRows) return tooManyRows;
  }
  return succeed({ rows, errors, total, formats: [...formats] });
};
