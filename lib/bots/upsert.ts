/** Rows of bots, made or brought up to date by what a list says of them. */

import type { Bot } from '../model/bot.ts';
import type { Enrolment } from '../model/enrolment.ts';
import type { Services } from '../model/ports.ts';
import { allows } from '../model/states.ts';
import { timing } from '../model/timing.ts';
import { after } from './backoff.ts';
import { moveBot } from './transition.ts';

/** What a list says of a bot, its keys apart. */
export interface ListEntry {
  readonly bot_id: string;
  readonly session_id?: string;
  readonly batch_id: string;
  readonly line: number;
  readonly row_digest: string;
  readonly enrolment?: Enrolment;
}

const newBot = (nowMs: number, step: string, listed: ListEntry): Bot => {
  const at = new Date(nowMs).toISOString();
  return {
    ...listed,
    state: 'queued',
    state_since: at,
    revision: 1,
    attempts: 0,
    due_at: after(nowMs, timing.stalledSeconds),
    history: [{ at, state: 'queued', step }],
  };
};

/**
 * A bot that has a row already now counts in this batch. It is looked at again only where its row of the
 * list has changed, or the vault has: the same list twice does nothing. While a bot is being worked on, or
 * in doubt, the new listing is not noted, so that listing it once more is understood as news.
 */
const updateListedBot = async (services: Services, step: string, listed: ListEntry, isNews: boolean) => {
  const { bot_id, enrolment: _, ...said } = listed;
  for (;;) {
    const bot = await services.table.readBot(bot_id);
    if (!bot) return undefined;
    const place = { batch_id: listed.batch_id, line: listed.line };
    const news = isNews || bot.row_digest !== listed.row_digest;
    const requeues = news && bot.state !== 'queued' && allows('requeue', bot.state);
    const busy = bot.state === 'registering' || bot.state === 'enrolling' || bot.state === 'unsure';
    const known = requeues
      ? await moveBot(services, bot, 'requeue', { step }, said)
      : await services.table.updateBot(bot, busy && news ? place : said);
    if (known) return known;
  }
};

/** Makes the bot's row, or notes on it what the list says. @param isNews the vault took something new */
export const upsertBot = async (
  services: Services,
  step: string,
  listed: ListEntry,
  isNews: boolean,
): Promise<Bot | undefined> =>
  (await services.table.createBot(newBot(services.now(), step, listed))) ??
  (await updateListedBot(services, step, listed, isNews));
