/** JSON and JSON Lines → raw rows, each with its line. One broken row does not spoil the others. Pure. */

import { limits } from '../model/limits.ts';
import type { RowError } from '../model/problem.ts';
import { type Result, succeed } from '../model/result.ts';
import { findName, labelFields } from './names.ts';
import { type RawList, type RawRow, rejectList, tooManyRows } from './raw-list.ts';
import { type Fields, isFields } from './row-fields.ts';

/** A keystore needs one level, and no object or array within. */
const MAX_DEPTH = 32;
/** Objects and arrays of one row: millions of empty ones would take memory far beyond their size. */
const MAX_PARTS = 50;
/** Names of fields of one row, for the same reason. */
const MAX_NAMES = 1_000;

interface Piece {
  readonly line: number;
  readonly text: string;
  /** What the list calls it. */
  readonly label?: string;
}

const isSpace = (char: string): boolean => char === ' ' || char === '\n' || char === '\r' || char === '\t';

/**
 * Cuts a JSON array into the texts of its elements, one more than a list may have at most. Undefined when the
 * text is not an array, or its brackets do not close.
 */
const cutArray = (text: string, firstLine = 1): Piece[] | undefined => {
  const pieces: Piece[] = [];
  let line = firstLine;
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
  let names = 0;
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
    else if (char === ':') {
      names += 1;
      if (names > MAX_NAMES) return true;
    }
  }
  return false;
};

/** Where a string that begins at a quote has its other quote. */
const findStringEnd = (text: string, start: number): number => {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
};

/** A value of an object, with the text of its name and its own. */
interface Member extends Piece {
  readonly name: string;
}

const parseName = (text: string): string | undefined => {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
};

/** Cuts an object of JSON into its members; undefined when it is none. */
const cutMembers = ({ line: firstLine, text }: Piece): Member[] | undefined => {
  const members: Member[] = [];
  let line = firstLine;
  let depth = 0;
  let start = -1;
  let startLine = line;
  let name: string | undefined;
  const addMember = (end: number) => {
    if (name !== undefined) members.push({ name, line: startLine, text: text.slice(start, end).trim() });
    name = undefined;
    start = -1;
  };
  for (let i = 0; i < text.length && members.length <= limits.maxRows; i += 1) {
    const char = text[i] as string;
    if (char === '\n') line += 1;
    if (start < 0 && depth === 1 && !isSpace(char) && char !== ',') {
      start = i;
      startLine = line;
    }
    if (char === '"') {
      i = findStringEnd(text, i);
    } else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      depth -= 1;
      if (depth === 0) addMember(i);
    } else if (depth === 1 && char === ':' && name === undefined) {
      name = parseName(text.slice(start, i));
      if (name === undefined) return undefined;
      start = -1;
    } else if (depth === 1 && char === ',') addMember(i);
  }
  return members;
};

/** The object of JSON; undefined for anything else. */
const parseObject = (text: string): Fields | undefined => {
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

/** How many names an object has in its text, those that it has twice counted twice. */
const countNames = (text: string): number => {
  let depth = 0;
  let count = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = findStringEnd(text, i);
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    else if (char === ':' && depth === 1) count += 1;
  }
  return count;
};

/** A name that the object has twice, with two values: JSON.parse lets the last one win. */
const findContradiction = (piece: Piece, fields: Fields): string | undefined => {
  if (countNames(piece.text) === Object.keys(fields).length) return undefined;
  const first = new Map<string, string>();
  for (const { name, text } of cutMembers(piece) ?? []) {
    const before = first.get(name);
    if (before !== undefined && before !== text) return name;
    first.set(name, text);
  }
  return undefined;
};

const labels: ReadonlySet<string | undefined> = new Set(labelFields);

const namedTwice = (row: number, line: number, name: string): RowError => {
  const field = findName(name) === undefined ? '(row)' : name;
  return {
    row,
    line,
    field,
    code: 'contradiction',
    message: `The row has ${field === '(row)' ? 'a field' : field} twice, with two values.`,
    fix: 'Remove the wrong one.',
  };
};

const addLabel = (fields: Fields, label: string | undefined): Fields => {
  const hasOwn = Object.keys(fields).some((name) => labels.has(findName(name)));
  return label === undefined || hasOwn ? fields : { ...fields, label };
};

const readPieces = (pieces: readonly Piece[], format: string): Result<RawList> => {
  if (pieces.length > limits.maxRows) return tooManyRows;
  const rows: RawRow[] = [];
  const errors: RowError[] = [];
  for (const [index, piece] of pieces.entries()) {
    const { line, text, label } = piece;
    const row = index + 1;
    const fields = isOverbuilt(text) ? undefined : parseObject(text);
    const twice = fields && findContradiction(piece, fields);
    if (!fields) errors.push(notAnObject(row, line));
    else if (twice !== undefined) errors.push(namedTwice(row, line, twice));
    else rows.push({ row, line, fields: addLabel(fields, label) });
  }
  return succeed({ rows, errors, total: pieces.length, formats: [format] });
};

