/** create: has a bot create network users, which are then registered with Safe. */
import { createHash } from 'node:crypto';
import { type Command, Option } from 'commander';
import type { BatchView } from '../../lib/api/contract.ts';
import { limits } from '../../lib/model/limits.ts';
import { prices } from '../../lib/model/prices.ts';
import { type ApiClient, ApiError } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { describePlan, formatUsd } from '../cost.ts';
import { isAbort, UsageError } from '../errors.ts';
import { chooseExitCode, exitCodes } from '../exit-codes.ts';
import type { FormatCommand } from '../hint.ts';
import {
  acceptCostOption,
  formatExamples,
  joinParagraphs,
  parseId,
  parseWholeNumber,
  watchOption,
} from '../options.ts';
import { formatCount, formatNumber } from '../output.ts';
import { waitUntilRead } from '../progress.ts';
import { acceptCost } from './confirm.ts';
import { watchBatch } from './watch.ts';

interface Options {
  readonly owner: string;
  readonly count: number;
  readonly fullName: string;
  readonly key?: string;
  readonly acceptCost?: number;
  readonly watch?: true;
}

/** The same users and the same --key give the same key, so that no second batch is made by mistake. */
const createIdempotencyKey = ({ owner, count, fullName, key = '' }: Options): string =>
  createHash('sha256')
    .update(JSON.stringify(['create', owner, count, fullName, key]))
    .digest('hex');

/** A bot that no list has named cannot pay: nothing is planned for it. */
const requireOwner = async (api: ApiClient, owner: string, formatCommand: FormatCommand): Promise<void> => {
  try {
    await api.readBot(owner);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'no_such_bot') throw error;
    throw new UsageError(
      `No list has named the owner ${owner}. List it with its keystore first:  ${formatCommand('upload', 'FILE')}`,
    );
  }
};

/**
 * Asks for the plan. An accepted cost is sent later, not with this: so the request is the same whatever is accepted,
 * and so is its batch.
 */
const requestPlan = (api: ApiClient, options: Options) => {
  const { owner, count, fullName: full_name } = options;
  const body = Buffer.from(JSON.stringify({ create: { owner, count, full_name } }));
  return api.sendList(body, 'application/json', createIdempotencyKey(options));
};

const waitForPlan = (
  { formatCommand, output, signal }: Context,
  api: ApiClient,
  batch_id: string,
): Promise<BatchView> =>
  waitUntilRead(api, batch_id, signal).catch((error: unknown) => {
    if (isAbort(error))
      output.writeNote(`The plan is still being made. See it:  ${formatCommand('status', batch_id)}`);
    throw error;
  });

/** Confirms a plan that costs no more than was accepted. Returns the batch as it is then. */
const startIfAccepted = async (
  context: Context,
  api: ApiClient,
  batch: BatchView,
  accepted: number | undefined,
): Promise<BatchView> => {
  if (batch.status !== 'planned' || !batch.cost || accepted === undefined) return batch;
  if (accepted < batch.cost.planned_usd) {
    context.output.writeNote(`Accepting ${formatUsd(accepted)} is not enough.`);
    return batch;
  }
  await acceptCost(context, api, batch.batch_id, accepted);
  return { ...batch, status: 'importing' };
};

const describeOutcome = (batch: BatchView, formatCommand: FormatCommand): string[] => {
  const { batch_id, problem, status } = batch;
  if (problem) return [`Nothing was created: ${problem.message} ${problem.fix}`];
  return status === 'planned'
    ? describePlan(batch, formatCommand)
    : [`Follow it:  ${formatCommand('watch', batch_id)}`];
};

const createUsers = async (context: Context, given: Options) => {
  const { formatCommand, output } = context;
  const options = { ...given, fullName: given.fullName.trim() };
  if (options.fullName === '') throw new UsageError('--full-name is empty.');
  const api = await context.connect();
  await requireOwner(api, options.owner, formatCommand);
  const { batch_id, status } = await requestPlan(api, options);
  const note =
    status === 'received' ? '' : `  (requested before: ${status}; another --key makes a new batch)`;
  const line = `${batch_id}  ${formatCount(options.count, 'user')} of ${options.owner}${note}`;
  if (output.isJson) output.writeNote(line);
  else output.writeLine(line);
  const plan = await waitForPlan(context, api, batch_id);
  const batch = await startIfAccepted(context, api, plan, options.acceptCost);
  if (options.watch) return watchBatch(context, api, batch_id);
  output.writeJson(batch);
  output.writeLines(describeOutcome(batch, formatCommand));
  const isStarted = batch.status === 'importing' || batch.status === 'imported';
  return isStarted ? exitCodes.done : chooseExitCode(api, batch);
};

export const addCreate = (program: Command, run: Run): void => {
  program
    .command('create')
    .summary('Plans and creates network users, which costs money.')
    .description(
      joinParagraphs(
        `Has a bot create network users and registers them with Safe. Each costs ${formatUsd(prices.networkUserUsd)}, which Mixin charges to the owner. Without --accept-cost nothing is created: the command shows the plan, its cost, and how to confirm it. A plan that is not confirmed in time expires.`,
        'The owner is a bot of an earlier list. The same command again gives the same batch and creates nothing more, so you can repeat it after any error. To create more users with the same owner, count and name, give another --key.',
        '--json prints the batch when its plan is there, as the API answers; with --watch, at its end.',
      ),
    )
    .requiredOption(
      '--owner <BOT_ID>',
      'required: the bot that creates and pays for them, by its app_id',
      parseId('--owner', 'the app_id of the bot that creates them'),
    )
    .requiredOption(
      '--count <N>',
      `required: how many users, up to ${formatNumber(limits.maxRows)}`,
      parseWholeNumber('--count', 1, limits.maxRows),
    )
    .requiredOption('--full-name <TEXT>', 'required: their name; {n} in it becomes the number of each')
    .addOption(acceptCostOption('the most that all of them may cost, in US dollars; without it: only plan'))
    .addOption(new Option('--key <TEXT>', 'distinguishes this batch from one with the same users'))
    .addOption(watchOption())
    .addHelpText(
      'after',
      formatExamples(
        'enlist create --owner BOT_ID --count 10 --full-name "Bot {n}"',
        'enlist confirm BATCH --accept-cost 5.00 --watch',
      ),
    )
    .action(run(createUsers));
};
