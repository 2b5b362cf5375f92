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

const formatCells = (bot: BotView, batch_id: string): string[] => {
  const { line, bot_id, state, reason, wait_until, enrolment, user_id } = bot;
  const remarks = [
    ...(reason ? [reason.code] : []),
    ...(wait_until === undefined ? [] : [`until ${formatTime(wait_until)}`]),
    ...(enrolment && user_id !== undefined ? [`account ${user_id}`] : []),
    ...(bot.batch_id === batch_id ? [] : [`now in batch ${bot.batch_id}`]),
  ];
  return [String(line), bot_id, state, remarks.join(' ')];
};

interface Options {
  readonly state?: string;
  readonly reason?: string;
  readonly all?: true;
}

const readBots = async (api: ApiClient, batch_id: string, { all, ...filter }: Options) => {
  const bots: BotView[] = [];
  if (all) {
    for await (const bot of api.listBots(batch_id, filter)) bots.push(bot);
    return { bots, hasMore: false };
  }
  // A page may be empty although bots follow: a search for a reason looks at some rows at a time.
  let cursor: string | undefined;
  do {
    const page = await api.readBotPage(batch_id, filter, cursor);
    bots.push(...page.bots);
    cursor = page.cursor;
  } while (bots.length === 0 && cursor !== undefined);
  return { bots, hasMore: cursor !== undefined };
};

const describeNone = ({ state, reason }: Options): string => {
  if (state === undefined && reason === undefined) return 'No bots yet.';
  const those = `No bots ${state === undefined ? '' : `are ${state}`}`;
  if (reason === undefined) return `${those}.`;
  return `${those}${state === undefined ? 'have' : ' with'} the reason ${reason}.`;
};

const listBots = async ({ connect, output }: Context, batch_id: string, options: Options) => {
  const { bots, hasMore } = await readBots(await connect(), batch_id, options);
  for (const bot of bots) output.writeJson(bot);
  if (bots.length > 0)
    output.writeLines(alignColumns([HEADINGS, ...bots.map((bot) => formatCells(bot, batch_id))]));
  else output.writeLine(describeNone(options));
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
        'In the order of the list; without --all it stops after the first 100. A bot that is in a later list too counts in the batch of that list, which is named.',
        'An account that is not created or signed in yet has a row with an id of Enlist. Afterwards that row is enrolled and names the account, which has a row of its own.',
        '--json prints one bot per line, as the API answers.',
      ),
    )
    .addArgument(batchArgument())
    .addOption(new Option('--state <STATE>', 'only bots in one state').choices(states))
    .option('--reason <REASON>', 'only bots with this reason code')
    .option('--all', 'every bot, page by page')
    .addHelpText('after', formatExamples('enlist bots BATCH --state blocked'))
    .action(run(listBots));
};
