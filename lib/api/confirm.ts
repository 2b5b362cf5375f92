/** POST /batches/{batch_id}/confirm: an operator has seen what a list costs and wants it. */
import { z } from 'zod';
import { priceUsd } from '../batches/cost.ts';
import { queueChunks } from '../batches/intake.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import { batchOf, noSuchBatch, ok, parseBody } from './answers.ts';
import { type HttpAnswer, type HttpRequest, problem } from './http.ts';

const confirmation = z.strictObject({ accept_cost_usd: z.number().nonnegative() });

const badBody = () =>
  problem(400, 'bad_body', 'The body is not valid.', 'Send {"accept_cost_usd": a number of US dollars}.');

const notPlanned = (status: string) =>
  problem(
    409,
    'not_planned',
    `The batch waits for no confirmation: it is ${status}.`,
    'Nothing to do; GET /batches/{batch_id} shows how it fares.',
  );

const expired = () =>
  problem(
    409,
    'plan_expired',
    'The plan is older than 20 hours, and its list is cleared away.',
    'Send the list again, with another Idempotency-Key.',
  );

const costNotAccepted = (cost: number) =>
  problem(
    422,
    'cost_not_accepted',
    `The list costs up to ${cost.toFixed(2)} US dollars, which is more than was accepted; nothing was done.`,
    `Send {"accept_cost_usd": ${cost}} to go on.`,
  );

const isExpired = ({ created_at }: Batch, nowMs: number) =>
  nowMs > Date.parse(created_at) + 1_000 * limits.planSeconds;

export const confirmBatch = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const body = parseBody(confirmation, request.body);
  if (!body) return badBody();
  const batch = await batchOf(services, request);
  if (!batch) return noSuchBatch();
  const cost = priceUsd(batch.paid_rows ?? 0);
  // Confirmed before, and the answer or the messages may be lost.
  if (batch.status === 'importing' && batch.paid_rows !== undefined) {
    await queueChunks(services, batch);
    return ok({ batch_id: batch.batch_id, status: batch.status });
  }
  if (batch.status !== 'planned') return notPlanned(batch.status);
  if (isExpired(batch, services.now())) return expired();
  if (body.accept_cost_usd < cost) return costNotAccepted(cost);
  const confirmed = await services.table.confirmBatch(batch.batch_id);
  if (!confirmed) return notPlanned('importing');
  await queueChunks(services, confirmed);
  services.log('info', 'plan_confirmed', { batch_id: batch.batch_id, count: batch.paid_rows ?? 0 });
  return ok({ batch_id: confirmed.batch_id, status: confirmed.status });
};
