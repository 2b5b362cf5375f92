/** recheck: a schedule finds the rows that are due (retry, unsure, stalled, audit) and queues them for their next check. */

import type { Bot } from '../model/bot.ts';
import { table } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { describeReason } from '../model/reasons.ts';
import { isoTimeAfter, timing } from '../model/timing.ts';
import { chooseStep } from './enrolment.ts';
import { moveBot, sendToStep } from './transition.ts';

const PAGE = 100;
/** A bot that was queued so often without a move in between needs an operator. */
const STALLS_MAX = 5;

/** Such a bot is due only when its message was lost, or is in a dead-letter queue. */
const isStalled = ({ state }: Bot) => state === 'queued' || state === 'enrolling' || state === 'registering';

/**
 * Queues one due bot. The message goes first and the new due time second: a crash between the two queues the
 * bot twice, and never loses it.
 */
const sweepBot = async (services: Services, bot_id: string): Promise<number> => {
  const bot = await services.table.readBot(bot_id);
  const nowMs = services.now();
  if (bot?.due_at === undefined || Date.parse(bot.due_at) > nowMs) return 0;
  const stalls = isStalled(bot) ? (bot.stalls ?? 0) + 1 : 0;
  if (stalls > STALLS_MAX) {
    await moveBot(services, bot, 'block', { step: 'recheck', reason: describeReason('stalled') });
    return 0;
  }
  // guard: sweep-sends-first
  await sendToStep(services, chooseStep(bot), bot);
  const due_at = isoTimeAfter(nowMs, stalls > 0 ? timing.stalledSeconds : timing.graceSeconds);
  await services.table.updateBot(bot, { due_at, ...(stalls > 0 && { stalls }) });
  return 1;
};

const sweepShard = async (services: Services, shard: number, deadlineMs: number): Promise<number> => {
  let swept = 0;
  for (;;) {
    const now = new Date(services.now()).toISOString();
    const due = await services.table.listDueBots(shard, now, PAGE);
    for (const bot_id of due) {
      if (services.now() >= deadlineMs) return swept;
      swept += await sweepBot(services, bot_id);
    }
    if (due.length < PAGE) return swept;
  }
};

/** Queues every bot that is due, until the invocation's time is over; the next run continues. */
export const recheck = async (services: Services, deadlineMs: number): Promise<void> => {
  const shards = Array.from({ length: table.shards }, (_, shard) => shard);
  const counts = await Promise.all(shards.map((shard) => sweepShard(services, shard, deadlineMs)));
  const count = counts.reduce((sum, n) => sum + n, 0);
  services.log('info', 'swept', { count });
};
