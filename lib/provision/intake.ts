/**
 * intake: takes a list in. First the whole list is read and every row validated, with no side effect but
 * the errors written down; then chunk by chunk the keystores go to the vault, rows are made and checks queued.
 */
import { z } from 'zod';
import { keystoreSchema } from '../keystore.ts';
import type { Services } from '../services.ts';
import { uploads as limits, pace } from '../topology.ts';
import { after } from './backoff.ts';
import { formatOf, readList } from './list.ts';
import { moveBot } from './move.ts';
import type { Batch, Bot, Problem, RowError } from './records.ts';
import { type Row, readRow, splitDuplicates } from './row.ts';
import { allows } from './states.ts';

const step = 'intake';

export const intakeMessage = z.object({ batch_id: z.uuid(), chunk: z.int().positive().optional() });

/** Where a list and its chunks lie in the bucket. */
export const listKey = (batch_id: string) => `${batch_id}/list`;
const chunkKey = (batch_id: string, chunk: number) =>
  `${batch_id}/chunk-${String(chunk).padStart(5, '0')}.json`;

const chunkSchema = z.array(
  z.object({
    row: z.int().positive(),
    line: z.int().positive(),
    listing: z.string(),
    keystore: keystoreSchema,
  }),
);

/** Queues the chunks that are not taken in yet. */
const queueChunks = (services: Services, batch: Batch) => {
  const done = new Set(batch.chunks_done);
  const open = Array.from({ length: batch.chunks }, (_, i) => i + 1).filter((chunk) => !done.has(chunk));
  return services.queues.send(
    'intake',
    open.map((chunk) => ({ body: { batch_id: batch.batch_id, chunk } })),
  );
};

const reject = async (services: Services, batch: Batch, problem: Problem) => {
  await services.table.recordListRead(batch.batch_id, { status: 'rejected', problem });
  await services.uploads.remove([listKey(batch.batch_id)]);
  services.log('warn', 'list_rejected', { batch_id: batch.batch_id, reason: problem.code });
};

const putChunks = async (services: Services, batch_id: string, rows: readonly Row[]) => {
  const chunks = Math.ceil(rows.length / limits.chunkRows);
  for (let chunk = 1; chunk <= chunks; chunk += 1) {
    const slice = rows.slice((chunk - 1) * limits.chunkRows, chunk * limits.chunkRows);
    await services.uploads.put(
      chunkKey(batch_id, chunk),
      Buffer.from(JSON.stringify(slice)),
      'application/json',
    );
  }
  return chunks;
};

const validate = async (services: Services, rawRows: Parameters<typeof readRow>[0][]) => {
  const rows: Row[] = [];
  const errors: RowError[] = [];
  for (const raw of rawRows) {
    const row = await readRow(raw, services.keys);
    if ('errors' in row) errors.push(...row.errors);
    else rows.push(row);
  }
  return { rows, errors };
};

/** Reads and validates the whole list, cuts it into chunks and queues them. */
const readWholeList = async (services: Services, batch: Batch) => {
  const { batch_id } = batch;
  const list = await services.uploads.get(listKey(batch_id));
  const format = formatOf(list?.contentType);
  if (!list || !format) {
    const problem = { code: 'list_gone', message: 'The uploaded list is gone.', fix: 'Upload it again.' };
    return reject(services, batch, problem);
  }
  const read = readList(list.body, format);
  if ('problem' in read) return reject(services, batch, read.problem);
  const { rows, errors } = await validate(services, [...read.rows]);
  const { unique, duplicates } = splitDuplicates(rows);
  await services.table.putRowErrors(batch_id, [...read.errors, ...errors, ...duplicates]);
  const chunks = await putChunks(services, batch_id, unique);
  const recorded = await services.table.recordListRead(batch_id, {
    status: chunks === 0 ? 'taken_in' : 'taking_in',
    total: read.total,
    invalid: read.total - rows.length,
    duplicates: duplicates.length,
    chunks,
  });
  services.log('info', 'list_read', { batch_id, count: read.total });
  if (recorded) await queueChunks(services, recorded);
  if (chunks === 0) await services.uploads.remove([listKey(batch_id)]);
};

const newBot = (services: Services, batch_id: string, row: Row): Bot => {
  const at = new Date(services.now()).toISOString();
  return {
    user_id: row.keystore.app_id,
    session_id: row.keystore.session_id,
    batch_id,
    line: row.line,
    listing: row.listing,
    state: 'queued',
    state_since: at,
    revision: 1,
    attempts: 0,
    due_at: after(services.now(), pace.stalledSeconds),
    history: [{ at, state: 'queued', step }],
  };
};

