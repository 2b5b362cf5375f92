/** What the users of a batch cost, in words. The numbers are the API's. */

import type { BatchView, CostView } from '../lib/api/contract.ts';
import { limits } from '../lib/model/limits.ts';
import { columns, shortTime } from './output.ts';

/** 5.00, or as many digits as the amount has. */
export const amount = (dollars: number): string => {
  const cents = dollars.toFixed(2);
  return Number(cents) === dollars ? cents : String(dollars);
};

export const usd = (dollars: number): string => `${amount(dollars)} USD`;

export const usersOf = (count: number): string => (count === 1 ? '1 user' : `${count} users`);

/** The command that accepts the cost of a planned batch. */
export const confirmCommand = ({ batch_id, cost }: BatchView): string =>
  `enlist confirm ${batch_id} --accept-cost ${cost ? amount(cost.planned_usd) : 'USD'}`;

const sumOf = ({ planned_users, planned_usd, price_usd }: CostView) =>
  `It would create ${usersOf(planned_users)} at ${usd(price_usd)} each: ${usd(planned_usd)}, charged by Mixin to the owner.`;

/** A plan may be confirmed so long. */
const endOf = ({ created_at }: BatchView) =>
  shortTime(new Date(Date.parse(created_at) + 1_000 * limits.planSeconds).toISOString());

/** What a planned batch would cost, and how to accept that. */
export const planLines = (batch: BatchView): string[] => [
  ...(batch.cost ? [sumOf(batch.cost)] : []),
  `Nothing is created until the cost is accepted, and it may be until ${endOf(batch)} UTC:`,
  `  ${confirmCommand(batch)}`,
];

/** Users whose creation got no answer: they rest until somebody decides. */
export const countLost = ({ cost }: BatchView): number => cost?.unsure_users ?? 0;

/** What was planned and what is spent; nothing of a batch without a cost. */
export const costLines = ({ cost }: BatchView): string[] => {
  if (!cost) return [];
  const rows = [
    { count: cost.planned_users, sum: cost.planned_usd, what: 'planned' },
    { count: cost.created_users, sum: cost.created_usd, what: 'created' },
    { count: cost.unsure_users, sum: cost.unsure_usd, what: 'possibly created' },
  ];
  const shown = rows.filter(({ count, what }) => count > 0 || what === 'planned');
  const cells = shown.map(({ count, what, sum }) => [String(count).padStart(6), what, usd(sum)]);
  return [`users, at ${usd(cost.price_usd)} each:`, ...columns(cells)];
};
