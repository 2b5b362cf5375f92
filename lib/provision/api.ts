/** api: takes lists and answers about batches and bots. It can read no secret. */
import { createHash } from 'node:crypto';
import { v5 as uuidv5 } from 'uuid';
import { z } from 'zod';
import type { Services } from '../services.ts';
import { uploads as limits } from '../topology.ts';
import { progressOf } from './batch.ts';
import { type HttpAnswer, type HttpRequest, problem, type Routes } from './http.ts';
import { listKey } from './intake.ts';
import { formatOf, listFormats } from './list.ts';
import { moveBot, sendTo } from './move.ts';
import type { Batch, Bot } from './records.ts';
import { states } from './states.ts';

const PAGE_MAX = 100;
const FIRST_ERRORS = 100;
/** Bots one retry request moves: well within API Gateway's 30 seconds. */
const RETRY_PAGE = 200;

/** Turns an Idempotency-Key into a batch id; must never change. */
const BATCH_NAMESPACE = '0e1f5c3a-94b7-5d62-8a3e-6c7d2b1f9e40';

const ok = (body: unknown): HttpAnswer => ({ status: 200, body });

const noSuchBatch = () =>
  problem(
    404,
    'no_such_batch',
    'There is no batch with this id.',
    'Use the batch_id that POST /batches answered.',
  );
const noSuchBot = () =>
  problem(
    404,
    'no_such_bot',
    'No list has named a bot with this user id.',
    'Use the app_id of its keystore.',
  );
const badParameter = (name: string, fix: string) =>
  problem(400, 'bad_parameter', `The parameter ${name} is not valid.`, fix);
const badCursor = () => badParameter('cursor', 'Use the cursor of the page before, unchanged, or none.');

/** A batch as the API shows it. */
const viewBatch = async (services: Services, batch: Batch) => {
  const [counts, errors] = await Promise.all([
    services.table.countBots(batch.batch_id),
    services.table.listRowErrors(batch.batch_id, FIRST_ERRORS),
  ]);
  const { batch_id, status, created_at, total, invalid, duplicates, problem } = batch;
  return {
    batch_id,
    status,
    created_at,
    total,
    invalid,
    duplicates,
    ...progressOf(batch, counts, services.now()),
    ...(problem && { problem }),
    errors: errors?.items ?? [],
    more_errors: errors?.cursor !== undefined,
  };
};

/** A bot as the API shows it: nothing private is on the row in the first place. */
const viewBot = ({
  user_id,
  batch_id,
  line,
  state,
  state_since,
  reason,
  public_key,
  wait_until,
  history,
}: Bot) => ({
  user_id,
  batch_id,
  line,
  state,
  state_since,
  ...(reason && { reason }),
  ...(public_key !== undefined && { public_key }),
  ...(wait_until !== undefined && { wait_until }),
  history,
});

/** Why an upload cannot be a list at all; undefined when it may be one. */
const refuseUpload = ({ headers, body }: HttpRequest): HttpAnswer | undefined => {
  if (!formatOf(headers['content-type'])) {
    const types = Object.keys(listFormats).join(', ');
    return problem(415, 'unknown_format', 'The Content-Type names no list format.', `Use one of ${types}.`);
  }
  if (body.byteLength === 0) {
    return problem(400, 'empty_list', 'The request has no body.', 'Send the list as the body.');
  }
  if (body.byteLength > limits.maxInlineBytes) {
    const detail = `The list is larger than ${limits.maxInlineBytes} bytes.`;
    return problem(413, 'list_too_large', detail, 'Cut it into several lists.');
  }
  return undefined;
};

const idempotencyKey = z.string().min(8).max(255).optional();

const batchIdFor = (services: Services, key: string | undefined) =>
  key === undefined ? services.randomId() : uuidv5(key, BATCH_NAMESPACE);

/**
 * The list is stored first, then its batch is made, then intake is told: a lost answer is mended by sending
 * again. Undefined when the Idempotency-Key stands for another list already.
 */
const receive = async (
  services: Services,
  batch_id: string,
  { headers, body }: HttpRequest,
): Promise<Batch | undefined> => {
  const list_digest = createHash('sha256').update(body).digest('hex');
  const known = await services.table.readBatch(batch_id);
  if (known && known.list_digest !== list_digest) return undefined;
  if (known && known.status !== 'received') return known;
  await services.uploads.put(listKey(batch_id), body, headers['content-type'] ?? '');
  const created_at = new Date(services.now()).toISOString();
  const counts = { total: 0, invalid: 0, duplicates: 0, chunks: 0, chunks_done: [] };
  const batch: Batch = { batch_id, status: 'received', created_at, list_digest, ...counts };
  const made = known ?? (await services.table.createBatch(batch)) ?? batch;
  await services.queues.send('intake', [{ body: { batch_id } }]);
  services.log('info', 'batch_received', { batch_id });
  return made;
};

const keyReused = () =>
  problem(
    409,
    'idempotency_key_reused',
    'This Idempotency-Key was sent with another list before.',
    'Use a new key for a new list.',
  );

