/** What the network users of a batch cost. Pure. Mixin charges their owner; Enlist charges nothing. */
import type { Batch } from '../model/batch.ts';
import type { BotCounts } from '../model/ports.ts';
import { prices } from '../model/prices.ts';

/** The price of network users, in US dollars. */
export const priceUsd = (users: number): number => users * prices.networkUserUsd;

export interface Cost {
  readonly price_usd: number;
  /** Users the list asks for. */
  readonly planned_users: number;
  readonly planned_usd: number;
  /** Users that Mixin confirmed as created. */
  readonly created_users: number;
  readonly created_usd: number;
  /** Users that may have been created: the call was sent and its answer was lost. */
  readonly unsure_users: number;
  readonly unsure_usd: number;
}

/** Undefined for a batch that costs nothing. */
export const describeCost = ({ paid_rows }: Batch, { network_users }: BotCounts): Cost | undefined => {
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
