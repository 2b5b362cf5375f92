/** Plays the queues and the schedule with a clock that is moved on: messages arrive, crashed ones return, the sweep runs. */

import { giveUpBatch } from '../../../lib/batches/intake.ts';
import { giveUpBot } from '../../../lib/bots/crash.ts';
import type { Bot } from '../../../lib/model/bot.ts';
import { computeCrashRetrySeconds, queues } from '../../../lib/model/deployment.ts';
import type { Sandbox, WaitingMessage } from './sandbox.ts';
import type { Scenario } from './scenario.ts';
import { runStep, type Task } from './steps.ts';

/** Every row of the scenario, and the rows of accounts that it created. */
export const readRows = async (
  sandbox: Sandbox,
  scenario: Scenario,
): Promise<readonly (Bot | undefined)[]> => {
  const { bots, blocked = {}, enrolments } = scenario;
  const ids = [...bots, ...Object.keys(blocked), ...enrolments.map(({ bot_id: user_id }) => user_id)];
  const rows = await Promise.all(ids.map((id) => sandbox.services.table.readBot(id)));
  const made = rows.flatMap((row) => (row?.state === 'enrolled' && row.account ? [row.account.user_id] : []));
  return [...rows, ...(await Promise.all(made.map((id) => sandbox.services.table.readBot(id))))];
};

const rest: readonly string[] = ['registered', 'external', 'blocked', 'failed', 'enrolled'];
const isFinished = (row: Bot | undefined) => {
  if (row?.enrolment && row.state === 'unsure') return true;
  // Its secret must still be removed.
  if (row?.state === 'enrolled' && row.due_at !== undefined) return false;
  return row !== undefined && rest.includes(row.state);
};

const areAllFinished = async (sandbox: Sandbox, scenario: Scenario): Promise<boolean> => {
  if (sandbox.messages.length > 0) return false;
  const batch = scenario.batch && (await sandbox.services.table.readBatch(scenario.batch.batch_id));
  if (scenario.replaceList && batch?.status === 'planned') return true;
  if (scenario.batch && batch?.status !== 'imported' && batch?.status !== 'stuck') return false;
  return (await readRows(sandbox, scenario)).every(isFinished);
};

/** As SQS and lib/runtime do: a message that crashed returns, and its last crash is recorded. */
const returnMessage = async (sandbox: Sandbox, message: WaitingMessage) => {
  const { queue, body } = message;
  const crashes = message.crashes + 1;
  if (crashes >= queues[queue].maxReceiveCount)
    return (queue === 'intake' ? giveUpBatch : giveUpBot)(sandbox.services, body, queue);
  const atMs = sandbox.services.now() + 1_000 * computeCrashRetrySeconds(queue, crashes);
  sandbox.messages.push({ ...message, atMs, crashes });
};

const deliver = async (sandbox: Sandbox, message: WaitingMessage) => {
  const { queue: step, body } = message;
  await runStep(sandbox.services, { step, body }).catch(() => returnMessage(sandbox, message));
};

/** More than any scenario needs, so that a message that repeats itself ends the test. */
const DELIVERIES_MAX = 200;

/** Delivers all messages up to that time, in the order of their times. */
const deliverUntil = async (sandbox: Sandbox, untilMs: number) => {
  for (let count = 0; ; count += 1) {
    if (count > DELIVERIES_MAX) throw new Error('the messages have no end');
    const [next] = [...sandbox.messages].sort((a, b) => a.atMs - b.atMs);
    if (!next || next.atMs > untilMs) return;
    sandbox.messages.splice(sandbox.messages.indexOf(next), 1);
    sandbox.aheadMs += Math.max(0, next.atMs - sandbox.services.now());
    await deliver(sandbox, next);
  }
};

/** Runs the task again in this process: its message returns, or its caller asks again. */
export const runAgain = async (sandbox: Sandbox, { step, body }: Task) => {
  if (step === 'recheck' || step === 'accounts')
    await runStep(sandbox.services, { step, body }).catch(() => undefined);
  else await deliver(sandbox, { queue: step, body, atMs: sandbox.services.now(), crashes: 0 });
};

/** Minutes between two sweeps. Real ones run each minute; the sweeps that find nothing are left out. */
const minutes = [0, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];
const MINUTE_MS = 60_000;

/** Lets the system run until the scenario is finished. Returns the minutes that took; undefined if it never ended. */
export const runToEnd = async (sandbox: Sandbox, scenario: Scenario): Promise<number | undefined> => {
  let passed = 0;
  await sandbox.collect();
  if (scenario.repeats === 'at_once') await runAgain(sandbox, scenario.task);
  for (const pause of minutes) {
    const untilMs = sandbox.services.now() + pause * MINUTE_MS;
    await deliverUntil(sandbox, untilMs);
    sandbox.aheadMs += Math.max(0, untilMs - sandbox.services.now());
    passed += pause;
    if (passed === 1 && scenario.repeats === 'after_a_minute') await runAgain(sandbox, scenario.task);
    if (passed > 0) await runStep(sandbox.services, { step: 'recheck', body: {} });
    await deliverUntil(sandbox, sandbox.services.now());
    if (await areAllFinished(sandbox, scenario)) return passed;
  }
  return undefined;
};
