/** api: takes lists and answers about batches and bots. It can read no secret. */
import { z } from 'zod';
import { costOf } from '../batches/cost.ts';
import { progressOf } from '../batches/progress.ts';
import type { Batch } from '../model/batch.ts';
import type { Bot } from '../model/bot.ts';
import type { Services } from '../model/ports.ts';
import { states } from '../model/states.ts';
import { badCursor, badParameter, batchOf, noSuchBatch, noSuchBot, ok } from './answers.ts';
import { confirmBatch } from './confirm.ts';
import type { Answers, HttpAnswer, HttpRequest } from './http.ts';
import { retryBatch } from './retry.ts';
import { completeUpload, createBatch, createUpload } from './uploads.ts';

const PAGE_MAX = 100;
const FIRST_ERRORS = 100;

/** A batch as the API shows it. */
const viewBatch = async (services: Services, batch: Batch) => {
  const [counts, errors] = await Promise.all([
    services.table.countBots(batch.batch_id),
    services.table.listRowErrors(batch.batch_id, FIRST_ERRORS),
  ]);
  const cost = costOf(batch, counts);
  const { batch_id, status, created_at, total, invalid, duplicates, problem, errors_left_out = 0 } = batch;
  return {
    batch_id,
    status,
    created_at,
    total,
    invalid,
    duplicates,
    ...progressOf(batch, counts, services.now()),
    ...(cost && { cost }),
    ...(problem && { problem }),
    errors: errors?.items ?? [],
    more_errors: errors?.cursor !== undefined,
    errors_left_out,
  };
};

/** A bot as the API shows it: nothing private is on the row in the first place. */
const viewBot = ({
  bot_id,
  batch_id,
  line,
  state,
  state_since,
  reason,
  public_key,
  wait_until,
  enrolment,
  account,
  history,
}: Bot) => ({
  bot_id,
  batch_id,
  line,
  state,
  state_since,
  ...(reason && { reason }),
  ...(public_key !== undefined && { public_key }),
  ...(wait_until !== undefined && { wait_until }),
  ...(enrolment && { enrolment }),
  ...(account && { account_id: account.user_id }),
  history,
});

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
  const id = z.guid().safeParse(request.path.bot_id?.toLowerCase());
  const bot = id.success ? await services.table.readBot(id.data) : undefined;
  return bot ? ok(viewBot(bot)) : noSuchBot();
};

export const api: Answers<'api'> = {
  createBatch,
  createUpload,
  completeUpload,
  readBatch,
  confirmBatch,
  listRowErrors,
  listBots,
  retryBatch,
  readBot,
};
