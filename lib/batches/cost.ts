/** What the users of a batch cost. Pure. Prices are Mixin's and are charged to the owner, not by Enlist. */

import type { Batch } from '../model/batch.ts';
import { mixin } from '../model/mixin.ts';
import type { BotCounts } from '../model/ports.ts';

/** US dollars for so many network users. */
export const priceUsd = (users: number): number => users * mixin.userPriceUsd;

export interface Cost {
  readonly price_usd: number;
  /** Users the list asks for. */
  readonly planned_users: number;
  readonly planned_usd: number;
  /** Users that Mixin said it had created. */
  readonly created_users: number;
  readonly created_usd: number;
  /** Users of whose creation nobody knows: the call was sent and its answer never came. */
  readonly unsure_users: number;
  readonly unsure_usd: number;
}

/** Undefined for a batch that costs nothing. */
export const describeCost = ({ paid_rows }: Batch, { network_users }: BotCounts): Cost | undefined => {
  if (paid_rows === undefined) return undefined;
  const created = network_users.enrolled ?? 0;
  const unsure = network_users.unsure ?? 0;
  return {
    price_usd: mixin.userPriceUsd,
    planned_users: paid_rows,
    planned_usd: priceUsd(paid_rows),
    created_users: created,
    created_usd: priceUsd(created),
    unsure_users: unsure,
    unsure_usd: priceUsd(unsure),
  };
};
