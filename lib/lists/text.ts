/** The bytes of a list in one of the text formats → raw rows. Pure. */
import { readCsv } from './csv.ts';
import type { TextFormat } from './formats.ts';
import { readJson, readJsonLines } from './json.ts';
import { problem, type ReadList } from './raw-list.ts';

/** UTF-16 without a byte order mark can pass for UTF-8, but no list begins with a NUL. */
const isUtf16 = (body: Uint8Array): boolean => body[0] === 0 || body[1] === 0;

/** The text without its byte order mark; undefined when the bytes are not UTF-8. */
export const decodeText = (body: Uint8Array): string | undefined => {
  if (isUtf16(body)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
};

export const notUtf8 = problem(
  'not_utf8',
  'The list is not UTF-8 text.',
  'Save it as UTF-8 and send it again; Excel calls that "CSV UTF-8", and PowerShell takes -Encoding utf8.',
);

const readers: Readonly<Record<TextFormat, (text: string) => ReadList>> = {
  json: readJson,
  jsonl: readJsonLines,
  csv: readCsv,
};

/** The rows of a text. */
export const readText = (text: string, format: TextFormat): ReadList => readers[format](text);
