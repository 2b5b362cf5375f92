/** What the users of a batch cost, in words. The numbers come from the API. */

import type { BatchView, CostView } from '../lib/api/contract.ts';
import { limits } from '../lib/model/limits.ts';
import type { FormatCommand } from './hint.ts';
import { alignColumns, formatCount, formatTime } from './output.ts';

/** 5 → 5.00; an amount with more than two decimals keeps them. */
const formatAmount = (dollars: number): string => {
  const cents = dollars.toFixed(2);
  return Number(cents) === dollars ? cents : String(dollars);
};

export const formatUsd = (dollars: number): string => `${formatAmount(dollars)} USD`;

/** The command that accepts the cost of a planned batch. */
const formatConfirm = ({ batch_id, cost }: BatchView, formatCommand: FormatCommand): string =>
  formatCommand('confirm', batch_id, '--accept-cost', cost ? formatAmount(cost.planned_usd) : 'USD');

const describePrice = ({ planned_users, planned_usd, price_usd }: CostView) =>
  `It would create ${formatCount(planned_users, 'user')} at ${formatUsd(price_usd)} each: ${formatUsd(planned_usd)}, which Mixin charges to the owner.`;

/** When a plan expires. */
const formatExpiry = ({ created_at }: BatchView) =>
  formatTime(new Date(Date.parse(created_at) + 1_000 * limits.planSeconds).toISOString());

/** What a planned batch would cost, and how to accept that. */
export const describePlan = (batch: BatchView, formatCommand: FormatCommand): string[] => [
  ...(batch.cost ? [describePrice(batch.cost)] : []),
  `Nothing is created before you accept the cost. Until ${formatExpiry(batch)} UTC you can:`,
  `  ${formatConfirm(batch, formatCommand)}`,
];

/** Users whose creation got no answer: nothing happens to them until an operator decides. */
export const countUnsureUsers = ({ cost }: BatchView): number => cost?.unsure_users ?? 0;

/** What was planned and what is spent; no lines for a batch without a cost. */
export const describeCost = ({ cost }: BatchView): string[] => {
  if (!cost) return [];
  const rows = [
    { count: cost.planned_users, sum: cost.planned_usd, what: 'planned' },
    { count: cost.created_users, sum: cost.created_usd, what: 'created' },
    { count: cost.unsure_users, sum: cost.unsure_usd, what: 'possibly created' },
  ];
  const shown = rows.filter(({ count, what }) => count > 0 || what === 'planned');
  const cells = shown.map(({ count, what, sum }) => [String(count).padStart(6), what, formatUsd(sum)]);
  return [`users, at ${formatUsd(cost.price_usd)} each:`, ...alignColumns(cells)];
};
