/** status: how a batch fares now. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchView } from '../../lib/api/contract.ts';
import type { ApiClient } from '../api-client.ts';
import { batchArgument } from '../arguments.ts';
import type { Command } from '../command.ts';
import { costLines, planLines } from '../cost.ts';
import { codeOfStatus } from '../outcome.ts';
import { columns } from '../output.ts';
import { lostLines } from '../summary.ts';

const statusWords: Readonly<Record<BatchView['status'], string>> = {
  received: 'received, not read yet',
  rejected: 'rejected',
  planned: 'planned',
  importing: 'being taken in',
  imported: 'taken in',
  stuck: 'stuck',
};

const nextSteps = (batch: BatchView): string[] => {
  const { batch_id, states, errors } = batch;
  const next: string[][] = [];
  for (const state of ['blocked', 'failed'] as const) {
    if (states[state]) next.push([`Why ${state}:`, `enlist bots ${batch_id} --state ${state}`]);
  }
  if (errors.length > 0) next.push(['Rows that were not taken:', `enlist errors ${batch_id}`]);
  if (batch.status === 'stuck') next.push(['Try again:', `enlist retry ${batch_id}`]);
  return columns(next);
};

const notes: Readonly<Record<string, string>> = {
  enrolled: '  (their accounts have rows of their own)',
};

const progressLines = (batch: BatchView): string[] => {
  const whole = batch.accepted - batch.not_in_batch;
  const onlyWaits = whole - batch.finished === batch.states.waiting;
  const pace = batch.eta_seconds === null || onlyWaits ? '' : `, about ${batch.eta_seconds} s left`;
  const counts = Object.entries(batch.states).filter(([, count]) => count > 0);
  return [
    `  ${batch.percent_done}%: ${batch.finished} of ${whole} bots at rest${pace}`,
    ...counts.map(([state, count]) => `  ${String(count).padStart(6)}  ${state}${notes[state] ?? ''}`),
    ...costLines(batch).map((line) => `  ${line}`),
    ...lostLines(batch),
  ];
};

const lines = (batch: BatchView): string[] => [
  `Batch ${batch.batch_id}: ${statusWords[batch.status]}`,
  ...(batch.problem ? [`  ${batch.problem.message} ${batch.problem.fix}`] : []),
  `  ${batch.total} rows, ${batch.invalid} wrong, ${batch.duplicates} double`,
  ...(batch.status === 'planned' ? planLines(batch) : progressLines(batch)),
  ...nextSteps(batch),
];

const SETTLE_MS = 500;

/** A bot on the move may be missed for a moment and then seems to be in another batch: such a batch is read twice. */
const readSettled = async (api: ApiClient, batch_id: string, signal: AbortSignal): Promise<BatchView> => {
  const batch = await api.readBatch(batch_id);
  if (batch.not_in_batch === 0) return batch;
  await sleep(SETTLE_MS, undefined, { signal });
  return api.readBatch(batch_id);
};

export const status: Command = {
  usage: 'status BATCH',
  summary: 'Tells how a batch fares now: how many bots are in which state.',
  details: [
    'BATCH is the id that upload printed; there is no list of batches, so keep it (the same upload prints it again).',
    '--json prints the batch as the API answers GET /batches/{batch_id}.',
  ],
  options: {},
  run: async (call) => {
    const batch_id = batchArgument(call);
    const api = await call.api();
    const batch = await readSettled(api, batch_id, call.signal);
    call.output.json(batch);
    for (const line of lines(batch)) call.output.line(line);
    return codeOfStatus(api, batch);
  },
};
