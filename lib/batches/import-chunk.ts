/** Imports one chunk of a list: its keystores go to the vault, its bots get rows, and their next steps are queued. */
import * as z from 'zod';
import { chooseStep, deriveEnrolmentId } from '../bots/enrolment.ts';
import { buildSignInRequest, generateSessionKey } from '../bots/sign-in.ts';
import { type ListEntry, upsertBot } from '../bots/upsert.ts';
import type { KeystoreRow, Row, SignInRow } from '../lists/row.ts';
import type { Batch } from '../model/batch.ts';
import type { Bot } from '../model/bot.ts';
import { networkUserSchema, signInFieldsSchema, signInSchema } from '../model/enrolment.ts';
import { keystoreSchema } from '../model/keystore.ts';
import type { Services } from '../model/ports.ts';
import type { RowError } from '../model/problem.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { chunkKey, listKey } from './batch.ts';
import { inParallel } from './parallel.ts';

const step = 'intake';

type ChunkRow = Row & {
  /** Which of the rows that cost money this one is, from 1. */
  readonly paid_row?: number;
};

const place = {
  row: z.int().positive(),
  line: z.int().positive(),
  file: z.string().exactOptional(),
  label: z.string().exactOptional(),
};

const chunkSchema: z.ZodType<ChunkRow[]> = z.array(
  z.union([
    z.object({ ...place, row_digest: z.string(), keystore: keystoreSchema }),
    z.object({ ...place, enrolment: signInSchema, sign_in: signInFieldsSchema }),
    z.object({ ...place, enrolment: networkUserSchema, paid_row: z.int().positive() }),
  ]),
);

const vaultProblems = {
  key_conflict: {
    message: 'The row has another spend key than the vault holds for this bot; nothing was changed.',
    fix: 'Compare both with spend_public_key in GET /safe/me, and list the bot without spend_private_key.',
  },
  tip_key_conflict: {
    message: 'The row has another TIP key than the vault holds for this bot; nothing was changed.',
    fix: "Compare both with tip_key_base64 in GET /safe/me. If the vault holds the account's key, list the bot without tip_private_key.",
  },
  unreadable: {
    message: "The bot's secret in Secrets Manager does not hold a keystore of this bot; nothing was changed.",
    fix: 'Move what the secret holds elsewhere and delete it, then list the bot again.',
  },
  pending_deletion: {
    message: "The bot's secret is scheduled for deletion in Secrets Manager.",
    fix: 'Restore the secret (aws secretsmanager restore-secret), then list the bot again.',
  },
} as const;
type VaultProblem = keyof typeof vaultProblems;

/** What the bot's row is to hold of the row of the list, and whether the vault stored anything new. */
interface StoredRow {
  readonly entry: Omit<ListEntry, 'batch_id' | 'row' | 'line'>;
  readonly isNew: boolean;
  /** A later list has brought the bot's session. */
  readonly isSuperseded?: boolean;
}

const storeKeystore = async (
  services: Services,
  { created_at: listed_at }: Batch,
  { keystore, row_digest }: KeystoreRow,
): Promise<Result<StoredRow, VaultProblem>> => {
  const { app_id: bot_id, session_id, spend_private_key, spend_key, tip_private_key } = keystore;
  const hasKeys = (spend_private_key ?? spend_key ?? tip_private_key) !== undefined;
  const bot = hasKeys ? await services.table.readBot(bot_id) : undefined;
  const isTipRefuted = bot?.reason?.code === 'tip_key_mismatch';
  const public_key = bot?.public_key;
  const more = { listed_at, isTipRefuted, ...(public_key !== undefined && { public_key }) };
  const stored = await services.vault.storeKeystore(keystore, more);
  if (stored !== 'stored' && stored !== 'unchanged' && stored !== 'superseded') return fail(stored);
  return succeed({
    entry: {
      bot_id,
      session_id,
      // guard: row-has-no-pin
      row_digest,
    },
    isNew: stored === 'stored',
    isSuperseded: stored === 'superseded',
  });
};

/** Then its session key has moved to the account's own secret. */
const isEnrolled = async ({ table }: Services, bot_id: string): Promise<boolean> =>
  (await table.readBot(bot_id))?.state === 'enrolled';

/** Stores a session key and the code of a sign-in in the vault: they must not be in its row. */
const storeSignIn = async (
  services: Services,
  batch_id: string,
  { row, enrolment, sign_in }: SignInRow,
): Promise<Result<StoredRow, VaultProblem>> => {
  const bot_id = deriveEnrolmentId(enrolment, batch_id, row);
  const entry = {
    bot_id,
    enrolment,
    // guard: row-has-no-code
    row_digest: 'sign_in',
  };
  if (await isEnrolled(services, bot_id)) return succeed({ entry, isNew: false });
  const request = await buildSignInRequest(services, enrolment.verification_id, sign_in);
  const session_key = await generateSessionKey(services, sign_in.session_key);
  const stored = await services.vault.storeEnrolment(bot_id, { session_key, sign_in: request });
  if (stored !== 'pending_deletion') return succeed({ entry, isNew: stored.isNew });
  // The chunk was delivered twice, and the other worker's sign-in has ended since the check above.
  return (await isEnrolled(services, bot_id)) ? succeed({ entry, isNew: false }) : fail(stored);
};

