/** What the system does by itself, with the clock moved on: messages come, crashed ones again, and the sweep rings. */

import { giveUpBatch } from '../../../lib/batches/crash.ts';
import { giveUpBot } from '../../../lib/bots/crash.ts';
import type { Bot } from '../../../lib/model/bot.ts';
import { crashRetrySeconds, queues } from '../../../lib/model/deployment.ts';
import type { Errand } from './errand.ts';
import type { Lane, Waiting } from './lane.ts';
import { runStep, type Task } from './steps.ts';

/** Every row of the errand that is there by now; an account that was made has one of its own. */
export const rowsOf = async (lane: Lane, errand: Errand): Promise<readonly (Bot | undefined)[]> => {
  const { bots, blocked = {}, enrolments } = errand;
  const ids = [...bots, ...Object.keys(blocked), ...enrolments.map(({ user_id }) => user_id)];
  const rows = await Promise.all(ids.map((id) => lane.services.table.readBot(id)));
  const made = rows.flatMap((row) => (row?.state === 'enrolled' && row.account ? [row.account.user_id] : []));
  return [...rows, ...(await Promise.all(made.map((id) => lane.services.table.readBot(id))))];
};

const rest: readonly string[] = ['registered', 'external', 'blocked', 'failed', 'enrolled'];
const isAtRest = (row: Bot | undefined) => {
  if (row?.enrolment && row.state === 'unsure') return true;
  // Its secret is still to be removed.
  if (row?.state === 'enrolled' && row.due_at !== undefined) return false;
  return row !== undefined && rest.includes(row.state);
};

const allAtRest = async (lane: Lane, errand: Errand): Promise<boolean> => {
  if (lane.messages.length > 0) return false;
  const batch = errand.batch && (await lane.services.table.readBatch(errand.batch.batch_id));
  if (errand.batch && batch?.status !== 'imported' && batch?.status !== 'stuck') return false;
  return (await rowsOf(lane, errand)).every(isAtRest);
};

/** As SQS and lib/runtime/queue-function.ts do: a message that crashed comes back, and its last crash is noted. */
const comeBack = async (lane: Lane, message: Waiting) => {
  const { queue, body } = message;
  const crashes = message.crashes + 1;
  if (crashes >= queues[queue].maxReceiveCount)
    return (queue === 'intake' ? giveUpBatch : giveUpBot)(lane.services, body, queue);
  const atMs = lane.services.now() + 1_000 * crashRetrySeconds(queue, crashes);
  lane.messages.push({ ...message, atMs, crashes });
};

const deliver = async (lane: Lane, message: Waiting) => {
  const { queue: step, body } = message;
  await runStep(lane.services, { step, body }).catch(() => comeBack(lane, message));
};

/** More than any errand needs: a message that begets itself would never end. */
const DELIVERIES_MAX = 200;

/** Delivers, in the order of their times, what is to come until then. */
const deliverUntil = async (lane: Lane, untilMs: number) => {
  for (let count = 0; ; count += 1) {
    if (count > DELIVERIES_MAX) throw new Error('the messages have no end');
    const [next] = [...lane.messages].sort((a, b) => a.atMs - b.atMs);
    if (!next || next.atMs > untilMs) return;
    lane.messages.splice(lane.messages.indexOf(next), 1);
    lane.aheadMs += Math.max(0, next.atMs - lane.services.now());
    await deliver(lane, next);
  }
};

/** The task once more, by a worker of this process: its message comes again, or its caller asks again. */
export const again = async (lane: Lane, { step, body }: Task) => {
  if (step === 'recheck' || step === 'accounts')
    await runStep(lane.services, { step, body }).catch(() => undefined);
  else await deliver(lane, { queue: step, body, atMs: lane.services.now(), crashes: 0 });
};

/** Pauses between two sweeps. A real one rings each minute; those that find nothing are left out. */
const minutes = [0, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];
const MINUTE_MS = 60_000;

/** Lets the system run until all of the errand is at rest, and tells how many minutes that took; undefined: for ever. */
export const runOn = async (lane: Lane, errand: Errand): Promise<number | undefined> => {
  let passed = 0;
  await lane.collect();
  if (errand.again === 'at_once') await again(lane, errand.task);
  for (const pause of minutes) {
    const untilMs = lane.services.now() + pause * MINUTE_MS;
    await deliverUntil(lane, untilMs);
    lane.aheadMs += Math.max(0, untilMs - lane.services.now());
    passed += pause;
    if (passed === 1 && errand.again === 'after_a_minute') await again(lane, errand.task);
    if (passed > 0) await runStep(lane.services, { step: 'recheck', body: {} });
    await deliverUntil(lane, lane.services.now());
    if (await allAtRest(lane, errand)) return passed;
  }
  return undefined;
};
