/** A list → its rows as raw fields, each with its place: JSON, JSON Lines, CSV, or a ZIP of such files. Pure. */
import type { Compression } from '../model/ports.ts';
import type { Result } from '../model/result.ts';
import { readArchive } from './archive-list.ts';
import { isCreate, readCreate } from './create-list.ts';
import type { ListFormat, TextFormat } from './formats.ts';
import { findName, pickShowable } from './names.ts';
import { type RawList, rejectList, type Understood } from './raw-list.ts';
import { unwrapRow } from './row.ts';
import { readValue } from './row-fields.ts';
import { decodeText, readText } from './text.ts';

const emptyList = rejectList('empty_list', 'The list has no rows.', 'Send at least one keystore.');

/** Does the text start as one object, and not as an array? */
const isOneObject = (text: string): boolean => /^\s*\{/.test(text);

const readTextList = (body: Uint8Array, format: TextFormat): Result<RawList> => {
  const text = decodeText(body);
  if (!text.ok) return text;
  const list = readText(text.value, format);
  if (format !== 'json' || !list.ok || list.value.total !== 1 || !isOneObject(text.value)) return list;
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

/** How many different unknown names are looked at: what is shown is far less. */
const MAX_UNKNOWN = 200;

/** What was found in a list: its formats, and the names that its rows have. */
export const describeList = ({ rows, formats }: RawList): Understood => {
  const known = new Set<string>();
  const unknown = new Set<string>();
  for (const row of rows) {
    const fields = unwrapRow(row.fields);
    for (const name of Object.keys(fields)) {
      const found = findName(name);
      if (found === undefined) {
        if (unknown.size < MAX_UNKNOWN) unknown.add(name);
      } else if (readValue(fields, name) !== undefined) known.add(found);
    }
  }
  return { formats, known: [...known], unknown: pickShowable(unknown) };
};
