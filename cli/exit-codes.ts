/** Exit codes that a script can trust, and which of them a batch deserves. */

import type { BatchView } from '../lib/api/contract.ts';
import type { ApiClient } from './api-client.ts';

export const exitCodes = {
  done: 0,
  usage: 1,
  refused: 2,
  actionNeeded: 3,
  interrupted: 4,
  unfinished: 5,
  planned: 6,
} as const;

/** For enlist --help. */
export const exitCodeHelp = `Exit codes:
  0  done; for a batch: every bot is registered or external; upload without
     --watch: the lists are stored
  1  the command line is wrong, or a file cannot be read; nothing was sent
  2  the API or AWS refused or could not be reached; doctor: a check failed
  3  the batch is finished, and an operator must act: bots are blocked, failed
     or unsure, or rows or the whole list were refused
  4  interrupted
  5  not finished: bots are still being worked on, or wait for a later time;
     sign-in: the code was not given yet
  6  planned: the batch would create users that cost money; nothing is created
     before enlist confirm
  Of several batches the most urgent code counts: 3, then 6, then 5, then 0.`;

/** The bots of the batch: its valid rows, without those that belong to another batch now. */
export const countBots = ({ accepted, not_in_batch }: BatchView): number => accepted - not_in_batch;

export const countUnfinished = (batch: BatchView): number => countBots(batch) - batch.finished;

/** Accounts whose creation got no answer: they are finished, and only an operator can decide about them. */
const countUnsure = ({ finished, states }: BatchView): number =>
  (['registered', 'external', 'blocked', 'failed'] as const).reduce(
    (rest, state) => rest - states[state],
    finished,
  );

/** Rows that were refused only when they were imported are not counted in `invalid`: their errors show them. */
const hasRefusedRows = async (api: ApiClient, batch: BatchView): Promise<boolean> => {
  if (batch.invalid > 0) return true;
  if (batch.not_in_batch === 0) return false;
  for await (const { code } of api.listErrors(batch.batch_id)) if (code !== 'duplicate') return true;
  return false;
};

const needsAction = async (api: ApiClient, batch: BatchView): Promise<boolean> =>
  batch.problem !== undefined ||
  batch.states.blocked + batch.states.failed + countUnsure(batch) > 0 ||
  hasRefusedRows(api, batch);

/** For a batch as it is now: as long as any bot is unfinished, the batch is. */
export const chooseExitCode = async (api: ApiClient, batch: BatchView): Promise<number> => {
  const { status } = batch;
  if (status === 'planned') return exitCodes.planned;
  if (status === 'received' || status === 'importing') return exitCodes.unfinished;
  if (status === 'imported' && countUnfinished(batch) > 0) return exitCodes.unfinished;
  return (await needsAction(api, batch)) ? exitCodes.actionNeeded : exitCodes.done;
};

/** For a batch that was followed to its end: the only unfinished bots are those that wait for long. */
export const chooseFinalExitCode = async (api: ApiClient, batch: BatchView): Promise<number> => {
  if (batch.status === 'planned') return exitCodes.planned;
  if (await needsAction(api, batch)) return exitCodes.actionNeeded;
  return countUnfinished(batch) > 0 ? exitCodes.unfinished : exitCodes.done;
};

const byPriority: readonly number[] = [exitCodes.actionNeeded, exitCodes.planned, exitCodes.unfinished];

/** One exit code for several batches: the most urgent one. */
export const findMostUrgent = (codes: readonly number[]): number =>
  byPriority.find((code) => codes.includes(code)) ?? exitCodes.done;
