/** Fields of a row → their normal form, or what is wrong and how to mend it. Never quotes a value. Pure. */
import { parseUuid } from '../model/uuid.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with one field. */
export interface FieldError {
  /** As the row wrote it. */
  readonly field: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

export interface Wrong {
  readonly message: string;
  readonly fix: string;
}
/** What a field must be: its normal form, or what is wrong and how to mend it. */
export type Read<T = string> = { readonly value: T } | Wrong;

/** Longer than any value that is read. */
const MAX_CHARACTERS = 20_000;

/** What the row itself says, and undefined where it says nothing: an empty cell is as good as none. */
export const given = (fields: Fields, name: string): unknown => {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === null || (typeof value === 'string' && value.trim() === '')) return undefined;
  return value;
};

/** Text without the space around it; empty for anything that is no text a field could have. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' && value.length <= MAX_CHARACTERS ? value.trim() : '';

/** The same, where JSON may have a whole number in place of digits. */
export const digitsOf = (value: unknown): string =>
  textOf(Number.isSafeInteger(value) ? String(value) : value);

export const readUuid = (value: unknown): Read => {
  const uuid = parseUuid(textOf(value));
  if (uuid !== undefined) return { value: uuid };
  return { message: 'It is not a UUID.', fix: 'Copy it again, whole, with its four dashes.' };
};

export const missing = (field: string, fix: string): FieldError => ({
  field,
  code: 'missing_field',
  message: `${field} is missing.`,
  fix,
});

export const invalid = (field: string, { message, fix }: Wrong): FieldError => ({
  field,
  code: 'invalid_field',
  message,
  fix,
});

/** Two fields that cannot both be right. */
export const contradiction = (first: string, second: string, says: string, fix: string): FieldError => ({
  field: second,
  code: 'contradiction',
  message: `${first} and ${second} ${says}.`,
  fix,
});
