/** retry: queues bots of a batch again. */
import { type Command, Option } from 'commander';
import type { BatchView, BotView } from '../../lib/api/contract.ts';
import { retryStates } from '../../lib/model/states.ts';
import type { ApiClient } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { formatUsd } from '../cost.ts';
import { UsageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { batchArgument, formatExamples, joinParagraphs, reasonOption } from '../options.ts';
import { escapeControls, formatCount, formatTime } from '../output.ts';

/** Retrying what is unsure may cost the price a second time, and has an option of its own. */
const freeStates = retryStates.filter((state) => state !== 'unsure');

/** Those that the API retries when none is named. */
const defaultStates: readonly RetryState[] = ['blocked', 'failed'];

type RetryState = (typeof freeStates)[number];

interface Options {
  readonly state?: readonly RetryState[];
  readonly reason?: string;
  readonly payAgain?: true;
  readonly despitePinLock?: true;
}

/** Why no bot was queued again: how many were looked at. */
const describeNothing = (batch: BatchView, { state: states = defaultStates, reason }: Options): string => {
  const count = states.reduce((sum, state) => sum + batch.states[state], 0);
  const which = `${count === 0 ? 'no bot' : formatCount(count, 'bot')} ${count > 1 ? 'are' : 'is'} ${states.join(' or ')}`;
  const rest = count === 0 || reason === undefined ? '' : `, and none for the reason ${reason}`;
  return `No bot was queued again: ${which}${rest}.`;
};

const retryFree = async ({ output }: Context, api: ApiClient, batch_id: string, options: Options) => {
  const { state, reason, despitePinLock } = options;
  // A locked PIN makes a bot wait.
  const states = state ?? (despitePinLock && ['waiting']);
  const { retried, pin_locked } = await api.retryBatch(batch_id, {
    ...(states && { states }),
    ...(reason !== undefined && { reason }),
    ...(despitePinLock && { despite_pin_lock: true }),
  });
  output.writeJson({ batch_id, retried, pin_locked });
  if (retried > 0) output.writeLine(`Queued again: ${retried}.`);
  else if (pin_locked > 0) output.writeLine('No bot was queued again.');
  else if (!output.isJson) output.writeLine(describeNothing(await api.readBatch(batch_id), options));
  if (pin_locked > 0) output.writeLine(`Not queued, because their PIN is locked: ${pin_locked}.`);
  return retried;
};

const describeUnsure = ({ bot_id, enrolment, state_since }: BotView): string => {
  const name = enrolment?.kind === 'network_user' ? `"${escapeControls(enrolment.full_name)}"` : 'a sign-in';
  return `  ${bot_id}  ${name}, unsure since ${formatTime(state_since)} UTC`;
};

/** Shows the users whose creation got no answer and creates these again, and none that becomes unsure meanwhile. */
const retryPaid = async ({ output }: Context, api: ApiClient, batch_id: string, { reason }: Options) => {
  const price = (await api.readBatch(batch_id)).cost?.price_usd ?? 0;
  const rows: BotView[] = [];
  for await (const bot of api.listBots(batch_id, { state: 'unsure' }))
    if (bot.enrolment && (reason === undefined || bot.reason?.code === reason)) rows.push(bot);
  if (rows.length > 0)
    output.writeNote(
      `${formatCount(rows.length, 'user')} may exist already: creating them again may cost up to ${formatUsd(rows.length * price)} more.`,
    );
  for (const row of rows) output.writeNote(describeUnsure(row));
  const retried = await api.payAgain(
    batch_id,
    rows.map(({ bot_id, state_since }) => ({ bot_id, state_since })),
  );
  const may_cost_usd = retried * price;
  output.writeJson({ batch_id, retried, pin_locked: 0, may_cost_usd });
  if (retried === 0) output.writeLine('No creation is unsure, so none was queued again.');
  else
    output.writeLine(`Queued again: ${retried}. Up to ${formatUsd(may_cost_usd)} may be paid a second time.`);
  return retried;
};

const retryBatch = async (context: Context, batch_id: string, options: Options) => {
  const api = await context.connect();
  const retry = options.payAgain ? retryPaid : retryFree;
  const retried = await retry(context, api, batch_id, options);
  if (retried > 0) context.output.writeLine(`Follow them:  ${context.formatCommand('watch', batch_id)}`);
  return exitCodes.done;
};

const collectStates = (text: string, earlier: readonly RetryState[] = []): readonly RetryState[] => {
  const given = freeStates.find((state) => state === text);
  if (given !== undefined) return [...earlier, given];
  throw new UsageError(`--state must be one of ${freeStates.join(', ')}.`);
};

export const addRetry = (program: Command, run: Run): void => {
  program
    .command('retry')
    .summary('Queues bots again, once what stopped them is fixed.')
    .description(
      joinParagraphs(
        'Queues bots of a batch again, once what stopped them is fixed; without --state, those that are blocked or failed. A bot whose PIN is locked is not queued, because each attempt extends the lock; --despite-pin-lock queues it all the same. The list of a batch that is stuck is read again.',
        "A user whose creation got no answer is unsure: Mixin may have created it and charged for it. Enlist never repeats such a creation by itself. Compare the owner's bill with what enlist status shows as created. --pay-again shows these users and creates them again, and pays twice for those that were created. A user that becomes unsure later is not created again by it.",
        '--json prints {"batch_id", "retried", "pin_locked"}; with --pay-again also "may_cost_usd".',
      ),
    )
    .addArgument(batchArgument())
    .addOption(
      new Option('--state <STATE>', 'bots in this state; can be given several times')
        .choices(freeStates)
        .argParser(collectStates),
    )
    .addOption(reasonOption())
    .addOption(
      new Option('--pay-again', 'create users that are unsure again, although this may cost twice').conflicts(
        'state',
      ),
    )
    .addOption(
      new Option(
        '--despite-pin-lock',
        'also bots whose PIN is locked (without --state, those that wait): if the lock is real, this extends it by a day',
      ).conflicts('payAgain'),
    )
    .addHelpText(
      'after',
      formatExamples(
        'enlist retry BATCH --reason session_refused',
        'enlist bots BATCH --state unsure',
        'enlist retry BATCH --pay-again',
      ),
    )
    .action(run(retryBatch));
};
