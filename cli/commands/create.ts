/** create: has a bot create network users, which then go into Safe. */
import { createHash } from 'node:crypto';
import type { BatchView } from '../../lib/api/contract.ts';
import { limits } from '../../lib/model/limits.ts';
import { prices } from '../../lib/model/prices.ts';
import type { ApiClient } from '../api-client.ts';
import { mustBeGiven, noArguments, usdOption, uuidOption, wholeOption } from '../arguments.ts';
import type { Call, Command } from '../command.ts';
import { planLines, usd, usersOf } from '../cost.ts';
import { exitCodes, isAbort, UsageError } from '../failure.ts';
import { codeOfStatus } from '../outcome.ts';
import { bytes } from '../output.ts';
import { waitUntilRead } from '../progress.ts';
import { watchBatch } from './watch.ts';

interface Wanted {
  readonly owner: string;
  readonly count: number;
  readonly full_name: string;
}

const readWanted = (call: Call): Wanted => {
  noArguments(call);
  const owner = mustBeGiven('--owner', uuidOption(call, 'owner', 'the user id of the bot that creates them'));
  const count = mustBeGiven('--count', wholeOption(call, 'count', 1, limits.maxRows));
  const full_name = mustBeGiven('--full-name', call.text('full-name')).trim();
  if (full_name === '') throw new UsageError('--full-name is empty.');
  return { owner, count, full_name };
};

/** The same users and the same text give the same key: never two batches by mistake. */
const keyOf = ({ owner, count, full_name }: Wanted, text: string | undefined): string =>
  createHash('sha256')
    .update(JSON.stringify(['create', owner, count, full_name, text ?? '']))
    .digest('hex');

/**
 * Asks for the plan. A cost that is accepted goes to the plan afterwards, not with this: so the request is the
 * same whatever is accepted, and so is its batch.
 */
const send = (api: ApiClient, wanted: Wanted, text: string | undefined) =>
  api.sendList(Buffer.from(JSON.stringify({ create: wanted })), 'application/json', keyOf(wanted, text));

/** Waits for the plan. */
const readPlan = ({ output, signal }: Call, api: ApiClient, batch_id: string): Promise<BatchView> =>
  waitUntilRead(api, batch_id, signal).catch((error: unknown) => {
    if (isAbort(error)) output.note(`The plan is made all the same. See it:  enlist status ${batch_id}`);
    throw error;
  });

/** Confirms a plan that costs no more than was accepted. Returns the batch as it is then. */
const startIfAccepted = async (
  { output }: Call,
  api: ApiClient,
  batch: BatchView,
  accepted: number | undefined,
): Promise<BatchView> => {
  if (batch.status !== 'planned' || !batch.cost || accepted === undefined) return batch;
  if (accepted < batch.cost.planned_usd) {
    output.note(`Accepting ${usd(accepted)} is too little.`);
    return batch;
  }
  await api.confirmBatch(batch.batch_id, accepted);
  return { ...batch, status: 'importing' };
};

const lines = (batch: BatchView): string[] => {
  const { batch_id, problem, status } = batch;
  if (problem) return [`Nothing was created: ${problem.message} ${problem.fix}`];
  return status === 'planned' ? planLines(batch) : [`Follow it:  enlist watch ${batch_id}`];
};

const isOnItsWay = ({ status }: BatchView) => status === 'importing' || status === 'imported';

const run = async (call: Call): Promise<number> => {
  const { output } = call;
  const wanted = readWanted(call);
  const accepted = usdOption(call, 'accept-cost');
  const api = await call.api();
  const { batch_id, status } = await send(api, wanted, call.text('key'));
  const again = status === 'received' ? '' : `  (asked for before: ${status}; --key makes another batch)`;
  const told = `${batch_id}  ${usersOf(wanted.count)} of ${wanted.owner}${again}`;
  if (output.isJson) output.note(told);
  else output.line(told);
  const batch = await startIfAccepted(call, api, await readPlan(call, api, batch_id), accepted);
  if (call.flag('watch')) return watchBatch(call, api, batch_id);
  output.json(batch);
  for (const line of lines(batch)) output.line(line);
  return isOnItsWay(batch) ? exitCodes.done : codeOfStatus(api, batch);
};

export const create: Command = {
  usage: 'create',
  summary: 'Has a bot create network users and brings them into Safe; it costs money and is planned first.',
  details: [
    `A network user costs ${usd(prices.networkUserUsd)}, which Mixin charges to the owner. Without --accept-cost nothing is created: the`,
    'plan is told, with its cost and how to confirm it. The owner is a bot that was listed before.',
    'The same command again answers the same batch and creates nothing more, so it may be repeated after any',
    'trouble. Another --key makes another batch of the same users.',
    '--json prints the batch, as the API answers GET /batches/{batch_id}, once its plan is there; with --watch',
    'at its end.',
  ],
  options: {
    owner: {
      type: 'string',
      value: 'USER_ID',
      help: 'the bot that creates them, by the app_id of its keystore',
    },
    count: { type: 'string', value: 'N', help: `how many, up to ${bytes(limits.maxRows)}` },
    'full-name': {
      type: 'string',
      value: 'TEXT',
      help: 'their name; {n} in it stands for the number of each: "Bot {n}"',
    },
    'accept-cost': {
      type: 'string',
      value: 'USD',
      help: 'what they may cost in all, in US dollars; without it: only plan',
    },
    key: {
      type: 'string',
      value: 'TEXT',
      help: 'tells this creation from another of the same owner, count and name',
    },
    watch: { type: 'boolean', help: 'follow the batch and tell how it ended' },
  },
  run,
};
