/** The bytes of a list in one of the text formats → raw rows. Pure. */
import { type Result, succeed } from '../model/result.ts';
import { readCsv } from './csv.ts';
import type { TextFormat } from './formats.ts';
import { readJson, readJsonLines } from './json.ts';
import { type RawList, rejectList } from './raw-list.ts';

/** UTF-16 without a byte order mark can pass for UTF-8, but no list begins with a NUL. */
const isUtf16 = (body: Uint8Array): boolean => body[0] === 0 || body[1] === 0;

const notUtf8 = rejectList(
  'not_utf8',
  'The list is not UTF-8 text.',
  'Save it as UTF-8 and send it again. In Excel that is "CSV UTF-8", in PowerShell -Encoding utf8.',
);

/** The text without its byte order mark. */
export const decodeText = (body: Uint8Array): Result<string> => {
  if (isUtf16(body)) return notUtf8;
  try {
    return succeed(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return notUtf8;
  }
};

const readers: Readonly<Record<TextFormat, (text: string) => Result<RawList>>> = {
  json: readJson,
  jsonl: readJsonLines,
  csv: readCsv,
};

/** The rows of a text. */
export const readText = (text: string, format: TextFormat): Result<RawList> => readers[format](text);
