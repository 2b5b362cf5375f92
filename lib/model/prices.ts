/** Prices in US dollars. docs/costs.md has the full account; a test compares the two. */
export const prices = {
  /** A network user, which Mixin charges to its owner: https://developers.mixin.one/docs/api/users/network-user (read 2026-11-21). */
  networkUserUsd: 0.5,
  /** A secret for a month: https://aws.amazon.com/secrets-manager/pricing/ (read 2026-11-21). */
  secretMonthUsd: 0.4,
} as const;
