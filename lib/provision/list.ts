/** A list as text → its rows as raw fields, with the line each stands on. JSON array, JSON Lines or CSV. Pure. */
import { CsvError, parse as parseCsv } from 'csv-parse/sync';
import { uploads as limits } from '../topology.ts';
import type { Problem, RowError } from './records.ts';

export const listFormats = {
  'application/json': 'json',
  'application/x-ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/json-lines': 'jsonl',
  'text/csv': 'csv',
} as const;
export type ListFormat = (typeof listFormats)[keyof typeof listFormats];

/** The format a Content-Type names; undefined when it is none of ours. */
export const formatOf = (contentType: string | undefined): ListFormat | undefined => {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return Object.hasOwn(listFormats, type) ? listFormats[type as keyof typeof listFormats] : undefined;
};

const typesOfFiles: Readonly<Record<string, keyof typeof listFormats>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
};

/** The Content-Type a file's name speaks of; undefined when it is none of ours. */
export const typeOfFile = (name: string): keyof typeof listFormats | undefined => {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return Object.hasOwn(typesOfFiles, ending) ? typesOfFiles[ending] : undefined;
};

export interface RawRow {
  /** Which row of the list, from 1. */
  readonly row: number;
  /** Where it begins in the file, from 1. */
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

export type ReadList =
  | { readonly rows: readonly RawRow[]; readonly errors: readonly RowError[]; readonly total: number }
  | { readonly problem: Problem };

interface Piece {
  readonly line: number;
  readonly text: string;
}

const problem = (code: string, message: string, fix: string): ReadList => ({
  problem: { code, message, fix },
});

/**
 * Cuts a JSON array into the texts of its elements, so that one broken row does not spoil the others and
 * each knows its line. Undefined when the text is no array or its brackets do not close.
 */
const cutArray = (text: string): Piece[] | undefined => {
  const pieces: Piece[] = [];
  let line = 1;
  let depth = 0;
  let inString = false;
  let start = -1;
  let startLine = 0;
  const take = (end: number) => {
    if (start >= 0) pieces.push({ line: startLine, text: text.slice(start, end) });
    start = -1;
  };
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] as string;
    if (char === '\n') line += 1;
    if (inString) {
      if (char === '\\') {
        i += 1;
        if (text[i] === '\n') line += 1;
      } else if (char === '"') inString = false;
      continue;
    }
    if (/\s/.test(char)) continue;
    if (depth === 0) {
      if (char !== '[' || pieces.length > 0) return undefined;
      depth = 1;
      continue;
    }
    if (depth === 1 && char === ',') {
      if (start < 0) return undefined;
      take(i);
      continue;
    }
    if (depth === 1 && char === ']') {
      take(i);
      return text.slice(i + 1).trim() === '' ? pieces : undefined;
    }
    if (start < 0) {
      start = i;
      startLine = line;
    }
    if (char === '"') inString = true;
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
  }
  return undefined;
};

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Never quotes the row: it may hold keys. */
const notAnObject = (row: number, line: number): RowError => ({
  row,
  line,
  field: '(row)',
  code: 'not_an_object',
  message: 'The row is not a JSON object.',
  fix: 'Write one keystore as {"app_id": …, "session_id": …, …}.',
});

const readJsonPieces = (pieces: readonly Piece[]): ReadList => {
  if (pieces.length > limits.maxRows) return tooManyRows;
  const rows: RawRow[] = [];
  const errors: RowError[] = [];
  for (const [index, { line, text }] of pieces.entries()) {
    const row = index + 1;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    if (isFields(value)) rows.push({ row, line, fields: value });
    else errors.push(notAnObject(row, line));
  }
  return { rows, errors, total: pieces.length };
};

const readJson = (text: string): ReadList => {
  const pieces = cutArray(text);
  if (!pieces) {
    return problem(
      'not_a_json_array',
      'The list is not a JSON array, or it breaks off.',
      'Send [ {…}, {…} ], or JSON Lines as application/x-ndjson.',
    );
  }
  return readJsonPieces(pieces);
};

const readJsonLines = (text: string): ReadList =>
  readJsonPieces(
    text.split('\n').flatMap((raw, index) => (raw.trim() === '' ? [] : [{ line: index + 1, text: raw }])),
  );

/** Columns must be named once each, else one silently wins. */
const readHeader = (header: readonly string[]): string[] => {
  const names = header.map((name) => name.trim().toLowerCase());
  const twice = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (twice !== undefined) throw new RangeError('a column is named twice');
  return names;
};

const readCsv = (text: string): ReadList => {
  try {
    const records = parseCsv(text, {
      bom: true,
      columns: readHeader,
      info: true,
      raw: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as { record: Record<string, string>; raw: string; info: { lines: number } }[];
    const rows = records.map(({ record, raw, info }, index) => ({
      row: index + 1,
      // csv-parse tells the line a record ends on.
      line: info.lines - (raw.trim().split('\n').length - 1),
      fields: Object.fromEntries(Object.entries(record).filter(([, value]) => value !== '')),
    }));
    return { rows, errors: [], total: rows.length };
  } catch (error) {
    if (!(error instanceof CsvError) && !(error instanceof RangeError)) throw error;
    const line =
      error instanceof CsvError && typeof error.lines === 'number' ? ` near line ${error.lines}` : '';
    return problem(
      'not_csv',
      `The list cannot be read as CSV${line}.`,
      'Start with a header line that names each column once, and quote fields that hold commas or quotes.',
    );
  }
};

const readers: Readonly<Record<ListFormat, (text: string) => ReadList>> = {
  json: readJson,
  jsonl: readJsonLines,
  csv: readCsv,
};

const tooManyRows = problem(
  'too_many_rows',
  `The list has more than ${limits.maxRows} rows.`,
  'Cut it into several lists.',
);

/** Reads a whole list. `problem` when nothing of it can be read; row errors else, all of them. */
export const readList = (body: Uint8Array, format: ListFormat): ReadList => {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return problem('not_utf8', 'The list is not UTF-8 text.', 'Save it as UTF-8 and send it again.');
  }
  const read = readers[format](text);
  if ('rows' in read && read.total > limits.maxRows) return tooManyRows;
  if ('rows' in read && read.total === 0) {
    return problem('empty_list', 'The list has no rows.', 'Send at least one keystore.');
  }
  return read;
};
