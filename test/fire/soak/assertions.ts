/** The result of a soak, from the stand-in's ledger and from how every bot ended. */
import type { LedgerEntry } from '../../../emulators/mixin/server.ts';
import type { Outcome } from '../../../infra/local/demo.ts';
import type { Stack } from './stack.ts';

/** A list, and how each of its rows must end. */
export interface ExpectedList {
  readonly list: string;
  readonly outcomes: readonly { readonly app_id: string; readonly outcome: Outcome }[];
}

/** The rows that become bots. */
export const selectBots = ({ outcomes }: ExpectedList) =>
  outcomes.filter(({ outcome }) => outcome !== 'invalid' && outcome !== 'duplicate');

/** One sentence for each bot that did not end as outcomes. */
export const findWrongEnds = async (
  stack: Stack,
  lists: readonly ExpectedList[],
  batches: readonly string[],
) => {
  const outcome = new Map(
    lists.flatMap((listed) => selectBots(listed).map(({ app_id, outcome: end }) => [app_id, end as string])),
  );
  const wrong: string[] = [];
  for (const batch_id of batches)
    for await (const bot of stack.bots(batch_id)) {
      const end = outcome.get(bot.bot_id);
      outcome.delete(bot.bot_id);
      if (end !== undefined && end !== bot.state)
        wrong.push(`${bot.bot_id} should be ${end} and is ${bot.state} (${bot.reason?.code})`);
    }
  return [...wrong, ...[...outcome.keys()].map((user_id) => `${user_id} has no row`)];
};

/**
 * One sentence for each bot that is external and should be registered. Only a bot whose key Mixin did not show, and
 * that Enlist did not register, may be external (docs/decisions/0010).
 */
export const findWronglyExternal = async (
  stack: Stack,
  lists: readonly ExpectedList[],
  batches: readonly string[],
  ledger: readonly LedgerEntry[],
) => {
  const outcomes = new Map(
    lists.flatMap((listed) => selectBots(listed).map(({ app_id, outcome }) => [app_id, outcome])),
  );
  const ours = new Set(ledger.flatMap(({ user_id, bound }) => (bound && user_id ? [user_id] : [])));
  const wrong: string[] = [];
  for (const batch_id of batches)
    for await (const { bot_id: user_id, reason } of stack.bots(batch_id, 'external')) {
      const isExplained = reason?.code === 'key_not_shown' && !ours.has(user_id);
      if (outcomes.get(user_id) === 'registered' && !isExplained)
        wrong.push(`${user_id} was external (${reason?.code}) and should be registered`);
    }
  return wrong;
};

const countAbove = (counts: ReadonlyMap<string, number>, limit: number): number =>
  [...counts.values()].filter((count) => count > limit).length;

/** From the ledger alone: bots with two keys, and owners who paid twice for one user. */
export const readLedger = (ledger: readonly LedgerEntry[]) => {
  const keys = new Map<string, Set<string>>();
  const paid = new Map<string, number>();
  let calls = 0;
  let faulted = 0;
  for (const { user_id = '', bound, path, outcome, fault } of ledger) {
    calls += 1;
    if (fault !== undefined) faulted += 1;
    if (bound) keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
    if (path === '/users' && outcome === 'accepted') paid.set(user_id, (paid.get(user_id) ?? 0) + 1);
  }
  const sizes = new Map([...keys].map(([user_id, bound]) => [user_id, bound.size]));
  return { calls, faulted, double_keys: countAbove(sizes, 1), double_paid_calls: countAbove(paid, 1) };
};
