/** The routes of bots: list them, show one, try them again. */
import { queueList } from '../batches/batch.ts';
import { isPinLocked, matchesRetry, retryBot } from '../bots/retry.ts';
import type { Bot } from '../model/bot.ts';
import type { Services } from '../model/ports.ts';
import type { BotView, RouteRequest } from './contract.ts';
import type { Reply } from './http.ts';
import { answerBadCursor, answerProblem } from './problems.ts';

/** Named one by one: nothing else of a row is shown. */
const showBot = (bot: Bot): BotView => {
  const { bot_id, batch_id, line, state, state_since, reason, public_key, wait_until, enrolment } = bot;
  const user_id = enrolment ? bot.account?.user_id : bot_id;
  return {
    bot_id,
    ...(user_id !== undefined && { user_id }),
    batch_id,
    line,
    state,
    state_since,
    ...(reason && { reason }),
    ...(public_key !== undefined && { public_key }),
    ...(wait_until !== undefined && { wait_until }),
    ...(enrolment && { enrolment }),
    history: [...bot.history],
  };
};

export const listBots = async (
  services: Services,
  { parameters, query }: RouteRequest<'listBots'>,
): Promise<Reply<'listBots'>> => {
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return answerProblem('no_such_batch');
  const page = await services.table.listBots({
    batch_id: batch.batch_id,
    withFollowed: true,
    ...query,
  });
  if (!page) return answerBadCursor();
  const { items, ...more } = page;
  return { body: { bots: items.map(showBot), ...more } };
};

export const readBot = async (
  services: Services,
  { parameters }: RouteRequest<'readBot'>,
): Promise<Reply<'readBot'>> => {
  const bot = await services.table.readBot(parameters.bot_id);
  return bot ? { body: showBot(bot) } : answerProblem('no_such_bot');
};

/** The most bots that one request to retry queues: well within API Gateway's 30 seconds. */
const RETRY_PAGE = 200;

const answerPayAgain = () =>
  answerProblem('bad_body', {
    message:
      'An unsure state stands for a call that may have taken effect: sending it again can cost money twice.',
    fix: 'To accept that, send {"states": ["unsure"], "pay_again": true}.',
    field: 'pay_again',
  });

export const retryBatch = async (
  services: Services,
  { parameters, body: options }: RouteRequest<'retryBatch'>,
): Promise<Reply<'retryBatch'>> => {
  // guard: paying-again-is-accepted
  if (options.states.includes('unsure') && !options.pay_again) return answerPayAgain();
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return answerProblem('no_such_batch');
  // Its message may be lost, whatever its status says.
  if (batch.status !== 'imported' && batch.status !== 'rejected' && batch.status !== 'planned')
    await queueList(services, batch.batch_id);
  const page = await services.table.listBots({
    batch_id: batch.batch_id,
    limit: RETRY_PAGE,
    ...(options.cursor !== undefined && { cursor: options.cursor }),
  });
  if (!page) return answerBadCursor();
  const { items, ...more } = page;
  const wanted = items.filter((bot) => matchesRetry(bot, options));
  const free = wanted.filter((bot) => options.despite_pin_lock || !isPinLocked(bot, services.now()));
  let retried = 0;
  for (const bot of free) if (await retryBot(services, bot)) retried += 1;
  return {
    body: {
      retried,
      pin_locked: wanted.length - free.length,
      ...more,
    },
  };
};
