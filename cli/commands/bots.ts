/** bots: lists the bots of a batch. */
import { type Command, Option } from 'commander';
import type { BotView } from '../../lib/api/contract.ts';
import { states } from '../../lib/model/states.ts';
import type { ApiClient } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { batchArgument, formatExamples, joinParagraphs } from '../options.ts';
import { alignColumns, formatTime } from '../output.ts';

const HEADINGS = ['line', 'bot id', 'state', 'reason'];

const formatCells = ({ line, bot_id, state, reason, wait_until, enrolment, user_id }: BotView): string[] => {
  const remarks = [
    ...(reason ? [reason.code] : []),
    ...(wait_until === undefined ? [] : [`until ${formatTime(wait_until)}`]),
    ...(enrolment && user_id !== undefined ? [`account ${user_id}`] : []),
  ];
  return [String(line), bot_id, state, remarks.join(' ')];
};

interface Options {
  readonly state?: string;
  readonly all?: true;
}

const readBots = async (api: ApiClient, batch_id: string, { state, all }: Options) => {
  if (!all) {
    const { bots, cursor } = await api.readBotPage(batch_id, state);
    return { bots, hasMore: cursor !== undefined };
  }
  const bots: BotView[] = [];
  for await (const bot of api.listBots(batch_id, state)) bots.push(bot);
  return { bots, hasMore: false };
};

const listBots = async ({ connectToRead, output }: Context, batch_id: string, options: Options) => {
  const { bots, hasMore } = await readBots(await connectToRead(), batch_id, options);
  for (const bot of bots) output.writeJson(bot);
  if (bots.length > 0) output.writeLines(alignColumns([HEADINGS, ...bots.map(formatCells)]));
  else output.writeLine(options.state === undefined ? 'No bots yet.' : `No bots are ${options.state}.`);
  if (hasMore) output.writeNote('These are only the first bots; --all lists every one.');
  return exitCodes.done;
};

export const addBots = (program: Command, run: Run): void => {
  program
    .command('bots')
    .summary('Lists the bots of a batch with their states and reasons.')
    .description(
      joinParagraphs(
        'Lists the bots of a batch with their states and reasons. enlist show explains a reason and says what to do.',
        'Without --all it stops after the first 100. A bot that is in a later list too belongs to the batch of that list.',
        'An account that is not created or signed in yet has a row with an id of Enlist. Afterwards that row is enrolled and names the account, which has a row of its own.',
        '--json prints one bot per line, as the API answers.',
      ),
    )
    .addArgument(batchArgument())
    .addOption(new Option('--state <STATE>', 'only bots in one state').choices(states))
    .option('--all', 'every bot, page by page')
    .addHelpText('after', formatExamples('enlist bots BATCH --state blocked'))
    .action(run(listBots));
};
