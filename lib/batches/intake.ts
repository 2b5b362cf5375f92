/** intake: reads a list, then imports it chunk by chunk. Lists of the bucket's inbox begin here too. */
import * as z from 'zod';
import type { Services } from '../model/ports.ts';
import { queueChunks } from './batch.ts';
import { importChunk } from './import-chunk.ts';
import { inboxEvent, isTestEvent, receiveFromInbox } from './inbox.ts';
import { readBatchList } from './read-list.ts';

const intakeMessage = z.object({ batch_id: z.uuid(), chunk: z.int().positive().optional() });

/**
 * Handles one message: `{ batch_id }` for a whole list, `{ batch_id, chunk }` for a part of it, or S3's event
 * for a list in the inbox. Any number of deliveries are harmless. Throws only on the unexpected (then SQS
 * delivers again).
 */
export const intake = async (services: Services, body: unknown): Promise<void> => {
  const event = inboxEvent.safeParse(body);
  if (event.success) {
    for (const { s3 } of event.data.Records) await receiveFromInbox(services, s3.object);
    return;
  }
  if (isTestEvent(body)) return;
  const { batch_id, chunk } = intakeMessage.parse(body);
  const batch = await services.table.readBatch(batch_id);
  if (!batch) throw new Error('a message names a batch that has no row');
  if (chunk !== undefined) {
    // Whoever sent this: a plan waits for its operator.
    const mayImport = chunk <= batch.chunks && batch.status !== 'planned';
    if (!mayImport) throw new Error('a message names a chunk that must not be imported');
    return importChunk(services, batch, chunk);
  }
  const isUnread = batch.status === 'received' || (batch.status === 'stuck' && batch.chunks === 0);
  if (isUnread) return readBatchList(services, batch);
  // guard: plan-is-not-imported-by-itself
  if (batch.status !== 'importing' && batch.status !== 'stuck') return;
  // The list was read, and the messages of its chunks may be lost.
  await queueChunks(services, batch);
};

/**
 * Marks the batch that the message names as stuck, before SQS moves the message to the dead-letter queue of intake.
 * @param message parsed JSON; nothing happens unless it is `{ batch_id }` or `{ batch_id, chunk }`
 */
export const giveUpBatch = async (services: Services, message: unknown): Promise<void> => {
  const parsed = intakeMessage.safeParse(message);
  if (!parsed.success) return;
  const { batch_id, chunk } = parsed.data;
  await services.table.recordStuck(batch_id, {
    code: 'handler_crashed',
    message:
      chunk === undefined
        ? 'Reading the list crashed each time it was tried.'
        : 'Importing a part of the list crashed each time it was tried; the other parts are not affected.',
    fix: 'Look for record_crashed in the logs of intake and fix the cause; then POST /batches/{batch_id}/retry.',
  });
};
