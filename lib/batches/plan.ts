/**
 * A list that costs money waits as a plan, until an operator accepts its cost. Mixin charges the owner of the network
 * users; Enlist charges nothing.
 */
import type { Batch, BatchStatus } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { BotCounts, Services } from '../model/ports.ts';
import { prices } from '../model/prices.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { queueChunks } from './batch.ts';

/** The price of network users, in US dollars. */
export const priceUsd = (users: number): number => users * prices.networkUserUsd;

/** What a batch costs, in the words of the API (lib/api/schemas.ts). Undefined for one that costs nothing. */
export const describeCost = ({ paid_rows }: Batch, { network_users }: BotCounts) => {
  if (paid_rows === undefined) return undefined;
  const created = network_users.enrolled ?? 0;
  const unsure = network_users.unsure ?? 0;
  return {
    price_usd: prices.networkUserUsd,
    planned_users: paid_rows,
    planned_usd: priceUsd(paid_rows),
    created_users: created,
    created_usd: priceUsd(created),
    unsure_users: unsure,
    unsure_usd: priceUsd(unsure),
  };
};

export type PlanProblem =
  | { readonly code: 'not_planned'; readonly status: BatchStatus }
  | { readonly code: 'plan_expired' }
  | { readonly code: 'cost_not_accepted'; readonly cost_usd: number };

const isExpired = ({ created_at }: Batch, nowMs: number) =>
  nowMs > Date.parse(created_at) + 1_000 * limits.planSeconds;

/** Imports a planned batch that costs no more than `acceptedUsd`. Any number of calls are harmless. */
export const confirmPlan = async (
  services: Services,
  batch: Batch,
  acceptedUsd: number,
): Promise<Result<Batch, PlanProblem>> => {
  const cost_usd = priceUsd(batch.paid_rows ?? 0);
  // Confirmed before, and the answer or the messages may be lost.
  if (batch.status === 'importing' && batch.paid_rows !== undefined) {
    await queueChunks(services, batch);
    return succeed(batch);
  }
  if (batch.status !== 'planned') return fail({ code: 'not_planned', status: batch.status });
  if (isExpired(batch, services.now())) return fail({ code: 'plan_expired' });
  // guard: all-of-the-cost-is-accepted
  if (acceptedUsd < cost_usd) return fail({ code: 'cost_not_accepted', cost_usd });
  const confirmed = await services.table.confirmBatch(batch.batch_id);
  if (!confirmed) return fail({ code: 'not_planned', status: 'importing' });
  await queueChunks(services, confirmed);
  services.log('info', 'plan_confirmed', { batch_id: batch.batch_id, count: batch.paid_rows ?? 0 });
  return succeed(confirmed);
};
