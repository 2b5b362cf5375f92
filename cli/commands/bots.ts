/** bots, show: the bots themselves. */

import type { BotView, EnrolmentView } from '../../lib/api/contract.ts';
import { states } from '../../lib/model/states.ts';
import type { ApiClient } from '../api-client.ts';
import { batchArgument, botArgument, mustBeOneOf } from '../arguments.ts';
import type { Call, Command } from '../command.ts';
import { exitCodes } from '../failure.ts';
import { columns, printable, shortTime } from '../output.ts';

const remarks = ({ reason, wait_until, enrolment, user_id }: BotView): string[] => [
  ...(reason ? [reason.code] : []),
  ...(wait_until === undefined ? [] : [`until ${shortTime(wait_until)}`]),
  ...(enrolment && user_id !== undefined ? [`account ${user_id}`] : []),
];

const row = (bot: BotView): string[] => [String(bot.line), bot.bot_id, bot.state, remarks(bot).join(' ')];

interface Found {
  readonly bots: readonly BotView[];
  readonly isCut: boolean;
}

const find = async (
  api: ApiClient,
  batch_id: string,
  state: string | undefined,
  all: boolean,
): Promise<Found> => {
  if (all) {
    const bots: BotView[] = [];
    for await (const bot of api.listBots(batch_id, state)) bots.push(bot);
    return { bots, isCut: false };
  }
  const { bots, cursor } = await api.pageOfBots(batch_id, { state });
  return { bots, isCut: cursor !== undefined };
};

const listBots = async (call: Call): Promise<number> => {
  const batch_id = batchArgument(call);
  const wanted = call.text('state');
  const state = wanted === undefined ? undefined : mustBeOneOf('--state', states, wanted);
  const api = await call.api();
  const { output } = call;
  const { bots, isCut } = await find(api, batch_id, state, call.flag('all'));
  for (const bot of bots) output.json(bot);
  if (bots.length === 0) output.line(state === undefined ? 'No bots yet.' : `No bots are ${state}.`);
  else
    for (const line of columns([['line', 'user id', 'state', 'reason'], ...bots.map(row)])) output.line(line);
  if (isCut) output.note('These are the first ones only; --all lists every bot.');
  return exitCodes.done;
};

export const bots: Command = {
  usage: 'bots BATCH',
  summary: 'Lists the bots of a batch, with state and reason.',
  details: [
    'Without --all it stops after the first page of 100. Bots that a later list named again are in that batch.',
    'An account that is yet to be made, by creation or sign-in, has a row under an id of Enlist; once it is made,',
    'that row is enrolled and names the account, which has a row of its own.',
    'What a reason means, and what to do, is told by show.',
    '--json prints one bot a line, as the API shows it.',
  ],
  options: {
    state: { type: 'string', value: 'STATE', help: `only bots in this state: ${states.join(', ')}` },
    all: { type: 'boolean', help: 'every bot, page by page' },
  },
  run: listBots,
};

const enrolmentText = (enrolment: EnrolmentView): string =>
  enrolment.kind === 'network_user'
    ? `user "${printable(enrolment.full_name)}", created by ${enrolment.owner}`
    : `sign-in with verification ${enrolment.verification_id}`;

const fields = (bot: BotView): string[] => {
  const pairs: (readonly [string, string | undefined])[] = [
    ['state', `${bot.state} since ${shortTime(bot.state_since)}`],
    ['reason', bot.reason && `${bot.reason.code}: ${bot.reason.message}`],
    ['what to do', bot.reason?.fix],
    ['waits until', bot.wait_until && shortTime(bot.wait_until)],
    ['makes', bot.enrolment && enrolmentText(bot.enrolment)],
    ['account', bot.enrolment && bot.user_id],
    ['public key', bot.public_key],
    ['batch', `${bot.batch_id}, line ${bot.line}`],
  ];
  return columns(
    pairs.filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== ''),
  ).map((line) => `  ${line}`);
};

const history = (bot: BotView): string[] => {
  const rows = bot.history.map(({ at, state, step, code = '', request_id }) => [
    shortTime(at),
    state,
    step,
    code,
    request_id === undefined ? '' : `request ${request_id}`,
  ]);
  return columns(rows).map((line) => `    ${line}`);
};

export const show: Command = {
  usage: 'show USER_ID',
  summary: 'Shows one bot: its state, why, what to do, its public key and its history.',
  details: [
    "USER_ID is the app_id of the bot's keystore, or an id that bots printed. Times are UTC. A request is the X-Request-Id of the call to",
    "Mixin behind a move: what Mixin's support asks for.",
    '--json prints the bot as the API answers GET /bots/{bot_id}.',
  ],
  options: {},
  run: async (call) => {
    const user_id = botArgument(call);
    const bot = await (await call.api()).readBot(user_id);
    call.output.json(bot);
    call.output.line(`Bot ${bot.bot_id}`);
    for (const line of [...fields(bot), '  history', ...history(bot)]) call.output.line(line);
    return exitCodes.done;
  },
};
