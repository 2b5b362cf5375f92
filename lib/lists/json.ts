/** JSON and JSON Lines → raw rows, each with its line. One broken row does not spoil the others. Pure. */

import { limits } from '../model/limits.ts';
import type { RowError } from '../model/problem.ts';
import { type Result, succeed } from '../model/result.ts';
import { type RawList, type RawRow, rejectList, tooManyRows } from './raw-list.ts';
import { type Fields, isFields } from './row-fields.ts';

/** A keystore needs one level, and no object or array within. */
const MAX_DEPTH = 32;
/** Objects and arrays of one row: millions of empty ones would take memory far beyond their size. */
const MAX_PARTS = 50;

interface Piece {
  readonly line: number;
  readonly text: string;
}

const isSpace = (char: string): boolean => char === ' ' || char === '\n' || char === '\r' || char === '\t';

/** Does the text start as one object, and not as an array? */
export const isOneObject = (text: string): boolean => /^\s*\{/.test(text);

/**
 * Cuts a JSON array into the texts of its elements, one more than a list may have at most. Undefined when the
 * text is not an array, or its brackets do not close.
 */
const cutArray = (text: string): Piece[] | undefined => {
  const pieces: Piece[] = [];
  let line = 1;
  let depth = 0;
  let inString = false;
  let start = -1;
  let startLine = 0;
  const addPiece = (end: number) => {
    if (start >= 0) pieces.push({ line: startLine, text: text.slice(start, end) });
    start = -1;
  };
  for (let i = 0; i < text.length && pieces.length <= limits.maxRows; i += 1) {
    const char = text[i] as string;
    if (char === '\n') line += 1;
    if (inString) {
      if (char === '\\') {
        i += 1;
        if (text[i] === '\n') line += 1;
      } else if (char === '"') inString = false;
      continue;
    }
    if (isSpace(char)) continue;
    if (depth === 0) {
      if (char !== '[' || pieces.length > 0) return undefined;
      depth = 1;
      continue;
    }
    if (depth === 1 && char === ',') {
      if (start < 0) return undefined;
      addPiece(i);
      continue;
    }
    if (depth === 1 && char === ']') {
      addPiece(i);
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
  return pieces.length > limits.maxRows ? pieces : undefined;
};

/** Has the text too many brackets? Counted before JSON.parse builds anything. */
const isOverbuilt = (text: string): boolean => {
  let depth = 0;
  let parts = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (inString) {
      if (char === '\\') i += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      depth += 1;
      parts += 1;
      if (depth > MAX_DEPTH || parts > MAX_PARTS) return true;
    } else if (char === '}' || char === ']') depth -= 1;
  }
  return false;
};

/** The fields of an object in JSON; undefined for anything else. */
const parseFields = (text: string): Fields | undefined => {
  if (isOverbuilt(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const notAnObject = (row: number, line: number): RowError => ({
  row,
  line,
  field: '(row)',
  code: 'not_an_object',
  message: 'The row is not a JSON object, or it has too many parts.',
  fix: 'Write one keystore as {"app_id": …, "session_id": …, …}.',
});

const readPieces = (pieces: readonly Piece[]): Result<RawList> => {
  if (pieces.length > limits.maxRows) return tooManyRows;
  const rows: RawRow[] = [];
  const errors: RowError[] = [];
  for (const [index, { line, text }] of pieces.entries()) {
    const row = index + 1;
    const fields = parseFields(text);
    if (fields) rows.push({ row, line, fields });
    else errors.push(notAnObject(row, line));
  }
  return succeed({ rows, errors, total: pieces.length });
};

const notJson = rejectList(
  'not_a_json_array',
  'The list is neither a JSON array nor one JSON object, or it is cut off.',
  'Send [ {…}, {…} ], one {…}, or JSON Lines as application/x-ndjson.',
);

const readObject = (text: string): Result<RawList> => {
  const line = text.slice(0, text.indexOf('{')).split('\n').length;
  const list = readPieces([{ line, text }]);
  return list.ok && list.value.rows.length === 0 && !isOverbuilt(text) ? notJson : list;
};

/** `[ {…}, {…} ]`, or one `{…}`. */
export const readJson = (text: string): Result<RawList> => {
  if (isOneObject(text)) return readObject(text);
  const pieces = cutArray(text);
  return pieces ? readPieces(pieces) : notJson;
};

const cutLines = (text: string): Piece[] => {
  const pieces: Piece[] = [];
  let line = 1;
  for (let start = 0; start < text.length && pieces.length <= limits.maxRows; line += 1) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const piece = text.slice(start, end);
    if (piece.trim() !== '') pieces.push({ line, text: piece });
    start = end + 1;
  }
  return pieces;
};

/** One `{…}` a line; blank lines are skipped. */
export const readJsonLines = (text: string): Result<RawList> => readPieces(cutLines(text));
