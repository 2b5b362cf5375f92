/** Finds how a CSV is written: what separates its cells, and which line names its columns. Pure. */
import { parseDer, parseKey } from './encodings.ts';
import { findName } from './names.ts';
import { readUuid } from './row-fields.ts';

export const delimiters = [',', ';', '\t', '|'] as const;
export type Delimiter = (typeof delimiters)[number];

export interface Header {
  readonly delimiter: Delimiter;
  /** Where the line begins, in the text. */
  readonly start: number;
  /** Its line, from 1. */
  readonly line: number;
  /** How many columns it names that Enlist knows. */
  readonly known: number;
}

/** A header stands within this much of the text, or nowhere. */
const HEAD_CHARACTERS = 100_000;
const HEAD_LINES = 20;

/** The cells of one line; a quoted cell of a header has no line end in it. */
export const cutCells = (line: string, delimiter: string): string[] => {
  const cells: string[] = [];
  let start = 0;
  let inQuotes = false;
  for (let i = 0; i <= line.length; i += 1) {
    const char = line[i];
    if (char === '"') inQuotes = !inQuotes;
    else if (char === undefined || (char === delimiter && !inQuotes)) {
      const cell = line.slice(start, i).trim();
      cells.push(/^".*"$/s.test(cell) ? cell.slice(1, -1).replaceAll('""', '"').trim() : cell);
      start = i + 1;
    }
  }
  return cells;
};

interface Line {
  readonly start: number;
  readonly line: number;
  readonly text: string;
}

/** The first lines that are not blank. */
const cutHead = (text: string): readonly Line[] => {
  const lines: Line[] = [];
  let start = 0;
  for (let line = 1; start < Math.min(text.length, HEAD_CHARACTERS) && lines.length < HEAD_LINES; line += 1) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const piece = text.slice(start, Math.min(end, start + HEAD_CHARACTERS));
    if (piece.trim() !== '') lines.push({ start, line, text: piece });
    start = end + 1;
  }
  return lines;
};

const countKnown = (line: string, delimiter: string): number =>
  cutCells(line, delimiter).filter((cell) => findName(cell) !== undefined).length;

/** Excel writes and reads such a line: `sep=;` */
const SEPARATOR = /^\s*"?sep=([,;|\t])"?[,;|\t ]*(\n|$)/i;

/** The line that names the most columns, the first of several; `known` is 0 where no line names any. */
export const findHeader = (text: string): Header => {
  const [whole = '', separator] = SEPARATOR.exec(text) ?? [];
  const linesBefore = whole.split('\n').length - 1;
  const allowed = separator === undefined ? delimiters : [separator as Delimiter];
  let best: Header | undefined;
  for (const { start, line, text: cells } of cutHead(text.slice(whole.length))) {
    const place = { start: whole.length + start, line: linesBefore + line };
    for (const delimiter of allowed) {
      const known = countKnown(cells, delimiter);
      const isFirst = best === undefined;
      if (isFirst || known > (best?.known ?? 0)) best = { ...place, delimiter, known };
    }
  }
  const first = best ?? { start: whole.length, line: linesBefore + 1, delimiter: ',' as const, known: 0 };
  return first.known > 0
    ? first
    : { ...first, delimiter: findMostFrequent(text.slice(first.start), allowed) };
};

const findMostFrequent = (text: string, allowed: readonly Delimiter[]): Delimiter => {
  const [line = ''] = text.slice(0, HEAD_CHARACTERS).split('\n', 1);
  const counts = allowed.map((delimiter) => cutCells(line, delimiter).length);
  return allowed[counts.indexOf(Math.max(...counts))] ?? ',';
};

/** What a cell without a column's name is, by its form alone. */
export type Shape = 'uuid' | 'rsa_key' | 'key' | 'token' | 'digits' | 'other';

export const tellShape = (cell: string): Shape => {
  if (readUuid(cell).ok) return 'uuid';
  if (/^\d{6}$/.test(cell)) return 'digits';
  if (parseKey(cell) !== undefined) return 'key';
  const key = parseDer(cell);
  if (key) return 'pem' in key ? 'rsa_key' : 'key';
  return /^[A-Za-z0-9+/_-]{100,}={0,2}$/.test(cell) ? 'token' : 'other';
};
