/** A list → its rows as raw fields, each with its place: JSON, JSON Lines, CSV, or a ZIP of such files. Pure. */
import { readArchive } from './archive-list.ts';
import { isCreate, readCreate } from './create-list.ts';
import type { ListFormat, TextFormat } from './formats.ts';
import { isOneObject } from './json.ts';
import { problem, type ReadList } from './raw-list.ts';
import { decodeText, notUtf8, readText } from './text.ts';

const readTextList = (body: Uint8Array, format: TextFormat): ReadList => {
  const text = decodeText(body);
  if (text === undefined) return notUtf8;
  const read = readText(text, format);
  if (format !== 'json' || 'problem' in read || !isOneObject(text)) return read;
  const fields = read.rows[0]?.fields;
  return fields && isCreate(fields) ? readCreate(fields) : read;
};

/** Reads a whole list. `problem` when nothing of it can be read; row errors else, all of them. */
export const readList = (body: Uint8Array, format: ListFormat): ReadList => {
  const read = format === 'zip' ? readArchive(body) : readTextList(body, format);
  if ('rows' in read && read.total === 0) {
    return problem('empty_list', 'The list has no rows.', 'Send at least one keystore.');
  }
  return read;
};
