/** confirm: accepts the cost of a planned batch, which then starts. */
import type { Command } from 'commander';
import type { BatchReferenceView } from '../../lib/api/contract.ts';
import { type ApiClient, ApiError } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { describePlan, formatUsd } from '../cost.ts';
import { RequestError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { acceptCostOption, batchArgument, formatExamples, joinParagraphs, watchOption } from '../options.ts';
import { watchBatch } from './watch.ts';

/** Throws RequestError with the whole plan when it costs more. */
export const acceptCost = async (
  { formatCommand }: Context,
  api: ApiClient,
  batch_id: string,
  dollars: number,
): Promise<BatchReferenceView> => {
  try {
    return await api.confirmBatch(batch_id, dollars);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'cost_not_accepted')) throw error;
    const plan = describePlan(await api.readBatch(batch_id), formatCommand);
    throw new RequestError([`Accepting ${formatUsd(dollars)} is not enough.`, ...plan].join('\n'));
  }
};

interface Options {
  readonly acceptCost: number;
  readonly watch?: true;
}

const confirmBatch = async (context: Context, batch_id: string, options: Options) => {
  const { formatCommand, output } = context;
  const api = await context.connect();
  const { status } = await acceptCost(context, api, batch_id, options.acceptCost);
  output.writeLine('The cost is accepted.');
  if (options.watch) return watchBatch(context, api, batch_id);
  output.writeJson({ batch_id, status });
  output.writeLine(`Follow it:  ${formatCommand('watch', batch_id)}`);
  return exitCodes.done;
};

export const addConfirm = (program: Command, run: Run): void => {
  program
    .command('confirm')
    .summary('Accepts the cost of a planned batch and starts it.')
    .description(
      joinParagraphs(
        'Accepts the cost of a planned batch, which then creates its users. Before that, none of its rows is imported. enlist status shows the cost, and later how much of it was spent.',
        'Mixin charges the owner of the users. A batch that costs more than you accept does not start.',
        '--json prints {"batch_id", "status"}; with --watch the batch, as enlist watch does.',
      ),
    )
    .addArgument(batchArgument())
    .addOption(acceptCostOption('required: the most that it may cost, in US dollars').makeOptionMandatory())
    .addOption(watchOption())
    .addHelpText('after', formatExamples('enlist confirm BATCH --accept-cost 5.00 --watch'))
    .action(run(confirmBatch));
};
