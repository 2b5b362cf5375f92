/** How a batch ended, as exit codes that a script can trust. */

import type { BatchView } from '../lib/api/contract.ts';
import type { ApiClient } from './api-client.ts';
import { exitCodes } from './failure.ts';

/** Bots that are still on their way or wait. */
const countOpen = ({ accepted, not_in_batch, finished }: BatchView) => accepted - not_in_batch - finished;

/** At rest, and neither done nor refused: accounts whose making got no answer, so that somebody must decide. */
const countDoubtful = ({ finished, states }: BatchView): number =>
  (['registered', 'external', 'blocked', 'failed'] as const).reduce(
    (rest, state) => rest - states[state],
    finished,
  );

/** Rows that were refused only when they were taken in are not counted in `invalid`; their errors tell. */
const hasRefusedRows = async (api: ApiClient, batch: BatchView): Promise<boolean> => {
  if (batch.invalid > 0) return true;
  if (batch.not_in_batch === 0) return false;
  for await (const { code } of api.listErrors(batch.batch_id)) if (code !== 'duplicate') return true;
  return false;
};

const needsHands = async (api: ApiClient, batch: BatchView): Promise<boolean> =>
  batch.problem !== undefined ||
  (batch.states.blocked ?? 0) + (batch.states.failed ?? 0) + countDoubtful(batch) > 0 ||
  hasRefusedRows(api, batch);

const hasNoEnd = (batch: BatchView) => batch.status === 'received' || batch.status === 'importing';

/** Of a batch as it is now: while anything is open it has not ended. */
export const codeOfStatus = async (api: ApiClient, batch: BatchView): Promise<number> => {
  if (batch.status === 'planned') return exitCodes.planned;
  const isOpen = hasNoEnd(batch) || (batch.status === 'imported' && countOpen(batch) > 0);
  if (isOpen) return exitCodes.open;
  return (await needsHands(api, batch)) ? exitCodes.hands : exitCodes.done;
};

/** Of a batch that was followed to its end: only bots that wait for long are still open. */
export const codeOfEnd = async (api: ApiClient, batch: BatchView): Promise<number> => {
  if (batch.status === 'planned') return exitCodes.planned;
  if (await needsHands(api, batch)) return exitCodes.hands;
  return countOpen(batch) > 0 ? exitCodes.open : exitCodes.done;
};

const byWeight: readonly number[] = [exitCodes.hands, exitCodes.planned, exitCodes.open];

/** Of several batches: what needs hands comes first, then what waits for its cost to be accepted, then what is open. */
export const worstOf = (codes: readonly number[]): number =>
  byWeight.find((code) => codes.includes(code)) ?? exitCodes.done;
