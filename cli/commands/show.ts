/** show: shows one bot. */
import type { Command } from 'commander';
import type { BotView, EnrolmentView } from '../../lib/api/contract.ts';
import type { Context, Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { joinParagraphs, parseId } from '../options.ts';
import { alignColumns, escapeControls, formatTime } from '../output.ts';

const describeEnrolment = (enrolment: EnrolmentView): string =>
  enrolment.kind === 'network_user'
    ? `user "${escapeControls(enrolment.full_name)}", created by ${enrolment.owner}`
    : `sign-in with verification ${enrolment.verification_id}`;

const formatFields = (bot: BotView): string[] => {
  const pairs: (readonly [string, string | undefined])[] = [
    ['label', bot.label && escapeControls(bot.label)],
    ['state', `${bot.state} since ${formatTime(bot.state_since)}`],
    ['reason', bot.reason && `${bot.reason.code}: ${bot.reason.message}`],
    ['what to do', bot.reason?.fix],
    ['waits until', bot.wait_until && formatTime(bot.wait_until)],
    ['enrolment', bot.enrolment && describeEnrolment(bot.enrolment)],
    ['account', bot.enrolment && bot.user_id],
    ['public key', bot.public_key],
    ['batch', `${bot.batch_id}, line ${bot.line}`],
  ];
  return alignColumns(pairs.filter((pair): pair is [string, string] => Boolean(pair[1])));
};

const formatHistory = ({ history }: BotView): string[] =>
  alignColumns(
    history.map(({ at, state, step, code = '', request_id }) => [
      formatTime(at),
      state,
      step,
      code,
      request_id === undefined ? '' : `request ${request_id}`,
    ]),
  );

const showBot = async ({ connectToRead, output }: Context, bot_id: string) => {
  const bot = await (await connectToRead()).readBot(bot_id);
  output.writeJson(bot);
  output.writeLine(`Bot ${bot.bot_id}`);
  output.writeLines(formatFields(bot).map((line) => `  ${line}`));
  output.writeLine('  history');
  output.writeLines(formatHistory(bot).map((line) => `    ${line}`));
  return exitCodes.done;
};

export const addShow = (program: Command, run: Run): void => {
  program
    .command('show')
    .summary('Shows one bot: its state, the reason, and what to do.')
    .description(
      joinParagraphs(
        'Shows one bot: its state, the reason, what to do, its public key and its history.',
        "Times are in UTC. A request is the X-Request-Id of a call to Mixin: Mixin's support asks for it.",
        '--json prints the bot as the API answers.',
      ),
    )
    .argument(
      '<BOT_ID>',
      "the app_id of the bot's keystore, or an id that enlist bots printed",
      parseId('BOT_ID', "the app_id of the bot's keystore"),
    )
    .action(run(showBot));
};
