/** A chunk of a list: its keystores go to the vault, its bots get rows, and their next steps are queued. */
import * as z from 'zod';
import { chooseStep, deriveEnrolmentId } from '../bots/enrolment.ts';
import { buildSignInRequest, generateSessionKey } from '../bots/sign-in.ts';
import { upsertBot } from '../bots/upsert.ts';
import type { KeystoreRow, Row, SignInRow } from '../lists/row.ts';
import type { Batch } from '../model/batch.ts';
import type { Bot } from '../model/bot.ts';
import {
  networkUserSchema,
  type SignInRequest,
  signInFieldsSchema,
  signInSchema,
} from '../model/enrolment.ts';
import { keystoreSchema } from '../model/keystore.ts';
import type { Services } from '../model/ports.ts';
import type { RowError } from '../model/problem.ts';
import { chunkKey, listKey } from './objects.ts';
import { inParallel } from './parallel.ts';

const step = 'intake';

const place = {
  row: z.int().positive(),
  line: z.int().positive(),
  file: z.string().exactOptional(),
};

const chunkSchema: z.ZodType<Row[]> = z.array(
  z.union([
    z.object({ ...place, row_digest: z.string(), keystore: keystoreSchema }),
    z.object({ ...place, enrolment: signInSchema, sign_in: signInFieldsSchema }),
    z.object({ ...place, enrolment: networkUserSchema }),
  ]),
);

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

type Refused = keyof typeof refusals;

/** Stores a listed keystore; its bot's row, as far as the list tells it. */
const keepKeystore = async (services: Services, row: KeystoreRow) => {
  const { app_id: bot_id, session_id } = row.keystore;
  const kept = await services.vault.storeKeystore(row.keystore);
  return { kept, listed: { bot_id, session_id, row_digest: row.row_digest } };
};

/** Then its session key has moved to the account's own secret. */
const isEnrolled = async ({ table }: Services, bot_id: string): Promise<boolean> =>
  (await table.readBot(bot_id))?.state === 'enrolled';

/** Stores a session key and the code of a sign-in, which must not stand on its row. */
const keepSignIn = async (services: Services, batch_id: string, { row, enrolment, sign_in }: SignInRow) => {
  const bot_id = deriveEnrolmentId(enrolment, batch_id, row);
  const listed = { bot_id, enrolment, row_digest: 'sign_in' } as const;
  if (await isEnrolled(services, bot_id)) return { kept: 'unchanged', listed } as const;
  const request: SignInRequest = await buildSignInRequest(services, enrolment.verification_id, sign_in);
  const session_key = await generateSessionKey(services, sign_in.session_key);
  const stored = await services.vault.storeEnrolment(bot_id, { session_key, sign_in: request });
  if (stored !== 'pending_deletion') return { kept: stored.isNew ? 'stored' : 'unchanged', listed } as const;
  // The chunk came twice, and the other worker's sign-in has ended since the look above.
  const isOver = await isEnrolled(services, bot_id);
  return { kept: isOver ? 'unchanged' : stored, listed } as const;
};

/** What the vault and the table are told of one row. */
const keep = async (services: Services, batch_id: string, row: Row) => {
  if ('keystore' in row) return keepKeystore(services, row);
  if ('sign_in' in row) return keepSignIn(services, batch_id, row);
  const { enrolment } = row;
  const bot_id = deriveEnrolmentId(enrolment, batch_id, row.row);
  return { kept: 'unchanged', listed: { bot_id, enrolment, row_digest: 'network_user' } } as const;
};

const refuse = ({ row, line, file }: Row, code: Refused, field: string): RowError => ({
  row,
  line,
  ...(file !== undefined && { file }),
  field,
  code,
  ...refusals[code],
});

/** Takes one row in; undefined when its bot needs no step. */
const takeRow = async (
  services: Services,
  batch_id: string,
  row: Row,
): Promise<RowError | Bot | undefined> => {
  const { kept, listed } = await keep(services, batch_id, row);
  if (kept === 'key_conflict' || kept === 'pending_deletion') {
    return refuse(row, kept, 'keystore' in row ? 'app_id' : 'verification_id');
  }
  const bot = await upsertBot(services, step, { ...listed, batch_id, line: row.line }, kept === 'stored');
  return bot?.state === 'queued' ? bot : undefined;
};

const ROW_WORKERS = 5;

/** Throws, unless another delivery of the same message has just taken the chunk in and cleared it away. */
const expectTaken = async (services: Services, batch_id: string, chunk: number): Promise<void> => {
  const batch = await services.table.readBatch(batch_id);
  if (!batch?.chunks_done.includes(chunk)) throw new Error('a chunk of the list is gone');
};

/** Stores the keystores of one chunk, makes its rows and queues their next steps. */
const takeChunk = async (services: Services, { batch_id }: Batch, chunk: number): Promise<void> => {
  const object = await services.uploads.get(chunkKey(batch_id, chunk));
  if (!object) return expectTaken(services, batch_id, chunk);
  const rows = chunkSchema.parse(JSON.parse(Buffer.from(object.body).toString('utf8')));
  const taken = await inParallel(rows, ROW_WORKERS, (row) => takeRow(services, batch_id, row));
  await services.table.putRowErrors(
    batch_id,
    taken.filter((result) => result !== undefined && 'code' in result),
  );
  const bots = taken.filter((result) => result !== undefined && 'bot_id' in result);
  for (const queue of ['enroll', 'check'] as const) {
    const messages = bots
      .filter((bot) => chooseStep(bot) === queue)
      .map(({ bot_id }) => ({ body: { bot_id }, batch_id }));
    await services.queues.send(queue, messages);
  }
  services.log('info', 'chunk_imported', { batch_id, count: rows.length });
};

/** Takes a chunk in, once or again, and clears it away. */
export const handleChunk = async (services: Services, batch: Batch, chunk: number) => {
  if (!batch.chunks_done.includes(chunk)) await takeChunk(services, batch, chunk);
  // Marked before or not: whoever marked the last chunk may have died before the batch was ended.
  const after = await services.table.recordChunkDone(batch.batch_id, chunk);
  const finished = after.chunks_done.length >= after.chunks;
  await services.uploads.remove([
    chunkKey(batch.batch_id, chunk),
    ...(finished ? [listKey(batch.batch_id)] : []),
  ]);
};
