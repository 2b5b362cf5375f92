/** The routes of bots: list them, show one, try them again. */
import { queueList } from '../batches/batch.ts';
import { isPinLocked, matchesRetry, retryBot } from '../bots/retry.ts';
import type { Bot } from '../model/bot.ts';
import type { Services } from '../model/ports.ts';
import type { BotView, RouteRequest } from './contract.ts';
import type { Reply } from './http.ts';
import { answerBadCursor, answerProblem } from './problems.ts';
import { PAY_AGAIN_FIX } from './schemas.ts';

/** Named one by one: nothing else of a row is shown. */
const showBot = (bot: Bot): BotView => {
  const { bot_id, batch_id, line, label, state, state_since, reason, public_key, wait_until, enrolment } =
    bot;
  const user_id = enrolment ? bot.account?.user_id : bot_id;
  return {
    bot_id,
    ...(user_id !== undefined && { user_id }),
    batch_id,
    line,
    ...(label !== undefined && { label }),
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
    fix: PAY_AGAIN_FIX,
    field: 'pay_again',
  });

/** Sends the calls of these rows again, and of none that was not seen as it stands. */
const payAgain = async (
  services: Services,
  batch_id: string,
  options: RouteRequest<'retryBatch'>['body'],
): Promise<Reply<'retryBatch'>> => {
  let retried = 0;
  for (const { bot_id, state_since } of options.pay_again ?? []) {
    const bot = await services.table.readBot(bot_id);
    if (bot?.batch_id !== batch_id || !matchesRetry(bot, options)) continue;
    // A retry and another lost answer since then are another call, and another charge.
    // guard: pay-again-only-what-was-seen
    if (bot.state_since !== state_since) continue;
    if (await retryBot(services, bot)) retried += 1;
  }
  return { body: { retried, pin_locked: 0 } };
};

export const retryBatch = async (
  services: Services,
  { parameters, body: options }: RouteRequest<'retryBatch'>,
): Promise<Reply<'retryBatch'>> => {
  // guard: paying-again-is-accepted
  if (options.states.includes('unsure') && !options.pay_again) return answerPayAgain();
  if (options.pay_again && options.states.some((state) => state !== 'unsure')) return answerPayAgain();
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return answerProblem('no_such_batch');
  // Its message may be lost, whatever its status says.
  if (batch.status !== 'imported' && batch.status !== 'rejected' && batch.status !== 'planned')
    await queueList(services, batch.batch_id);
  if (options.pay_again) return payAgain(services, batch.batch_id, options);
  const page = await services.table.listBots({
    batch_id: batch.batch_id,
    limit: RETRY_PAGE,
    ...(options.cursor !== undefined && { cursor: options.cursor }),
  });
  if (!page) return answerBadCursor();
  const { items, ...more } = page;
  const wanted = items.filter((bot) => matchesRetry(bot, options));
  const free = wanted.filter((bot) => !isPinLocked(bot, services.now()));
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
