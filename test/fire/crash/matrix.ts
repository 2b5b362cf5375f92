/**
 * The crash matrix. At each outgoing call of a step its process is killed, or the answer is lost, or a second worker
 * comes first. Afterwards the system must still reach the right end. The calls are recorded from an undisturbed run,
 * so that a new call is never left out.
 */
import type { Services } from '../../../lib/model/ports.ts';
import { addCounts } from '../counts.ts';
import { type Allowance, auditSandbox, checkScenario, noAllowance } from './assertions.ts';
import { cases } from './cases.ts';
import type { Call } from './proxy.ts';
import { runAgain, runToEnd } from './run-to-end.ts';
import type { Sandbox } from './sandbox.ts';
import type { Scenario } from './scenario.ts';
import { outward } from './worker.ts';

/** What happens to a worker at a call. */
export const ways = {
  before: 'killed before',
  unanswered: 'killed after the effect and before the answer of',
  answered: 'killed after the answer of',
  lost: 'loses the answer of',
  overtaken: 'overtaken by a second worker before',
  paused: 'paused, while everything else runs on, before',
} as const;
export type Way = keyof typeof ways;

export interface Point {
  readonly name: string;
  readonly way: Way;
  readonly nth: number;
}

/** What an undisturbed run of a case does. */
export interface Recording {
  readonly name: string;
  readonly calls: readonly Call[];
  readonly methods: readonly string[];
}

export const listPoints = ({ name, calls }: Recording): Point[] =>
  calls.flatMap((_, i) => (Object.keys(ways) as Way[]).map((way) => ({ name, way, nth: i + 1 })));

const begin = async (sandbox: Sandbox, name: string): Promise<Scenario> => {
  const prepare = cases[name];
  if (!prepare) throw new Error(`there is no case ${name}`);
  sandbox.aheadMs = 0;
  // Messages that the scenario before this one left behind.
  await sandbox.collect();
  sandbox.messages.length = 0;
  sandbox.standIn.setFaults([]);
  return prepare(sandbox);
};

const count = (points: number, result: Awaited<ReturnType<typeof checkScenario>>) => {
  const { bots, double_keys, double_paid_calls } = result;
  addCounts('crash matrix', { points, bots, double_keys, double_paid_calls });
};

/** Records which calls the case makes. Throws when it does not end by itself. */
export const record = async (sandbox: Sandbox, name: string): Promise<Recording> => {
  const { task } = await begin(sandbox, name);
  const { report, calls } = await sandbox.run(task);
  if (report === 'killed' || report.error !== undefined)
    throw new Error(`${name}: ${report === 'killed' ? report : report.error}`);
  return { name, calls, methods: report.methods };
};

const MINUTE_MS = 60_000;

/** What happens while the worker waits before a call. */
const runMeanwhile = async (sandbox: Sandbox, scenario: Scenario, way: 'overtaken' | 'paused') => {
  if (way === 'overtaken') return runAgain(sandbox, scenario.task);
  // Its lease has ended by then.
  sandbox.aheadMs += MINUTE_MS;
  await runToEnd(sandbox, scenario);
};

/** A worker that waits longer gives up its call: the machine is too busy for a strict check. */
const PATIENCE_MS = 6_000;

/** Runs the task and crashes it at the point; tells whether the call was held for too long. */
const crash = async (sandbox: Sandbox, scenario: Scenario, { way, nth }: Point) => {
  if (way !== 'overtaken' && way !== 'paused') {
    const run = await sandbox.run(scenario.task, { nth, way });
    await scenario.replaceList?.();
    return { ...run, heldTooLong: false };
  }
  let heldMs = 0;
  const pause = async () => {
    const startedMs = Date.now();
    await scenario.replaceList?.();
    await runMeanwhile(sandbox, scenario, way);
    heldMs = Date.now() - startedMs;
  };
  const run = await sandbox.run(scenario.task, { nth, way: 'held', pause });
  return { ...run, heldTooLong: heldMs > PATIENCE_MS };
};

/** Does a row of the scenario say that its call was sent, but not how it ended? */
const isUnsure = async ({ services }: Sandbox, { enrolments }: Scenario): Promise<boolean> => {
  const rows = await Promise.all(enrolments.map(({ bot_id: user_id }) => services.table.readBot(user_id)));
  return rows.some((row) => row?.state === 'unsure' || (row?.account_sent_at !== undefined && !row.account));
};

const paidCalls: readonly string[] = ['POST /users', 'POST /verifications/:id'];

