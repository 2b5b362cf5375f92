/** A chunk of a list: its keystores go to the vault, its bots get rows, and their checks are queued. */
import { z } from 'zod';
import { keystoreSchema } from '../keystore.ts';
import type { Services } from '../services.ts';
import { pace } from '../topology.ts';
import { after } from './backoff.ts';
import { moveBot } from './move.ts';
import { chunkKey, listKey } from './objects.ts';
import { inParallel } from './parallel.ts';
import type { Batch, Bot, RowError } from './records.ts';
import type { Row } from './row.ts';
import { allows } from './states.ts';

const step = 'intake';

const chunkSchema = z.array(
  z.object({
    row: z.int().positive(),
    line: z.int().positive(),
    listing: z.string(),
    keystore: keystoreSchema,
  }),
);

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
    bots.map(({ user_id }) => ({ body: { user_id }, batch_id })),
  );
  services.log('info', 'chunk_taken_in', { batch_id, count: rows.length });
  return services.table.recordChunkDone(batch_id, chunk);
};

/** Takes a chunk in, once or again, and clears it away. */
export const handleChunk = async (services: Services, batch: Batch, chunk: number) => {
  const after = batch.chunks_done.includes(chunk) ? batch : await takeChunk(services, batch, chunk);
  const finished = after.chunks_done.length >= after.chunks;
  await services.uploads.remove([
    chunkKey(batch.batch_id, chunk),
    ...(finished ? [listKey(batch.batch_id)] : []),
  ]);
};
