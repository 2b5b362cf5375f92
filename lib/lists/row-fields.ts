/** Fields of a row → their normal form, or what is wrong with them. An error never quotes a value. Pure. */
import type { Problem } from '../model/problem.ts';
import { type Failure, fail, type Result, succeed } from '../model/result.ts';
import { parseUuid } from '../model/uuid.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Is it an object of JSON, and not an array? */
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is wrong with one field. */
export interface FieldError extends Problem {
  /** As the row wrote it. */
  readonly field: string;
}

/** Longer than any valid value. */
const MAX_CHARACTERS = 20_000;

/** The field's value; undefined where the row has none, or an empty cell. */
export const readValue = (fields: Fields, name: string): unknown => {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === null || (typeof value === 'string' && value.trim() === '')) return undefined;
  return value;
};

/** Text without the space around it; empty for anything but text, and for text that is too long. */
export const toText = (value: unknown): string =>
  typeof value === 'string' && value.length <= MAX_CHARACTERS ? value.trim() : '';

/** The same for digits, which JSON may have as a whole number. */
export const toDigits = (value: unknown): string =>
  toText(Number.isSafeInteger(value) ? String(value) : value);

/** The value is not what its field must be. */
export const refuseValue = (message: string, fix: string): Failure =>
  fail({ code: 'invalid_field', message, fix });

const BARE_UUID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i;

/** A UUID in lower case; it may be in braces, and without its dashes. */
export const readUuid = (value: unknown): Result<string> => {
  const text = toText(value).replace(/^\{(.*)\}$/, '$1');
  const uuid = parseUuid(text.replace(BARE_UUID, '$1-$2-$3-$4-$5'));
  if (uuid !== undefined) return succeed(uuid);
  return refuseValue(
    'It is not a UUID.',
    'Copy the whole UUID again: 32 hex digits, usually with four dashes.',
  );
};

export const createMissingError = (field: string, fix: string): FieldError => ({
  field,
  code: 'missing_field',
  message: `${field} is missing.`,
  fix,
});

/** Two fields that cannot both be right. @param says what is wrong with them: the end of the sentence */
export const createContradiction = (
  first: string,
  second: string,
  says: string,
  fix: string,
): FieldError => ({
  field: second,
  code: 'contradiction',
  message: `${first} and ${second} ${says}.`,
  fix,
});
