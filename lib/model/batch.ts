import type { Problem } from './problem.ts';

export type BatchStatus = 'received' | 'rejected' | 'planned' | 'importing' | 'imported' | 'stuck';
/** One list. */
export interface Batch {
  readonly batch_id: string;
  readonly status: BatchStatus;
  readonly created_at: string;
  /** SHA-256 of the list as it came: an Idempotency-Key stands for one list only. */
  readonly list_digest?: string;
  /** Rows of the list, wrong and double ones included. */
  readonly total: number;
  readonly invalid: number;
  readonly duplicates: number;
  /** Errors that are counted but not kept: a list can have a great many. */
  readonly errors_left_out?: number;
  /** Rows that make a user which costs money. */
  readonly paid_rows?: number;
  readonly chunks: number;
  /** Numbers of the chunks that are taken in, from 1. */
  readonly chunks_done: readonly number[];
  readonly problem?: Problem;
}
