/** Moves a bot from state to state: the row, its history, and the message that goes with it. */

import type { Bot, BotChanges, HistoryEntry, Reason } from '../model/bot.ts';
import type { QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { allows, type BotState, type MoveName, moves } from '../model/states.ts';
import { timing } from '../model/timing.ts';
import { after, chanceFrom } from './backoff.ts';
import { stepOf } from './enrolment.ts';

/** Older entries than this are dropped from the middle: how a bot began stays readable. */
const HISTORY_MAX = 60;
const HISTORY_HEAD = 10;

export interface MoveNote {
  readonly step: string;
  readonly reason?: Reason | undefined;
  readonly request_id?: string | undefined;
}

const withEntry = (history: readonly HistoryEntry[], entry: HistoryEntry): readonly HistoryEntry[] => {
  const all = [...history, entry];
  if (all.length <= HISTORY_MAX) return all;
  return [...all.slice(0, HISTORY_HEAD), ...all.slice(HISTORY_HEAD + 1)];
};

/** When the sweep looks for a bot that has just come into this state. */
const dueAt = (
  bot: Bot,
  state: BotState,
  nowMs: number,
  wait_until: string | undefined,
  auditSeconds: number,
): string | undefined => {
  if (state === 'registered' || state === 'external') return after(nowMs, auditSeconds);
  if (state === 'blocked' || state === 'failed') return undefined;
  // Until its secret is removed.
  if (state === 'enrolled') return after(nowMs, timing.graceSeconds);
  // No GET can tell whether an account was made: only an operator can settle that.
  if (state === 'unsure' && bot.enrolment) return undefined;
  if (wait_until === undefined) return after(nowMs, timing.stalledSeconds);
  const delaySeconds = (Date.parse(wait_until) - nowMs) / 1_000;
  const byMessage = delaySeconds <= timing.maxMessageDelaySeconds;
  return after(nowMs, delaySeconds + (byMessage ? timing.graceSeconds : 0));
};

/** A bot that comes to rest, or starts anew, starts counting its tries again. */
const attemptsAfter = (move: MoveName, attempts: number): number => {
  if (move === 'postpone' || move === 'mark_unsure') return attempts + 1;
  return move === 'accept' || move === 'enroll' ? attempts : 0;
};

/** All that a move writes. Pure. */
export const changesOf = (
  bot: Bot,
  move: MoveName,
  nowMs: number,
  note: MoveNote,
  more: BotChanges = {},
  auditSeconds: number = timing.auditSeconds,
): BotChanges => {
  const state = moves[move].to;
  const at = new Date(nowMs).toISOString();
  const entry: HistoryEntry = {
    at,
    state,
    step: note.step,
    ...(note.reason && { code: note.reason.code }),
    ...(note.request_id !== undefined && { request_id: note.request_id }),
  };
  return {
    wait_until: undefined,
    lease_owner: undefined,
    lease_until: undefined,
    stalls: undefined,
    ...more,
    state,
    state_since: bot.state === state ? bot.state_since : at,
    reason: note.reason,
    attempts: attemptsAfter(move, bot.attempts),
    // The message of a requeued bot follows its move, and a sign-in over HTTP has none: the sweep looks soon.
    due_at:
      move === 'requeue' || move === 'resend' || move === 'enroll'
        ? after(nowMs, timing.graceSeconds)
        : dueAt(bot, state, nowMs, more.wait_until, auditSeconds),
    history: bot.state === state && !note.reason ? bot.history : withEntry(bot.history, entry),
  };
};

/** Has the row changed only in what a list or the sweep may touch at any time (batch, line, due time)? */
const standsAsBefore = (fresh: Bot | undefined, bot: Bot): fresh is Bot =>
  fresh !== undefined &&
  fresh.state === bot.state &&
  fresh.lease_owner === bot.lease_owner &&
  fresh.history.length === bot.history.length &&
  fresh.history.at(-1)?.at === bot.history.at(-1)?.at;

/** Writes the move, on the fresh row where only its surroundings have changed. */
const writeMove = async (services: Services, bot: Bot, move: MoveName, note: MoveNote, more: BotChanges) => {
  let current: Bot = bot;
  while (allows(move, current.state)) {
    const changes = changesOf(current, move, services.now(), note, more, services.auditSeconds);
    const moved = await services.table.updateBot(current, changes, moves[move].from);
    if (moved) return moved;
    const fresh = await services.table.readBot(bot.bot_id);
    // The same revision again: not a race, but a condition of the write itself that does not hold.
    if (!standsAsBefore(fresh, bot) || fresh.revision === current.revision) return undefined;
    current = fresh;
  }
  return undefined;
};

/** Makes the move; undefined when somebody else was first (an ordinary answer: leave the bot to them). */
export const moveBot = async (
  services: Services,
  bot: Bot,
  move: MoveName,
  note: MoveNote,
  more: BotChanges = {},
): Promise<Bot | undefined> => {
  const moved = await writeMove(services, bot, move, note, more);
  const fields = { step: note.step, bot_id: bot.bot_id, batch_id: bot.batch_id };
  if (!moved) {
    services.log('info', 'lost_race', fields);
    return undefined;
  }
  services.log('info', 'bot_moved', {
    ...fields,
    from: bot.state,
    to: moved.state,
    ...(note.reason && { reason: note.reason.code }),
    ...(note.request_id !== undefined && { request_id: note.request_id }),
  });
  return moved;
};

/** Queues a bot for a step, at once or after a pause (which SQS keeps up to 15 minutes long). */
export const sendTo = (
  services: Services,
  queue: QueueName,
  bot: Pick<Bot, 'bot_id' | 'batch_id'>,
  delaySeconds = 0,
) => services.queues.send(queue, [{ body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds }]);

/**
 * Puts a bot off (or leaves it in doubt) and arranges that it is looked at again: by a delayed message
 * where SQS can hold it that long, else by the sweep.
 */
export const putOff = async (
  services: Services,
  bot: Bot,
  move: 'postpone' | 'mark_unsure',
  seconds: number,
  note: MoveNote,
  more: BotChanges = {},
): Promise<void> => {
  const delaySeconds = Math.ceil(seconds);
  const wait_until = after(services.now(), delaySeconds);
  const moved = await moveBot(services, bot, move, note, { ...more, wait_until });
  if (moved && delaySeconds <= timing.maxMessageDelaySeconds)
    await sendTo(services, stepOf(bot), bot, delaySeconds);
};

export const chance = (services: Services): number => chanceFrom(services.randomBytes(4));
