/** A list arrives by HTTP: in the request, or by a form. */
import { createHash } from 'node:crypto';
import { v5 as uuidv5 } from 'uuid';
import type { Batch } from '../model/batch.ts';
import type { Services } from '../model/ports.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { buildBatch, listKey, queueList } from './batch.ts';

/** Turns an Idempotency-Key into a batch id; must never change. */
const BATCH_NAMESPACE = '0e1f5c3a-94b7-5d62-8a3e-6c7d2b1f9e40';

/** The id of the batch that an Idempotency-Key stands for; without a key, a new id. */
export const createBatchId = (services: Services, idempotencyKey: string | undefined): string =>
  idempotencyKey === undefined ? services.randomId() : uuidv5(idempotencyKey, BATCH_NAMESPACE);

/**
 * Creates the batch, then stores its list, then queues intake: whoever lost the answer can send the list again.
 * The row carries the list's digest, so of two lists under one key at the same time one is stored, and the other fails.
 */
export const receiveList = async (
  services: Services,
  batch_id: string,
  { bytes, contentType }: { readonly bytes: Uint8Array; readonly contentType: string },
): Promise<Result<Batch, 'idempotency_key_reused'>> => {
  const list_digest = createHash('sha256').update(bytes).digest('hex');
  const created = await services.table.createBatch({ ...buildBatch(batch_id, services.now()), list_digest });
  const batch = created ?? (await services.table.readBatch(batch_id));
  // guard: key-belongs-to-one-list
  if (batch?.list_digest !== list_digest) return fail('idempotency_key_reused');
  if (batch.status !== 'received') return succeed(batch);
  await services.uploads.put(listKey(batch_id), bytes, contentType);
  await queueList(services, batch_id);
  services.log('info', 'batch_received', { batch_id });
  return succeed(batch);
};

/** The form was used: its list becomes a batch. Intake finds out whether the list is really there. */
export const receiveUpload = async (services: Services, batch_id: string): Promise<Batch | undefined> => {
  const batch =
    (await services.table.createBatch(buildBatch(batch_id, services.now()))) ??
    (await services.table.readBatch(batch_id));
  if (batch?.status === 'received') await queueList(services, batch_id);
  return batch;
};