const notJson = rejectList(
  'not_a_json_array',
  'The list is neither a JSON array nor JSON objects, or it is cut off.',
  'Write [ {…}, {…} ], one {…}, or one {…} on each line.',
);

/** Names of wrappers that are no names of bots. */
const plainWrappers: ReadonlySet<string> = new Set([
  'bots',
  'data',
  'keystores',
  'keystore',
  'list',
  'items',
  'rows',
]);

/**
 * The rows of an object that is no row itself: `{"bots": […]}`, or `{"name": {…}, "other name": {…}}`, whose names become
 * labels. Undefined for any other object.
 */
const unwrapObject = (piece: Piece): readonly Piece[] | undefined => {
  const members = cutMembers(piece) ?? [];
  if (members.some(({ name, text }) => name === 'create' || (findName(name) && !/^[[{]/.test(text))))
    return undefined;
  const [list, ...others] = members.filter(({ text }) => /^\[\s*\{/.test(text));
  if (list && others.length === 0) return cutArray(list.text, list.line);
  if (members.length === 0 || !members.every(({ text }) => text.startsWith('{'))) return undefined;
  return members.map(({ name, line, text }) => ({
    line,
    text,
    ...(!plainWrappers.has(name) && { label: name }),
  }));
};

const isWhole = (text: string): boolean => {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = findStringEnd(text, i);
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth === 0 && i < text.length - 1) return false;
  }
  return depth === 0;
};

/** Cuts objects that follow each other, with or without a comma between them. Undefined when brackets do not close. */
const cutObjects = (text: string): Piece[] | undefined => {
  const pieces: Piece[] = [];
  let line = 1;
  let depth = 0;
  let start = -1;
  let startLine = 1;
  for (let i = 0; i < text.length && pieces.length <= limits.maxRows; i += 1) {
    const char = text[i] as string;
    if (char === '\n') line += 1;
    if (depth === 0 && (isSpace(char) || (char === ',' && pieces.length > 0))) continue;
    if (depth === 0) {
      if (char !== '{') return undefined;
      start = i;
      startLine = line;
    }
    if (char === '"') {
      const end = findStringEnd(text, i);
      for (let at = i; at < end; at += 1) if (text[at] === '\n') line += 1;
      i = end;
    } else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth === 0) pieces.push({ line: startLine, text: text.slice(start, i + 1) });
  }
  return depth === 0 || pieces.length > limits.maxRows ? pieces : undefined;
};

/** The lines that are not blank, each without a comma at its end. */
const cutLines = (text: string): Piece[] => {
  const pieces: Piece[] = [];
  let line = 1;
  for (let start = 0; start < text.length && pieces.length <= limits.maxRows; line += 1) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const piece = text.slice(start, end).trim().replace(/,$/, '');
    if (piece !== '') pieces.push({ line, text: piece });
    start = end + 1;
  }
  return pieces;
};

const LINES = 'JSON Lines';

const isOneALine = (text: string): boolean => {
  const start = text.trimStart();
  const end = start.indexOf('\n');
  const line = start.slice(0, Math.max(end, 0)).trim().replace(/,$/, '');
  return line.startsWith('{') && isWhole(line);
};

const readOneObject = (piece: Piece): Result<RawList> => {
  const rows = unwrapObject(piece);
  if (rows) return readPieces(rows, 'JSON');
  const list = readPieces([piece], 'JSON');
  return list.ok &&
    list.value.rows.length === 0 &&
    parseObject(piece.text) === undefined &&
    !isOverbuilt(piece.text)
    ? notJson
    : list;
};

/** JSON as it is, whatever its name says: an array, one object, or objects that follow each other, one a line or not. */
const readAny = (text: string): Result<RawList> | undefined => {
  if (isOneALine(text)) {
    const pieces = cutLines(text);
    return pieces.length === 1 ? undefined : readPieces(pieces, LINES);
  }
  const array = cutArray(text);
  if (array) return readPieces(array, 'JSON');
  const objects = cutObjects(text);
  if (!objects || objects.length === 0) return undefined;
  const [first] = objects;
  return first && objects.length === 1 ? readOneObject(first) : readPieces(objects, LINES);
};

/** `[ {…}, {…} ]`, one `{…}`, or several. */
export const readJson = (text: string): Result<RawList> => readAny(text) ?? notJson;

/** One `{…}` a line; blank lines are skipped. */
export const readJsonLines = (text: string): Result<RawList> =>
  readAny(text) ?? readPieces(cutLines(text), LINES);
