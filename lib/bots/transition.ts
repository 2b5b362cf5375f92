/** Moves a bot from state to state: the row, its history, and the message that goes with it. */

import type { Bot, BotChanges, HistoryEntry } from '../model/bot.ts';
import type { QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import type { Problem } from '../model/problem.ts';
import { allows, type MoveName, moves } from '../model/states.ts';
import {
  computeDueAt,
  computeRetryDelaySeconds,
  isoTimeAfter,
  readFraction,
  timing,
} from '../model/timing.ts';
import { chooseStep } from './enrolment.ts';

/** A longer history loses entries from its middle: how the bot began can still be read. */
const HISTORY_MAX = 60;
const HISTORY_HEAD = 10;

/** What a move adds to the bot's history. */
interface MoveNote {
  readonly step: string;
  readonly reason?: Problem | undefined;
  readonly request_id?: string | undefined;
}

const appendHistory = (history: readonly HistoryEntry[], entry: HistoryEntry): readonly HistoryEntry[] => {
  const all = [...history, entry];
  if (all.length <= HISTORY_MAX) return all;
  return [...all.slice(0, HISTORY_HEAD), ...all.slice(HISTORY_HEAD + 1)];
};

/** A bot that is finished, or starts again, counts its attempts from zero. */
const countAttempts = (move: MoveName, attempts: number): number => {
  if (move === 'postpone' || move === 'mark_unsure') return attempts + 1;
  return move === 'accept' || move === 'enroll' ? attempts : 0;
};

/** Everything that a move writes. `more`: changes that the move itself does not make. Pure. */
export const buildChanges = (
  bot: Bot,
  move: MoveName,
  nowMs: number,
  note: MoveNote,
  more: BotChanges = {},
  auditSeconds: number = timing.auditSeconds,
): BotChanges => {
  const state = moves[move].to;
  const at = new Date(nowMs).toISOString();
  // The message of a requeued bot follows its move, and a sign-in over HTTP has none: the sweep comes soon.
  const isSoon = move === 'requeue' || move === 'resend' || move === 'enroll';
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
    attempts: countAttempts(move, bot.attempts),
    due_at: isSoon
      ? isoTimeAfter(nowMs, timing.graceSeconds)
      : computeDueAt(bot, state, nowMs, more.wait_until, auditSeconds),
    history: bot.state === state && !note.reason ? bot.history : appendHistory(bot.history, entry),
  };
};

/** Has the row changed only in what a list or the sweep may change at any time (batch, line, due time)? */
const isUnmoved = (fresh: Bot | undefined, bot: Bot): fresh is Bot =>
  fresh !== undefined &&
  fresh.state === bot.state &&
  fresh.lease_owner === bot.lease_owner &&
  // guard: verdict-counts-for-its-session
  fresh.session_id === bot.session_id &&
  fresh.history.length === bot.history.length &&
  fresh.history.at(-1)?.at === bot.history.at(-1)?.at;

/** Writes the move, on the fresh row where no other worker has moved the bot. */
const writeMove = async (services: Services, bot: Bot, move: MoveName, note: MoveNote, more: BotChanges) => {
  let current: Bot = bot;
  while (allows(move, current.state)) {
    const changes = buildChanges(current, move, services.now(), note, more, services.auditSeconds);
    const moved = await services.table.updateBot(current, changes, moves[move].from);
    if (moved) return moved;
    const fresh = await services.table.readBot(bot.bot_id);
    // The same revision again: no race, but a change that the row itself forbids.
    if (!isUnmoved(fresh, bot) || fresh.revision === current.revision) return undefined;
    current = fresh;
  }
  return undefined;
};

/** Makes the move and returns the new row; undefined when another worker was first: the bot is theirs then. */
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

/** Queues a bot for a step, at once or after a delay of at most 15 minutes, which is what SQS can do. */
export const sendToStep = (
  services: Services,
  queue: QueueName,
  bot: Pick<Bot, 'bot_id' | 'batch_id'>,
  delaySeconds = 0,
) => services.queues.send(queue, [{ body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds }]);

/**
 * For a message that came before the bot's pause is over: the message for its end may be lost with a worker that died
 * between its move and its message, so another one is sent. Longer pauses than SQS can delay are left to the sweep.
 * Two messages for one bot become one again: of two workers only the one whose move succeeds sends the next.
 */
export const sendAtEndOfWait = async (services: Services, bot: Bot): Promise<void> => {
  if (bot.wait_until === undefined) return;
  const delaySeconds = Math.max(0, Math.ceil((Date.parse(bot.wait_until) - services.now()) / 1_000));
  if (delaySeconds <= timing.maxMessageDelaySeconds)
    await sendToStep(services, chooseStep(bot), bot, delaySeconds);
};

/** The pause before the bot's next attempt. */
export const drawRetryDelaySeconds = (services: Services, bot: Bot): number =>
  computeRetryDelaySeconds(bot.attempts, readFraction(services.randomBytes(4)));

/**
 * Makes the bot wait, or leaves it unsure, and arranges that it is checked again: by a delayed message where SQS can
 * delay one that long, else by the sweep.
 * @param seconds rounded up to whole seconds
 */
export const postponeBot = async (
  services: Services,
  bot: Bot,
  move: 'postpone' | 'mark_unsure',
  seconds: number,
  note: MoveNote,
  more: BotChanges = {},
): Promise<void> => {
  const delaySeconds = Math.ceil(seconds);
  const wait_until = isoTimeAfter(services.now(), delaySeconds);
  const moved = await moveBot(services, bot, move, note, { ...more, wait_until });
  if (moved && delaySeconds <= timing.maxMessageDelaySeconds)
    await sendToStep(services, chooseStep(bot), bot, delaySeconds);
};
