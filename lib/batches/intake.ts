/**
 * intake: takes a list in. First the whole list is read and every row validated, with no side effect but
 * the errors written down; then chunk by chunk the keystores go to the vault, rows are made and checks queued.
 */
import * as z from 'zod';
import { findFormat, listFormats } from '../lists/formats.ts';
import { readList } from '../lists/list.ts';
import { type Row, readRow, splitDuplicates } from '../lists/row.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import type { Problem, RowError } from '../model/problem.ts';
import { handleChunk } from './chunk.ts';
import { priceUsd } from './cost.ts';
import { inboxEvent, isTestEvent, takeFromInbox } from './inbox.ts';
import { chunkKey, listKey } from './objects.ts';
import { inParallel } from './parallel.ts';

export const intakeMessage = z.object({ batch_id: z.uuid(), chunk: z.int().positive().optional() });

/** Queues the chunks that are not taken in yet. */
export const queueChunks = (services: Services, batch: Batch) => {
  const done = new Set(batch.chunks_done);
  const open = Array.from({ length: batch.chunks }, (_, i) => i + 1).filter((chunk) => !done.has(chunk));
  return services.queues.send(
    'intake',
    open.map((chunk) => ({ body: { batch_id: batch.batch_id, chunk }, batch_id: batch.batch_id })),
  );
};

const reject = async (services: Services, batch: Batch, problem: Problem) => {
  await services.table.recordListSummary(batch.batch_id, { status: 'rejected', problem });
  await services.uploads.remove([listKey(batch.batch_id)]);
  services.log('warn', 'list_rejected', { batch_id: batch.batch_id, reason: problem.code });
};

const PUT_WORKERS = 10;

const putChunks = async (services: Services, batch_id: string, rows: readonly Row[]) => {
  const chunks = Math.ceil(rows.length / limits.chunkRows);
  const numbers = Array.from({ length: chunks }, (_, i) => i + 1);
  await inParallel(numbers, PUT_WORKERS, (chunk) => {
    const slice = rows.slice((chunk - 1) * limits.chunkRows, chunk * limits.chunkRows);
    const body = Buffer.from(JSON.stringify(slice));
    return services.uploads.put(chunkKey(batch_id, chunk), body, 'application/json');
  });
  return chunks;
};

const validate = async (services: Services, rawRows: Parameters<typeof readRow>[0][]) => {
  const rows: Row[] = [];
  const errors: RowError[] = [];
  for (const raw of rawRows) {
    const row = await readRow(raw, services.keys);
    if (row.ok) rows.push(row.value);
    else errors.push(...row.error);
  }
  return { rows, errors };
};

/** Does Mixin ask money for what this row wants? */
const isPaid = (row: Row) => 'enrolment' in row && row.enrolment.kind === 'network_user';

const gone: Problem = {
  code: 'list_gone',
  message: 'The uploaded list is gone, or never came.',
  fix: 'Upload it again.',
};

const unknownFormat: Problem = {
  code: 'unknown_format',
  message: 'Neither the name nor the Content-Type of the list names a format.',
  fix: `Name it .json, .jsonl, .csv or .zip, or use one of ${Object.keys(listFormats).join(', ')}.`,
};

/** Reads and validates the whole list, cuts it into chunks and queues them. */
const readWholeList = async (services: Services, batch: Batch) => {
  const { batch_id } = batch;
  const list = await services.uploads.get(listKey(batch_id));
  if (!list) return reject(services, batch, gone);
  const format = findFormat(list.contentType);
  if (!format) return reject(services, batch, unknownFormat);
  const result = await readList(list.body, format, services.compression);
  if (!result.ok) return reject(services, batch, result.error);
  const read = result.value;
  const { rows, errors } = await validate(services, [...read.rows]);
  const { unique, duplicates } = splitDuplicates(rows);
  const wrong = [...read.errors, ...errors, ...duplicates];
  await services.table.putRowErrors(batch_id, wrong.slice(0, limits.maxErrors));
  const chunks = await putChunks(services, batch_id, unique);
  const paid_rows = unique.filter(isPaid).length;
  // What costs money waits until an operator has seen what.
  // Only a list that came in a request of the API, with somebody's credentials, may say what it may cost.
  const acceptedUsd = batch.list_digest === undefined ? 0 : (read.accepted_cost_usd ?? 0);
  const isPlan = priceUsd(paid_rows) > acceptedUsd;
  const recorded = await services.table.recordListSummary(batch_id, {
    status: chunks === 0 ? 'imported' : isPlan ? 'planned' : 'importing',
    total: read.total,
    invalid: read.total - rows.length,
    duplicates: duplicates.length,
    errors_left_out: Math.max(0, wrong.length - limits.maxErrors),
    ...(paid_rows > 0 && { paid_rows }),
    chunks,
  });
  services.log('info', 'list_read', { batch_id, count: read.total });
  if (recorded?.status === 'importing') await queueChunks(services, recorded);
  if (chunks === 0) await services.uploads.remove([listKey(batch_id)]);
};

/**
 * Takes one message: `{ batch_id }` for a whole list, `{ batch_id, chunk }` for a part of it, or S3's event
 * for a list in the inbox. Any number of deliveries are harmless. Throws only on the unexpected (then SQS
 * delivers again).
 */
export const intake = async (services: Services, body: unknown): Promise<void> => {
  const event = inboxEvent.safeParse(body);
  if (event.success) {
    for (const { s3 } of event.data.Records) await takeFromInbox(services, s3.object);
    return;
  }
  if (isTestEvent(body)) return;
  const { batch_id, chunk } = intakeMessage.parse(body);
  const batch = await services.table.readBatch(batch_id);
  if (!batch) throw new Error('a message names a batch that has no row');
  if (chunk !== undefined) {
    // Whoever sent this: a plan waits for its operator.
    const isOurs = chunk <= batch.chunks && batch.status !== 'planned';
    if (!isOurs) throw new Error('a message names a chunk that is not to be taken in');
    return handleChunk(services, batch, chunk);
  }
  const unread = batch.status === 'received' || (batch.status === 'stuck' && batch.chunks === 0);
  if (unread) return readWholeList(services, batch);
  // The list was read and its chunk messages may be lost: queue what is still open.
  if (batch.status === 'importing' || batch.status === 'stuck') await queueChunks(services, batch);
};
