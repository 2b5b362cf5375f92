/** What a list is once it is read and before anybody looks into its rows. */

import { limits } from '../model/limits.ts';
import type { Problem, RowError } from '../model/problem.ts';

/** Where a row stands. */
export interface Place {
  /** Which row of the list, from 1; in an archive they count through all its files. */
  readonly row: number;
  /** Where it begins in its file, from 1. */
  readonly line: number;
  /** The file of an archive that it stands in. */
  readonly file?: string;
}

export interface RawRow extends Place {
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RawRows {
  readonly rows: readonly RawRow[];
  readonly errors: readonly RowError[];
  /** Rows and errors together. */
  readonly total: number;
  /** What the sender said the list may cost. */
  readonly accepted_cost_usd?: number;
}

export interface Refused {
  readonly problem: Problem;
}

/** `problem` when nothing of the list can be read; row errors else, all of them. */
export type ReadList = RawRows | Refused;

/** Nothing of the list can be read, and this is why. Never quotes the list. */
export const problem = (code: string, message: string, fix: string): Refused => ({
  problem: { code, message, fix },
});

/** The place alone, without what else the value has. */
export const placeOf = ({ row, line, file }: Place): Place => ({
  row,
  line,
  ...(file !== undefined && { file }),
});

export const tooManyRows = problem(
  'too_many_rows',
  `The list has more than ${limits.maxRows} rows.`,
  'Cut it into several lists.',
);
