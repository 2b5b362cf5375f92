/** What came of a soak: by Mixin's ledger, and by where every bot is in the end. */
import type { LedgerEntry } from '../../../emulators/mixin/server.ts';
import type { Outcome } from '../../../infra/local/demo.ts';
import type { Stack } from './stack.ts';

/** A list, and where each of its rows must end. */
export interface Listed {
  readonly list: string;
  readonly outcomes: readonly { readonly app_id: string; readonly outcome: Outcome }[];
}

/** The rows that make bots. */
export const botsOf = ({ outcomes }: Listed) =>
  outcomes.filter(({ outcome }) => outcome !== 'invalid' && outcome !== 'duplicate');

/** Bots that are not where their fate is, by what they should be and are. */
export const misled = async (stack: Stack, lists: readonly Listed[], batches: readonly string[]) => {
  const ends = new Map(
    lists.flatMap((listed) => botsOf(listed).map(({ app_id, outcome }) => [app_id, outcome as string])),
  );
  const wrong: string[] = [];
  for (const batch_id of batches)
    for await (const bot of stack.bots(batch_id)) {
      const end = ends.get(bot.user_id);
      ends.delete(bot.user_id);
      if (end !== undefined && end !== bot.state)
        wrong.push(`${bot.user_id} should be ${end} and is ${bot.state} (${bot.reason?.code})`);
    }
  return [...wrong, ...[...ends.keys()].map((user_id) => `${user_id} has no row`)];
};

/**
 * Bots that are external and should be registered. That may be only where Mixin did not tell the key, and where it
 * was not Enlist that registered it (docs/decisions/0010): those are the others, a sentence each.
 */
export const disowned = async (
  stack: Stack,
  lists: readonly Listed[],
  batches: readonly string[],
  ledger: readonly LedgerEntry[],
) => {
  const outcomes = new Map(
    lists.flatMap((listed) => botsOf(listed).map(({ app_id, outcome }) => [app_id, outcome])),
  );
  const ours = new Set(ledger.flatMap(({ user_id, bound }) => (bound && user_id ? [user_id] : [])));
  const wrong: string[] = [];
  for (const batch_id of batches)
    for await (const { user_id, reason } of stack.bots(batch_id, 'external')) {
      const isExplained = reason?.code === 'key_not_shown' && !ours.has(user_id);
      if (outcomes.get(user_id) === 'registered' && !isExplained)
        wrong.push(`${user_id} was external (${reason?.code}) and should be registered`);
    }
  return wrong;
};

const mostOf = (counts: ReadonlyMap<string, number>, limit: number): number =>
  [...counts.values()].filter((count) => count > limit).length;

/** From the ledger alone: bots with two keys, and owners who paid twice for one user. */
export const readLedger = (ledger: readonly LedgerEntry[]) => {
  const keys = new Map<string, Set<string>>();
  const paid = new Map<string, number>();
  let calls = 0;
  let struck = 0;
  for (const { user_id = '', bound, path, outcome, fault } of ledger) {
    calls += 1;
    if (fault !== undefined) struck += 1;
    if (bound) keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
    if (path === '/users' && outcome === 'accepted') paid.set(user_id, (paid.get(user_id) ?? 0) + 1);
  }
  const sizes = new Map([...keys].map(([user_id, bound]) => [user_id, bound.size]));
  return { calls, struck, double_keys: mostOf(sizes, 1), double_paid_calls: mostOf(paid, 1) };
};
