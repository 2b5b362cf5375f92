/** Creates or updates the row of a bot from an entry of a list. */

import type { Bot } from '../model/bot.ts';
import type { Enrolment } from '../model/enrolment.ts';
import type { Services } from '../model/ports.ts';
import { allows } from '../model/states.ts';
import { isoTimeAfter, timing } from '../model/timing.ts';
import { moveBot } from './transition.ts';

/** What a list says about a bot, without its keys. */
export interface ListEntry {
  readonly bot_id: string;
  readonly session_id?: string;
  readonly batch_id: string;
  readonly row?: number;
  readonly line: number;
  /** What people call the bot. A list without one leaves it as it is. */
  readonly label?: string;
  readonly row_digest: string;
  readonly enrolment?: Enrolment;
}

const buildBot = (nowMs: number, step: string, entry: ListEntry): Bot => {
  const at = new Date(nowMs).toISOString();
  return {
    ...entry,
    state: 'queued',
    state_since: at,
    revision: 1,
    attempts: 0,
    due_at: isoTimeAfter(nowMs, timing.stalledSeconds),
    history: [{ at, state: 'queued', step }],
  };
};

/**
 * A bot that has a row already belongs to this batch from now on, and the batch before keeps a note of it. It is queued again only when its row of the list, or
 * its secret, has changed: the same list twice does nothing. While a step works on the bot, or the bot is unsure, the
 * new digest is not written, so that the next list with the same row still counts as a change.
 */
const updateBot = async (
  services: Services,
  step: string,
  entry: ListEntry,
  hasNewSecret: boolean,
  isSuperseded: boolean,
) => {
  const { bot_id, enrolment: _, ...rest } = entry;
  const { batch_id, row, line, row_digest } = rest;
  const changes = { ...rest, row };
  for (;;) {
    const bot = await services.table.readBot(bot_id);
    if (!bot) return undefined;
    // A later list has the bot already; the batch of this one keeps a note of it.
    if (isSuperseded && bot.batch_id !== batch_id) {
      await services.table.recordFollowed({ ...bot, ...rest }, bot.batch_id);
      return bot;
    }
    if (bot.batch_id !== batch_id) await services.table.recordFollowed(bot, batch_id);
    const hasChanged = hasNewSecret || bot.row_digest !== row_digest;
    const isAtWork = bot.state === 'registering' || bot.state === 'enrolling' || bot.state === 'unsure';
    const updated =
      hasChanged && bot.state !== 'queued' && allows('requeue', bot.state)
        ? await moveBot(services, bot, 'requeue', { step }, changes)
        : await services.table.updateBot(bot, isAtWork && hasChanged ? { batch_id, row, line } : changes);
    if (updated) return updated;
  }
};

/**
 * Creates the bot's row, or writes the entry to it, and returns it; undefined when the row was removed meanwhile.
 * @param hasNewSecret did the vault store something new for this bot?
 * @param isSuperseded has a later list brought the bot's session? Then its row stays with that list
 */
export const upsertBot = async (
  services: Services,
  step: string,
  entry: ListEntry,
  hasNewSecret: boolean,
  isSuperseded = false,
): Promise<Bot | undefined> =>
  (await services.table.createBot(buildBot(services.now(), step, entry))) ??
  (await updateBot(services, step, entry, hasNewSecret, isSuperseded));
