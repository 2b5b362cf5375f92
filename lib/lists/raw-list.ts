/** A list that is split into rows, which are not validated yet. */
import { limits } from '../model/limits.ts';
import type { RowError } from '../model/problem.ts';
import { type Failure, fail } from '../model/result.ts';

/** Where a row is. */
export interface Place {
  /** Which row of the list, from 1; in an archive they count through all its files. */
  readonly row: number;
  /** Where it begins in its file, from 1. */
  readonly line: number;
  /** The file of an archive that the row is in. */
  readonly file?: string;
}

export interface RawRow extends Place {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Two columns without names: one is the bot's id, the other its session's. */
  readonly uuids?: readonly [string, string];
}

/** What was found in a list. Names only, never values; bounded in number and length. */
export interface Understood {
  /** `JSON`, `CSV with ;` … */
  readonly formats: readonly string[];
  /** The known names of the fields that its rows have. */
  readonly known: readonly string[];
  /** Other names, as the list writes them: their values are not stored. */
  readonly unknown: readonly string[];
}

export interface RawList {
  readonly rows: readonly RawRow[];
  /** Rows that cannot be read. */
  readonly errors: readonly RowError[];
  /** Rows and errors together. */
  readonly total: number;
  /** How it is written. */
  readonly formats: readonly string[];
  /** What the list may cost, by its own `accept_cost_usd`. */
  readonly accepted_cost_usd?: number;
}

/** Why nothing of a list can be read. Never quotes the list. */
export const rejectList = (code: string, message: string, fix: string): Failure =>
  fail({ code, message, fix });

/** The place alone, without what else the value has. */
export const pickPlace = ({ row, line, file }: Place): Place => ({
  row,
  line,
  ...(file !== undefined && { file }),
});

export const tooManyRows = rejectList(
  'too_many_rows',
  `The list has more than ${limits.maxRows} rows.`,
  'Split it into several lists.',
);
