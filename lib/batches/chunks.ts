/** The rows of a list are cut into chunks; each lies in the bucket until a message has it imported. */
import type { Row } from '../lists/row.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import { chunkKey } from './batch.ts';
import { inParallel } from './parallel.ts';

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

/** Queues the chunks that are not imported yet. */
export const queueChunks = (services: Services, { batch_id, chunks, chunks_done }: Batch) => {
  const done = new Set(chunks_done);
  const missing = numberChunks(chunks).filter((chunk) => !done.has(chunk));
  return services.queues.send(
    'intake',
    missing.map((chunk) => ({ body: { batch_id, chunk }, batch_id })),
  );
};