/**
 * A bot that has a row already now counts in this batch. It is looked at again only where its row of the
 * list has changed, or the vault has: the same list twice does nothing. While a bot is being registered, or
 * in doubt, the new listing is not noted, so that listing it once more is understood as news.
 */
const listAgain = async (services: Services, batch_id: string, row: Row, isNews: boolean) => {
  const { app_id: user_id, session_id } = row.keystore;
  for (;;) {
    const bot = await services.table.readBot(user_id);
    if (!bot) return undefined;
    const place = { batch_id, line: row.line };
    const listed = { ...place, session_id, listing: row.listing };
    const news = isNews || bot.listing !== row.listing;
    const requeues = news && bot.state !== 'queued' && allows('requeue', bot.state);
    const busy = bot.state === 'registering' || bot.state === 'unsure';
    const known = requeues
      ? await moveBot(services, bot, 'requeue', { step }, listed)
      : await services.table.updateBot(bot, busy && news ? place : listed);
    if (known) return known;
  }
};

const refusals = {
  key_conflict: {
    message:
      'The row brings another spend key than the one the vault keeps for this bot; nothing was changed.',
    fix: 'Compare both with spend_public_key in GET /safe/me, and list the bot without spend_private_key.',
  },
  pending_deletion: {
    message: "The bot's secret is scheduled for deletion in Secrets Manager.",
    fix: 'Restore the secret (aws secretsmanager restore-secret), then list the bot again.',
  },
} as const;

/** Takes one row in; undefined when its bot needs no check. */
const takeRow = async (
  services: Services,
  batch_id: string,
  row: Row,
): Promise<RowError | Bot | undefined> => {
  const kept = await services.vault.keepKeystore(row.keystore);
  if (kept === 'key_conflict' || kept === 'pending_deletion') {
    return { row: row.row, line: row.line, field: 'app_id', code: kept, ...refusals[kept] };
  }
  const bot = newBot(services, batch_id, row);
  const listed =
    (await services.table.createBot(bot)) ?? (await listAgain(services, batch_id, row, kept === 'kept'));
  return listed?.state === 'queued' ? listed : undefined;
};

const inParallel = async <T, R>(items: readonly T[], workers: number, work: (item: T) => Promise<R>) => {
  const results: R[] = [];
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
};

const ROW_WORKERS = 5;

/** Stores the keystores of one chunk, makes its rows and queues their checks. */
const takeChunk = async (services: Services, batch: Batch, chunk: number) => {
  const { batch_id } = batch;
  const object = await services.uploads.get(chunkKey(batch_id, chunk));
  if (!object) throw new Error('a chunk of the list is gone');
  const rows = chunkSchema.parse(JSON.parse(Buffer.from(object.body).toString('utf8')));
  const taken = await inParallel(rows, ROW_WORKERS, (row) => takeRow(services, batch_id, row));
  await services.table.putRowErrors(
    batch_id,
    taken.filter((result) => result !== undefined && 'code' in result),
  );
  const bots = taken.filter((result) => result !== undefined && 'user_id' in result);
  await services.queues.send(
    'check',
    bots.map(({ user_id }) => ({ body: { user_id } })),
  );
  services.log('info', 'chunk_taken_in', { batch_id, count: rows.length });
  return services.table.recordChunkDone(batch_id, chunk);
};

const handleChunk = async (services: Services, batch: Batch, chunk: number) => {
  const after = batch.chunks_done.includes(chunk) ? batch : await takeChunk(services, batch, chunk);
  const finished = after.chunks_done.length >= after.chunks;
  await services.uploads.remove([
    chunkKey(batch.batch_id, chunk),
    ...(finished ? [listKey(batch.batch_id)] : []),
  ]);
};

/**
 * Takes one message: `{ batch_id }` for a whole list, `{ batch_id, chunk }` for a part of it. Any number of
 * deliveries are harmless. Throws only on the unexpected (then SQS delivers again).
 */
export const intake = async (services: Services, body: unknown): Promise<void> => {
  const { batch_id, chunk } = intakeMessage.parse(body);
  const batch = await services.table.readBatch(batch_id);
  if (!batch) throw new Error('a message names a batch that has no row');
  if (chunk !== undefined) return handleChunk(services, batch, chunk);
  const unread = batch.status === 'received' || (batch.status === 'stuck' && batch.chunks === 0);
  if (unread) return readWholeList(services, batch);
  // The list was read and its chunk messages may be lost: queue what is still open.
  if (batch.status === 'taking_in' || batch.status === 'stuck') await queueChunks(services, batch);
};
