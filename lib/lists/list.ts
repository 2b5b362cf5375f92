/** A list → its rows as raw fields, each with its place: JSON, JSON Lines, CSV, or a ZIP of such files. Pure. */
import type { Compression } from '../model/ports.ts';
import type { Result } from '../model/result.ts';
import { readArchive } from './archive-list.ts';
import { isCreate, readCreate } from './create-list.ts';
import type { ListFormat, TextFormat } from './formats.ts';
import { isOneObject } from './json.ts';
import { type RawList, rejectList } from './raw-list.ts';
import { decodeText, readText } from './text.ts';

const emptyList = rejectList('empty_list', 'The list has no rows.', 'Send at least one keystore.');

const readTextList = (body: Uint8Array, format: TextFormat): Result<RawList> => {
  const text = decodeText(body);
  if (!text.ok) return text;
  const list = readText(text.value, format);
  if (format !== 'json' || !list.ok || !isOneObject(text.value)) return list;
  const fields = list.value.rows[0]?.fields;
  return fields && isCreate(fields) ? readCreate(fields) : list;
};

/** Reads a whole list: its rows and all row errors, or the problem where nothing of it can be read. */
export const readList = async (
  body: Uint8Array,
  format: ListFormat,
  compression: Compression,
): Promise<Result<RawList>> => {
  const list = format === 'zip' ? await readArchive(body, compression) : readTextList(body, format);
  return list.ok && list.value.total === 0 ? emptyList : list;
};