/** Is the call between the write that announces the paid call and the write of its answer? Only there a row may end unsure. */
const isBesidePaidCall = ({ calls }: Recording, nth: number): boolean => {
  const paidAt = 1 + calls.findIndex(({ action }) => paidCalls.includes(action));
  const notedAt = 1 + calls.findIndex(({ action }, i) => i >= paidAt && action === 'UpdateItem');
  return paidAt > 0 && nth >= paidAt - 1 && nth <= notedAt;
};

const findAllowance = async (
  sandbox: Sandbox,
  scenario: Scenario,
  recording: Recording,
  { way, nth }: Point,
  heldTooLong: boolean,
): Promise<Allowance> => {
  const allowsLateCall = heldTooLong || way === 'paused';
  if (!isBesidePaidCall(recording, nth)) return { unsure: 'never', allowsLateCall };
  if (allowsLateCall) return { unsure: 'may', allowsLateCall };
  // The second of two workers must not interfere with the first.
  if (way === 'overtaken') return { unsure: 'never', allowsLateCall };
  return { unsure: (await isUnsure(sandbox, scenario)) ? 'must' : 'never', allowsLateCall };
};

const describePoint = ({ name, way, nth }: Point, calls: readonly Call[]): string => {
  const call = calls[nth - 1];
  return `${name}, ${ways[way]} call ${nth} (${call ? `${call.service} ${call.action}` : 'never reached'})`;
};

/** Runs one point, lets the system run to its end, and returns what is wrong then. */
export const runPoint = async (
  sandbox: Sandbox,
  recording: Recording,
  point: Point,
): Promise<readonly string[]> => {
  const scenario = await begin(sandbox, point.name);
  const { calls, heldTooLong } = await crash(sandbox, scenario, point);
  const allowance = await findAllowance(sandbox, scenario, recording, point, heldTooLong);
  const result = await checkScenario(sandbox, scenario, await runToEnd(sandbox, scenario), allowance);
  count(1, result);
  const missed = calls.length < point.nth ? ['it was not reached'] : [];
  return [...missed, ...result.wrong].map((sentence) => `${describePoint(point, calls)}: ${sentence}`);
};

/** Runs the case in one or two processes at once, without any fault. */
export const runUndisturbed = async (
  sandbox: Sandbox,
  name: string,
  workers: 1 | 2,
): Promise<readonly string[]> => {
  const scenario = await begin(sandbox, name);
  await (workers === 1 ? sandbox.run(scenario.task) : sandbox.runTwice(scenario.task));
  const result = await checkScenario(sandbox, scenario, await runToEnd(sandbox, scenario), noAllowance);
  count(1, result);
  return result.wrong.map((sentence) => `${name}, by ${workers} at once: ${sentence}`);
};

/** Checks at the end of a sandbox that the vault holds every registered key. */
export const audit = async (sandbox: Sandbox): Promise<readonly string[]> => {
  const { keys_lost, secrets_lost } = await auditSandbox(sandbox);
  addCounts('crash matrix', { keys_lost });
  return [
    ...(keys_lost > 0 ? [`${keys_lost} registered keys are not in the vault`] : []),
    ...(secrets_lost > 0 ? [`${secrets_lost} secrets were deleted that are still needed`] : []),
  ];
};

/** Methods that no step calls, and why the matrix does not need them. */
const notCalledBySteps: Readonly<Record<string, string>> = {
  'table.confirmBatch': 'HTTP API: an operator asks again when no answer came',
  'table.listBots': 'HTTP API: reads only',
  'table.countBots': 'HTTP API: reads only',
  'table.listRowErrors': 'HTTP API: reads only',
  'table.createVerification': 'HTTP API: records how a code was requested; without it the list says so',
  'table.recordStuck': 'records the last crash of a message, which then goes to the dead-letter queue',
  'uploads.createForm': 'HTTP API: signs a form without any call',
  'accounts.requestCode': 'HTTP API: one phone at a time; the operator sees whether a code arrives',
};

/** Methods that no case called, and listed exceptions that a case did call. */
export const findUncalledMethods = (
  services: Services,
  recordings: readonly Recording[],
): readonly string[] => {
  const called = new Set(recordings.flatMap(({ methods }) => methods));
  const all = outward.flatMap((name) => Object.keys(services[name]).map((method) => `${name}.${method}`));
  return all.filter((method) => called.has(method) === Object.hasOwn(notCalledBySteps, method));
};
