/** The row of a batch. */
import type { Problem } from './problem.ts';

export type BatchStatus = 'received' | 'rejected' | 'planned' | 'importing' | 'imported' | 'stuck';

/** One uploaded list, and what became of it. */
export interface Batch {
  readonly batch_id: string;
  readonly status: BatchStatus;
  readonly created_at: string;
  /** SHA-256 of the list's bytes, in hex: an Idempotency-Key stands for one list only. */
  readonly list_digest?: string;
  /** Rows of the list, invalid ones and duplicates included. */
  readonly total: number;
  readonly invalid: number;
  readonly duplicates: number;
  /** Errors that are counted but not stored: a list can have a great many. */
  readonly errors_left_out?: number;
  /** Rows that ask for a network user, which costs money. */
  readonly paid_rows?: number;
  /** Keystores and sign-ins that had no row in the table when the list was read: each needs a secret of its own. */
  readonly new_secrets?: number;
  /** The reading of the list that counts: its chunks are imported. Present once the list is read. */
  readonly reading?: string;
  readonly chunks: number;
  /** Numbers of the chunks that are imported, from 1. */
  readonly chunks_done: readonly number[];
  readonly problem?: Problem;
}
