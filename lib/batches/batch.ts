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

/**
 * One chunk of the rows that one reading of the list found, which is removed once it is imported. The list may be
 * read more than once, and its object may be replaced between two readings, so no two readings share a chunk.
 * @param chunk from 1
 */
export const chunkKey = (batch_id: string, reading: string, chunk: number) =>
  `${batch_id}/${reading}/chunk-${String(chunk).padStart(5, '0')}.json`;

const numberChunks = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

const PUT_WORKERS = 10;

export const isPaid = (row: Row): boolean => 'enrolment' in row && row.enrolment.kind === 'network_user';

/** Counts the rows that cost money, so that the chunk itself says how many users may be created before each. */
const numberPaidRows = (rows: readonly Row[]): readonly (Row & { readonly paid_row?: number })[] => {
  let paid = 0;
  return rows.map((row) => {
    if (!isPaid(row)) return row;
    paid += 1;
    return { ...row, paid_row: paid };
  });
};

/** Stores the rows that a reading found in chunks. Returns how many chunks there are. */
export const storeChunks = async (
  services: Services,
  batch_id: string,
  reading: string,
  list: readonly Row[],
): Promise<number> => {
  const rows = numberPaidRows(list);
  const count = Math.ceil(rows.length / limits.chunkRows);
  await inParallel(numberChunks(count), PUT_WORKERS, (chunk) => {
    const slice = rows.slice((chunk - 1) * limits.chunkRows, chunk * limits.chunkRows);
    const body = new TextEncoder().encode(JSON.stringify(slice));
    return services.uploads.put(chunkKey(batch_id, reading, chunk), body, 'application/json');
  });
  return count;
};

/** Removes the chunks of a reading that does not count. */
export const removeChunks = (services: Services, batch_id: string, reading: string, count: number) =>
  services.uploads.remove(numberChunks(count).map((chunk) => chunkKey(batch_id, reading, chunk)));

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
