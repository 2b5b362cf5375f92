/** Reads and validates a whole list. Nothing of it is imported yet: its errors and its chunks are stored. */

import { deriveEnrolmentId } from '../bots/enrolment.ts';
import { findFormat, listEndings, listFormats } from '../lists/formats.ts';
import { readList } from '../lists/list.ts';
import type { RawRow } from '../lists/raw-list.ts';
import { type Row, readRow, splitDuplicates } from '../lists/row.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import type { Problem, RowError } from '../model/problem.ts';
import { isPaid, listKey, queueChunks, removeChunks, storeChunks } from './batch.ts';
import { priceUsd } from './plan.ts';

const listGone: Problem = {
  code: 'list_gone',
  message: 'The list was not uploaded, or was deleted before it was read.',
  fix: 'Upload it again.',
};

const unknownFormat: Problem = {
  code: 'unknown_format',
  message: 'Neither the name nor the Content-Type of the list names a format.',
  fix: `Name it ${listEndings}, or use one of ${Object.keys(listFormats).join(', ')}.`,
};

/** Nothing of the list can be read: its batch says so, and its object is removed. */
export const rejectList = async (services: Services, batch_id: string, problem: Problem): Promise<void> => {
  await services.table.recordListSummary(batch_id, { status: 'rejected', problem });
  await services.uploads.remove([listKey(batch_id)]);
  services.log('warn', 'list_rejected', { batch_id, reason: problem.code });
};

/** After so many rows others of the same process get a turn: the embedded API answers while a list is read. */
const SLICE_ROWS = 20;

/** The next turn of the event loop; a promise alone would let nobody in. */
const yieldToOthers = () => new Promise<void>((resolve) => void setImmediate(resolve));

const validateRows = async (services: Services, rawRows: readonly RawRow[]) => {
  const rows: Row[] = [];
  const errors: RowError[] = [];
  for (const [i, raw] of rawRows.entries()) {
    if (i % SLICE_ROWS === 0) await yieldToOthers();
    const row = await readRow(raw, services.keys);
    if (row.ok) rows.push(row.value);
    else errors.push(...row.error);
  }
  return { rows, errors };
};

/** How many secrets the rows need that are not there yet. A network user gets its secret when it is created. */
const countNewSecrets = async ({ table }: Services, batch_id: string, rows: readonly Row[]) => {
  const bot_ids = rows.flatMap((row) => {
    if ('keystore' in row) return [row.keystore.app_id];
    return isPaid(row) ? [] : [deriveEnrolmentId(row.enrolment, batch_id, row.row)];
  });
  const known = await table.findKnownBots(bot_ids);
  return bot_ids.filter((bot_id) => !known.has(bot_id)).length;
};

/** What costs money waits until an operator has seen how much. */
const chooseStatus = (chunks: number, costUsd: number, acceptedUsd: number) => {
  if (chunks === 0) return 'imported';
  // guard: costs-are-planned-first
  if (costUsd > acceptedUsd) return 'planned';
  return 'importing';
};

/** Another reading was recorded, or this one was and its plan is confirmed by now: only the row can tell. */
const dropReading = async (services: Services, batch_id: string, reading: string, chunks: number) => {
  const batch = await services.table.readBatch(batch_id);
  if (batch?.reading === reading) return;
  await removeChunks(services, batch_id, reading, chunks);
  services.log('info', 'reading_dropped', { batch_id });
};

/**
 * Reads the list of a batch, stores its errors and its chunks, and queues the chunks unless it is a plan. The list may
 * be read by several at once, and may be another one each time: the reading that is recorded first counts.
 */
export const readBatchList = async (services: Services, batch: Batch): Promise<void> => {
  const { batch_id } = batch;
  const list = await services.uploads.get(listKey(batch_id));
  if (!list) return rejectList(services, batch_id, listGone);
  const format = findFormat(list.contentType);
  if (!format) return rejectList(services, batch_id, unknownFormat);
  const result = await readList(list.body, format, services.compression);
  if (!result.ok) return rejectList(services, batch_id, result.error);
  const read = result.value;
  const { rows, errors } = await validateRows(services, read.rows);
  const { unique, duplicates } = splitDuplicates(rows);
  const allErrors = [...read.errors, ...errors, ...duplicates];
  await services.table.putRowErrors(batch_id, allErrors.slice(0, limits.maxErrors));
  const new_secrets = await countNewSecrets(services, batch_id, unique);
  // guard: readings-share-no-chunk
  const reading = services.randomId();
  const chunks = await storeChunks(services, batch_id, reading, unique);
  const paid_rows = unique.filter(isPaid).length;
  // Only a list that came in a request of the API, with somebody's credentials, may accept its cost itself.
  const acceptedUsd = batch.list_digest === undefined ? 0 : (read.accepted_cost_usd ?? 0);
  const recorded = await services.table.recordListSummary(batch_id, {
    status: chooseStatus(chunks, priceUsd(paid_rows), acceptedUsd),
    total: read.total,
    invalid: read.total - rows.length,
    duplicates: duplicates.length,
    errors_left_out: Math.max(0, allErrors.length - limits.maxErrors),
    ...(paid_rows > 0 && { paid_rows }),
    new_secrets,
    reading,
    chunks,
  });
  if (!recorded) return dropReading(services, batch_id, reading, chunks);
  services.log('info', 'list_read', { batch_id, count: read.total });
  if (recorded.status === 'importing') await queueChunks(services, recorded);
  if (chunks === 0) await services.uploads.remove([listKey(batch_id)]);
};