const createBatch = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const refused = refuseUpload(request);
  if (refused) return refused;
  const key = idempotencyKey.safeParse(request.headers['idempotency-key']);
  if (!key.success) return badParameter('Idempotency-Key', 'Use 8 to 255 characters, such as a UUID.');
  const batch = await receive(services, batchIdFor(services, key.data), request);
  if (!batch) return keyReused();
  const location = `/batches/${batch.batch_id}`;
  return { status: 202, headers: { location }, body: { batch_id: batch.batch_id, status: batch.status } };
};

const batchOf = async (services: Services, request: HttpRequest): Promise<Batch | undefined> => {
  const id = z.uuid().safeParse(request.path.batch_id);
  return id.success ? services.table.readBatch(id.data) : undefined;
};

const readBatch = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const batch = await batchOf(services, request);
  return batch ? ok(await viewBatch(services, batch)) : noSuchBatch();
};

const limitParameter = z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_MAX);
const badLimit = () => badParameter('limit', `Use a number from 1 to ${PAGE_MAX}.`);

const listRowErrors = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const limit = limitParameter.safeParse(request.query.limit);
  if (!limit.success) return badLimit();
  const batch = await batchOf(services, request);
  if (!batch) return noSuchBatch();
  const page = await services.table.listRowErrors(batch.batch_id, limit.data, request.query.cursor);
  return page ? ok({ errors: page.items, ...(page.cursor && { cursor: page.cursor }) }) : badCursor();
};

const stateParameter = z.enum(states).optional();

const listBots = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const state = stateParameter.safeParse(request.query.state);
  if (!state.success) return badParameter('state', `Use one of ${states.join(', ')}.`);
  const limit = limitParameter.safeParse(request.query.limit);
  if (!limit.success) return badLimit();
  const batch = await batchOf(services, request);
  if (!batch) return noSuchBatch();
  const page = await services.table.listBots({
    batch_id: batch.batch_id,
    limit: limit.data,
    ...(state.data && { state: state.data }),
    ...(request.query.cursor !== undefined && { cursor: request.query.cursor }),
  });
  if (!page) return badCursor();
  return ok({ bots: page.items.map(viewBot), ...(page.cursor && { cursor: page.cursor }) });
};

const readBot = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const id = z.guid().safeParse(request.path.user_id?.toLowerCase());
  const bot = id.success ? await services.table.readBot(id.data) : undefined;
  return bot ? ok(viewBot(bot)) : noSuchBot();
};

const retryStates = ['blocked', 'failed', 'waiting', 'external'] as const;
const retryOptions = z.strictObject({
  /** Which bots to try again. */
  states: z.array(z.enum(retryStates)).nonempty().default(['blocked', 'failed']),
  /** Only those with this reason code. */
  reason: z.string().optional(),
  /** Where the request before stopped. */
  cursor: z.string().optional(),
});
type RetryOptions = z.infer<typeof retryOptions>;

const parseRetry = (body: Uint8Array): RetryOptions | undefined => {
  try {
    const text = Buffer.from(body).toString('utf8').trim();
    return retryOptions.parse(text === '' ? {} : JSON.parse(text));
  } catch {
    return undefined;
  }
};

/** Every PIN call during a lock lengthens it: such a bot keeps waiting. */
const isLocked = (bot: Bot, nowMs: number) =>
  bot.pin_locked_until !== undefined && Date.parse(bot.pin_locked_until) > nowMs;

const retryBot = async (services: Services, bot: Bot): Promise<boolean> => {
  const moved = await moveBot(services, bot, 'requeue', { step: 'api' });
  if (moved) await sendTo(services, 'check', moved);
  return moved !== undefined;
};

const retryBatch = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const options = parseRetry(request.body);
  if (!options) {
    return problem(
      400,
      'bad_body',
      'The body is not valid.',
      `Send {} or {"states": [one of ${retryStates.join(', ')}]}.`,
    );
  }
  const batch = await batchOf(services, request);
  if (!batch) return noSuchBatch();
  if (batch.status === 'stuck')
    await services.queues.send('intake', [{ body: { batch_id: batch.batch_id } }]);
  const { batch_id } = batch;
  const cursor = options.cursor === undefined ? {} : { cursor: options.cursor };
  const page = await services.table.listBots({ batch_id, limit: RETRY_PAGE, ...cursor });
  if (!page) return badCursor();
  const wanted = page.items.filter(
    (bot) =>
      (options.states as readonly string[]).includes(bot.state) &&
      (options.reason === undefined || bot.reason?.code === options.reason),
  );
  const free = wanted.filter((bot) => !isLocked(bot, services.now()));
  let retried = 0;
  for (const bot of free) if (await retryBot(services, bot)) retried += 1;
  return ok({
    retried,
    pin_locked: wanted.length - free.length,
    ...(page.cursor && { cursor: page.cursor }),
  });
};

export const api: Routes = { createBatch, readBatch, listRowErrors, listBots, retryBatch, readBot };
