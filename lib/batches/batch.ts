/** A batch at its beginning, and the keys of its objects in the bucket. */
import type { Batch } from '../model/batch.ts';

/** A batch whose list has just arrived. @param nowMs milliseconds since 1970 */
export const buildBatch = (batch_id: string, nowMs: number): Batch => ({
  batch_id,
  status: 'received',
  created_at: new Date(nowMs).toISOString(),
  total: 0,
  invalid: 0,
  duplicates: 0,
  chunks: 0,
  chunks_done: [],
});

/** The list itself, which is removed once all of it is imported. */
export const listKey = (batch_id: string) => `${batch_id}/list`;

/** One chunk of its rows, which is removed once it is imported. @param chunk from 1 */
export const chunkKey = (batch_id: string, chunk: number) =>
  `${batch_id}/chunk-${String(chunk).padStart(5, '0')}.json`;
