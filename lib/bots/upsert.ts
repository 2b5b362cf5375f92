/** Rows of bots, made or brought up to date by what a list says of them. */
import type { Services } from '../model/ports.ts';
import { pace } from '../model/deployment.ts';
import { after } from './backoff.ts';
import { moveBot } from './transition.ts';
import type { Bot, Enrolment } from '../model/bot.ts';
import { allows } from '../model/states.ts';

/** What a list says of a bot, its keys apart. */
export interface Listed {
  readonly user_id: string;
  readonly session_id?: string;
  readonly batch_id: string;
  readonly line: number;
  readonly listing: string;
  readonly enrolment?: Enrolment;
}

const newBot = (nowMs: number, step: string, listed: Listed): Bot => {
  const at = new Date(nowMs).toISOString();
  return {
    ...listed,
    state: 'queued',
    state_since: at,
    revision: 1,
    attempts: 0,
    due_at: after(nowMs, pace.stalledSeconds),
    history: [{ at, state: 'queued', step }],
  };
};

/**
 * A bot that has a row already now counts in this batch. It is looked at again only where its row of the
 * list has changed, or the vault has: the same list twice does nothing. While a bot is being worked on, or
 * in doubt, the new listing is not noted, so that listing it once more is understood as news.
 */
const listAgain = async (services: Services, step: string, listed: Listed, isNews: boolean) => {
  const { user_id, enrolment: _, ...said } = listed;
  for (;;) {
    const bot = await services.table.readBot(user_id);
    if (!bot) return undefined;
    const place = { batch_id: listed.batch_id, line: listed.line };
    const news = isNews || bot.listing !== listed.listing;
    const requeues = news && bot.state !== 'queued' && allows('requeue', bot.state);
    const busy = bot.state === 'registering' || bot.state === 'enrolling' || bot.state === 'unsure';
    const known = requeues
      ? await moveBot(services, bot, 'requeue', { step }, said)
      : await services.table.updateBot(bot, busy && news ? place : said);
    if (known) return known;
  }
};

/** Makes the bot's row, or notes on it what the list says. @param isNews the vault took something new */
export const listBot = async (
  services: Services,
  step: string,
  listed: Listed,
  isNews: boolean,
): Promise<Bot | undefined> =>
  (await services.table.createBot(newBot(services.now(), step, listed))) ??
  (await listAgain(services, step, listed, isNews));
