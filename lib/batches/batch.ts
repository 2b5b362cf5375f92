/** A new batch, and its objects in the bucket: its list, and the chunks into which the rows of the list are cut. */
import type { Row } from '../lists/row.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import { inParallel } from './parallel.ts';

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

const numberChunks = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

const PUT_WORKERS = 10;

/** Stores the rows in chunks. Returns how many chunks there are. */
export const storeChunks = async (
  services: Services,
  batch_id: string,
  rows: readonly Row[],
): Promise<number> => {
  const count = Math.ceil(rows.length / limits.chunkRows);
  await inParallel(numberChunks(count), PUT_WORKERS, (chunk) => {
    const slice = rows.slice((chunk - 1) * limits.chunkRows, chunk * limits.chunkRows);
    const body = new TextEncoder().encode(JSON.stringify(slice));
    return services.uploads.put(chunkKey(batch_id, chunk), body, 'application/json');
  });
  return count;
};

/** Queues the list to be read; intake goes on where it stopped. */
export const queueList = (services: Services, batch_id: string) =>
  services.queues.send('intake', [{ body: { batch_id } }]);

/** Queues the chunks that are not imported yet. */
export const queueChunks = (services: Services, { batch_id, chunks, chunks_done }: Batch) => {
  const done = new Set(chunks_done);
  const missing = numberChunks(chunks).filter((chunk) => !done.has(chunk));
  return services.queues.send(
    'intake',
    missing.map((chunk) => ({ body: { batch_id, chunk }, batch_id })),
  );
};
