/** The routes of batches: send a list, see its status and its errors, accept its cost. */
import { listKey } from '../batches/batch.ts';
import { confirmPlan, describeCost } from '../batches/plan.ts';
import { measureProgress } from '../batches/progress.ts';
import { createBatchId, receiveList, receiveUpload } from '../batches/receive.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { BotCounts, Services } from '../model/ports.ts';
import { type BatchReferenceView, type BatchView, PAGE_MAX, type RouteRequest } from './contract.ts';
import type { Reply } from './http.ts';
import { answerBadCursor, answerProblem } from './problems.ts';

const referTo = ({ batch_id, status }: Batch): BatchReferenceView => ({ batch_id, status });

export const createBatch = async (
  services: Services,
  { headers, body }: RouteRequest<'createBatch'>,
): Promise<Reply<'createBatch'>> => {
  const batch_id = createBatchId(services, headers['idempotency-key']);
  const received = await receiveList(services, batch_id, body);
  return received.ok ? { body: referTo(received.value) } : answerProblem(received.error);
};

export const createUpload = async (
  services: Services,
  { body }: RouteRequest<'createUpload'>,
): Promise<Reply<'createUpload'>> => {
  const batch_id = services.randomId();
  const { url, fields } = await services.uploads.createForm({
    key: listKey(batch_id),
    contentType: body.content_type,
    maxBytes: limits.maxUploadBytes,
    expiresInSeconds: limits.formSeconds,
  });
  return {
    body: {
      batch_id,
      url,
      fields: { ...fields },
      max_bytes: limits.maxUploadBytes,
      expires_in_seconds: limits.formSeconds,
    },
  };
};

export const completeUpload = async (
  services: Services,
  { parameters }: RouteRequest<'completeUpload'>,
): Promise<Reply<'completeUpload'>> => {
  const batch = await receiveUpload(services, parameters.batch_id);
  return batch ? { body: referTo(batch) } : answerProblem('no_such_batch');
};

const showFollowed = ({ followed_by }: BotCounts): Pick<BatchView, 'followed_by'> => {
  const others = Object.entries(followed_by).map(([batch_id, bots]) => ({ batch_id, bots }));
  return others.length > 0 ? { followed_by: others } : {};
};

const showBatch = async (services: Services, batch: Batch): Promise<BatchView> => {
  const [counts, errors] = await Promise.all([
    services.table.countBots(batch.batch_id),
    services.table.listRowErrors(batch.batch_id, PAGE_MAX),
  ]);
  const cost = describeCost(batch, counts);
  const { batch_id, status, created_at, total, invalid, duplicates, errors_left_out = 0 } = batch;
  return {
    batch_id,
    status,
    created_at,
    total,
    invalid,
    duplicates,
    ...measureProgress(batch, counts, services.now()),
    ...showFollowed(counts),
    ...(batch.new_secrets !== undefined && { new_secrets: batch.new_secrets }),
    ...(cost && { cost }),
    ...(batch.problem && { problem: batch.problem }),
    errors: [...(errors?.items ?? [])],
    more_errors: errors?.cursor !== undefined,
    errors_left_out,
  };
};

export const readBatch = async (
  services: Services,
  { parameters }: RouteRequest<'readBatch'>,
): Promise<Reply<'readBatch'>> => {
  const batch = await services.table.readBatch(parameters.batch_id);
  return batch ? { body: await showBatch(services, batch) } : answerProblem('no_such_batch');
};

const answerCostNotAccepted = (usd: number) =>
  answerProblem('cost_not_accepted', {
    message: `The list costs up to ${usd.toFixed(2)} US dollars, which is more than you accepted; nothing was done.`,
    fix: `Send {"accept_cost_usd": ${usd}} to go on.`,
  });

export const confirmBatch = async (
  services: Services,
  { parameters, body }: RouteRequest<'confirmBatch'>,
): Promise<Reply<'confirmBatch'>> => {
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return answerProblem('no_such_batch');
  const confirmed = await confirmPlan(services, batch, body.accept_cost_usd);
  if (confirmed.ok) return { body: referTo(confirmed.value) };
  const { error } = confirmed;
  if (error.code === 'plan_expired') return answerProblem('plan_expired');
  if (error.code === 'cost_not_accepted') return answerCostNotAccepted(error.cost_usd);
  return answerProblem('not_planned', {
    message: `The batch needs no confirmation: its status is ${error.status}.`,
  });
};

export const listRowErrors = async (
  services: Services,
  { parameters, query }: RouteRequest<'listRowErrors'>,
): Promise<Reply<'listRowErrors'>> => {
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return answerProblem('no_such_batch');
  const page = await services.table.listRowErrors(batch.batch_id, query.limit, query.cursor);
  if (!page) return answerBadCursor();
  const { items, ...more } = page;
  return { body: { errors: [...items], ...more } };
};
