/** One shape for everything that goes wrong: API problems, row errors, reasons of bots, smoke test. */
export interface Problem {
  /** Stable, for scripts. */
  readonly code: string;
  /** What happened, one sentence. Never quotes a value. */
  readonly message: string;
  /** What to do about it, one sentence. */
  readonly fix: string;
}

/** What is wrong with one row of a list. */
export interface RowError extends Problem {
  /** The file of an archive that the row is in. */
  readonly file?: string;
  /** Which row of the list, from 1. */
  readonly row: number;
  /** Where it begins in the file, from 1. */
  readonly line: number;
  readonly field: string;
}