const storeRow = async (
  services: Services,
  batch: Batch,
  row: Row,
): Promise<Result<StoredRow, VaultProblem>> => {
  const { batch_id } = batch;
  if ('keystore' in row) return storeKeystore(services, batch, row);
  if ('sign_in' in row) return storeSignIn(services, batch_id, row);
  const { enrolment } = row;
  const bot_id = deriveEnrolmentId(enrolment, batch_id, row.row);
  return succeed({ entry: { bot_id, enrolment, row_digest: 'network_user' }, isNew: false });
};

const describeError = (row: Row, code: VaultProblem): RowError => ({
  row: row.row,
  line: row.line,
  ...(row.file !== undefined && { file: row.file }),
  field: 'keystore' in row ? 'app_id' : 'verification_id',
  code,
  ...vaultProblems[code],
});

/** Imports one row; the bot is undefined when it needs no step. */
const importRow = async (
  services: Services,
  batch: Batch,
  row: Row,
): Promise<Result<Bot | undefined, RowError>> => {
  const { batch_id } = batch;
  const stored = await storeRow(services, batch, row);
  if (!stored.ok) return fail(describeError(row, stored.error));
  const { entry, isNew, isSuperseded = false } = stored.value;
  const label = row.label === undefined ? {} : { label: row.label };
  const place = { batch_id, row: row.row, line: row.line };
  const bot = await upsertBot(services, step, { ...entry, ...label, ...place }, isNew, isSuperseded);
  return succeed(bot?.state === 'queued' ? bot : undefined);
};

const queueBots = async (services: Services, batch_id: string, bots: readonly Bot[]) => {
  for (const queue of ['enroll', 'check'] as const) {
    const messages = bots
      .filter((bot) => chooseStep(bot) === queue)
      .map(({ bot_id }) => ({ body: { bot_id }, batch_id }));
    await services.queues.send(queue, messages);
  }
};

/** Throws, unless another delivery of the same message has just imported the chunk and removed it. */
const requireImported = async (services: Services, batch_id: string, chunk: number): Promise<void> => {
  const batch = await services.table.readBatch(batch_id);
  if (!batch?.chunks_done.includes(chunk)) throw new Error('a chunk of the list is gone');
};

/** The key of a chunk of the reading that was recorded. */
const findChunkKey = ({ batch_id, reading }: Batch, chunk: number): string => {
  if (reading === undefined) throw new Error('a message names a chunk of a list that was not read');
  return chunkKey(batch_id, reading, chunk);
};

/** Throws when the rows ask for more network users than the batch was priced for. */
const requireAccepted = ({ paid_rows = 0 }: Batch, rows: readonly ChunkRow[]): void => {
  const isAccepted = rows.every(({ paid_row = 0 }) => paid_row <= paid_rows);
  // guard: no-more-users-than-accepted
  if (!isAccepted) throw new Error('a chunk asks for more network users than were accepted');
};

const ROW_WORKERS = 5;

const importRows = async (services: Services, batch: Batch, chunk: number): Promise<void> => {
  const { batch_id } = batch;
  const object = await services.uploads.get(findChunkKey(batch, chunk));
  if (!object) return requireImported(services, batch_id, chunk);
  const rows = chunkSchema.parse(JSON.parse(new TextDecoder().decode(object.body)));
  requireAccepted(batch, rows);
  const results = await inParallel(rows, ROW_WORKERS, (row) => importRow(services, batch, row));
  await services.table.putRowErrors(
    batch_id,
    results.flatMap((result) => (result.ok ? [] : [result.error])),
  );
  await queueBots(
    services,
    batch_id,
    results.flatMap((result) => (result.ok && result.value ? [result.value] : [])),
  );
  services.log('info', 'chunk_imported', { batch_id, count: rows.length });
};

/** Imports a chunk, for the first time or again, and removes its object; with the last chunk the list goes too. */
export const importChunk = async (services: Services, batch: Batch, chunk: number): Promise<void> => {
  if (!batch.chunks_done.includes(chunk)) await importRows(services, batch, chunk);
  // Recorded before or not: whoever recorded the last chunk may have died before it removed the list.
  const after = await services.table.recordChunkDone(batch.batch_id, chunk);
  const isLast = after.chunks_done.length >= after.chunks;
  await services.uploads.remove([
    // guard: chunk-is-removed
    findChunkKey(batch, chunk),
    ...(isLast ? [listKey(batch.batch_id)] : []),
  ]);
};
