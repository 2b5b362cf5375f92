/** The routes of bots: list them, show one, try them again. */
import type { Bot } from '../model/bot.ts';
import type { Services } from '../model/ports.ts';
import { badCursor } from './batches.ts';
import type { BotView, RouteRequest } from './contract.ts';
import { problem, type Reply } from './http.ts';

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
  { parameters, query: { state, limit, cursor } }: RouteRequest<'listBots'>,
): Promise<Reply<'listBots'>> => {
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return problem('no_such_batch');
  const page = await services.table.listBots({
    batch_id: batch.batch_id,
    limit,
    ...(state !== undefined && { state }),
    ...(cursor !== undefined && { cursor }),
  });
  if (!page) return badCursor();
  return {
    body: { bots: page.items.map(showBot), ...(page.cursor !== undefined && { cursor: page.cursor }) },
  };
};

export const readBot = async (
  services: Services,
  { parameters }: RouteRequest<'readBot'>,
): Promise<Reply<'readBot'>> => {
  const bot = await services.table.readBot(parameters.bot_id);
  return bot ? { body: showBot(bot) } : problem('no_such_bot');
};
