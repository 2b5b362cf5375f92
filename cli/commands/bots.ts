/** bots: lists the bots of a batch. */
import { type Command, Option } from 'commander';
import type { BotView } from '../../lib/api/contract.ts';
import { states } from '../../lib/model/states.ts';
import type { ApiClient } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { batchArgument, formatExamples, joinParagraphs, reasonOption } from '../options.ts';
import { alignColumns, escapeControls, formatTime } from '../output.ts';

const HEADINGS = ['line', 'bot id', 'label', 'state', 'reason'];
const MAX_LABEL_CHARACTERS = 20;

const formatLabel = ({ label = '' }: BotView): string => {
  const characters = [...escapeControls(label)];
  if (characters.length <= MAX_LABEL_CHARACTERS) return characters.join('');
  return `${characters.slice(0, MAX_LABEL_CHARACTERS - 1).join('')}…`;
};

const formatCells = (bot: BotView, batch_id: string): string[] => {
  const { line, bot_id, state, reason, wait_until, enrolment, user_id } = bot;
  const remarks = [
    ...(reason ? [reason.code] : []),
    ...(wait_until === undefined ? [] : [`until ${formatTime(wait_until)}`]),
    ...(enrolment && user_id !== undefined ? [`account ${user_id}`] : []),
    ...(bot.batch_id === batch_id ? [] : [`now in batch ${bot.batch_id}`]),
  ];
  return [String(line), bot_id, formatLabel(bot), state, remarks.join(' ')];
};

interface Options {
  readonly state?: string;
  readonly reason?: string;
  readonly all?: true;
}

/** So many are listed without --all. */
const FIRST_BOTS = 100;

const readBots = async (api: ApiClient, batch_id: string, { all, ...filter }: Options) => {
  const bots: BotView[] = [];
  for await (const bot of api.listBots(batch_id, filter)) {
    if (!all && bots.length === FIRST_BOTS) return { bots, hasMore: true };
    bots.push(bot);
  }
  return { bots, hasMore: false };
};

const describeNoBots = ({ state, reason }: Options): string => {
  if (state === undefined && reason === undefined) return 'No bots yet.';
  if (reason === undefined) return `No bot is in the state ${state}.`;
  return `No bot ${state === undefined ? '' : `in the state ${state} `}has the reason ${reason}.`;
};

const listBots = async (context: Context, batch_id: string, options: Options) => {
  const { output } = context;
  const { bots, hasMore } = await readBots(await context.connectToRead(), batch_id, options);
  for (const bot of bots) output.writeJson(bot);
  const cells = [HEADINGS, ...bots.map((bot) => formatCells(bot, batch_id))];
  // A column that is empty for every bot only takes room.
  const shown = bots.some(({ label }) => label !== undefined)
    ? cells
    : cells.map((row) => row.toSpliced(2, 1));
  if (bots.length > 0) output.writeLines(alignColumns(shown));
  else output.writeLine(describeNoBots(options));
  if (hasMore) output.writeNote(`These are only the first ${FIRST_BOTS} bots; --all lists every one.`);
  return exitCodes.done;
};

export const addBots = (program: Command, run: Run): void => {
  program
    .command('bots')
    .summary('Lists the bots of a batch with their states and reasons.')
    .description(
      joinParagraphs(
        'Lists the bots of a batch with their states and reasons. enlist show explains a reason and says what to do.',
        `In the order of the list; without --all it stops after the first ${FIRST_BOTS}. A bot that is in a later list too counts in the batch of that list, which is named.`,
        'An account that is not created or signed in yet has a row with an id of Enlist. Afterwards that row is enrolled and names the account, which has a row of its own.',
        '--json prints one bot per line, as the API answers.',
      ),
    )
    .addArgument(batchArgument())
    .addOption(new Option('--state <STATE>', 'only bots in one state').choices(states))
    .addOption(reasonOption())
    .option('--all', 'every bot, page by page')
    .addHelpText(
      'after',
      formatExamples(
        'enlist bots BATCH --state blocked',
        'enlist bots BATCH --reason session_refused --all --json',
      ),
    )
    .action(run(listBots));
};
