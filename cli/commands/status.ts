/** status: shows a batch's status. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { BatchView } from '../../lib/api/contract.ts';
import type { ApiClient } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { describeCost, describePlan } from '../cost.ts';
import { chooseExitCode, countBots, countUnfinished } from '../exit-codes.ts';
import type { FormatCommand } from '../hint.ts';
import { batchArgument, joinParagraphs } from '../options.ts';
import { alignColumns, formatCount } from '../output.ts';
import { formatDuration } from '../progress.ts';
import { describeFollowed, describeNewSecrets, describeUnsureUsers, formatRowCounts } from '../summary.ts';

const suggestNextSteps = (batch: BatchView, formatCommand: FormatCommand): string[] => {
  const { batch_id, states, errors } = batch;
  const steps: string[][] = [];
  for (const state of ['blocked', 'failed'] as const) {
    if (states[state]) steps.push([`Why ${state}:`, formatCommand('bots', batch_id, '--state', state)]);
  }
  if (errors.length > 0) steps.push(['Rows that were refused:', formatCommand('errors', batch_id)]);
  if (batch.status === 'stuck') steps.push(['Try again:', formatCommand('retry', batch_id)]);
  return alignColumns(steps);
};

const stateNotes: Readonly<Record<string, string>> = {
  enrolled: '  (their accounts have rows of their own)',
};

const describeProgress = (batch: BatchView, formatCommand: FormatCommand): string[] => {
  const isOnlyWaiting = countUnfinished(batch) === batch.states.waiting;
  const timeLeft =
    batch.eta_seconds === null || isOnlyWaiting ? '' : `, about ${formatDuration(batch.eta_seconds)} left`;
  const counts = Object.entries(batch.states).filter(([, count]) => count > 0);
  return [
    `  ${batch.percent_done}%: ${batch.finished} of ${formatCount(countBots(batch), 'bot')} finished${timeLeft}`,
    ...counts.map(([state, count]) => `  ${String(count).padStart(6)}  ${state}${stateNotes[state] ?? ''}`),
    ...[...describeFollowed(batch), ...describeNewSecrets(batch), ...describeCost(batch)].map(
      (line) => `  ${line}`,
    ),
    ...describeUnsureUsers(batch, formatCommand),
  ];
};

const describeBatch = (batch: BatchView, formatCommand: FormatCommand): string[] => [
  `Batch ${batch.batch_id}: ${batch.status === 'received' ? 'received, not read yet' : batch.status}`,
  ...(batch.problem ? [`  ${batch.problem.message} ${batch.problem.fix}`] : []),
  `  ${formatRowCounts(batch)}`,
  ...(batch.status === 'planned'
    ? describePlan(batch, formatCommand)
    : describeProgress(batch, formatCommand)),
  ...suggestNextSteps(batch, formatCommand),
];

const REREAD_AFTER_MS = 500;

/** While a bot changes its state it may be counted as not in the batch: such a batch is read twice. */
const readBatch = async (api: ApiClient, batch_id: string, signal: AbortSignal): Promise<BatchView> => {
  const batch = await api.readBatch(batch_id);
  if (batch.not_in_batch === 0) return batch;
  await sleep(REREAD_AFTER_MS, undefined, { signal });
  return api.readBatch(batch_id);
};

const showStatus = async ({ connectToRead, formatCommand, output, signal }: Context, batch_id: string) => {
  const api = await connectToRead();
  const batch = await readBatch(api, batch_id, signal);
  output.writeJson(batch);
  output.writeLines(describeBatch(batch, formatCommand));
  return chooseExitCode(api, batch);
};

export const addStatus = (program: Command, run: Run): void => {
  program
    .command('status')
    .summary("Shows a batch's status: how many bots are in which state.")
    .description(
      joinParagraphs(
        "Shows a batch's status: how many bots are in which state. Batches are listed nowhere, so keep the batch id; the same upload prints it again.",
        '--json prints the batch as the API answers.',
      ),
    )
    .addArgument(batchArgument())
    .action(run(showStatus));
};
