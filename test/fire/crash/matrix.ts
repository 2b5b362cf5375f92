/**
 * The crash matrix: whatever outward call a step is at when its process is killed, its answer lost, or a second
 * worker faster, the system runs on to the right end. The calls are learnt by recording an undisturbed run, so that a
 * new one cannot be forgotten.
 */
import type { Services } from '../../../lib/model/ports.ts';
import { tally } from '../tally.ts';
import { cases } from './cases.ts';
import type { Errand } from './errand.ts';
import { auditLane, judge, type Leeway, noLeeway } from './judge.ts';
import type { Lane } from './lane.ts';
import type { Call } from './proxy.ts';
import { again, runOn } from './run-on.ts';
import { outward } from './worker.ts';

/** What befalls a worker at a call. */
export const ways = {
  before: 'killed before',
  unanswered: 'killed after the effect and before the answer of',
  answered: 'killed after the answer of',
  lost: 'loses the answer of',
  overtaken: 'overtaken by a second worker before',
  'slept through': 'asleep, while all runs on without it, before',
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

export const pointsOf = ({ name, calls }: Recording): Point[] =>
  calls.flatMap((_, i) => (Object.keys(ways) as Way[]).map((way) => ({ name, way, nth: i + 1 })));

const begin = async (lane: Lane, name: string): Promise<Errand> => {
  const prepare = cases[name];
  if (!prepare) throw new Error(`there is no case ${name}`);
  lane.aheadMs = 0;
  // What an errand before this one left behind.
  await lane.collect();
  lane.messages.length = 0;
  lane.standIn.setFaults([]);
  return prepare(lane);
};

const count = (points: number, verdict: Awaited<ReturnType<typeof judge>>) => {
  const { bots, double_keys, double_paid_calls } = verdict;
  tally('crash matrix', { points, bots, double_keys, double_paid_calls });
};

/** Learns what the case calls. Throws where it does not come to its own end. */
export const record = async (lane: Lane, name: string): Promise<Recording> => {
  const { task } = await begin(lane, name);
  const { report, calls } = await lane.run(task);
  if (report === 'killed' || report.error !== undefined)
    throw new Error(`${name}: ${report === 'killed' ? report : report.error}`);
  return { name, calls, methods: report.methods };
};

const MINUTE_MS = 60_000;

/** What runs on while the worker waits before a call. */
const meanwhile = async (lane: Lane, errand: Errand, way: 'overtaken' | 'slept through') => {
  if (way === 'overtaken') return again(lane, errand.task);
  // By then its lease has run out.
  lane.aheadMs += MINUTE_MS;
  await runOn(lane, errand);
};

/** A worker that waits longer gives its call up: on a machine as busy as that, nothing is as it should be. */
const PATIENCE_MS = 6_000;

/** Runs the task and strikes it; was it held for too long? */
const strike = async (lane: Lane, errand: Errand, { way, nth }: Point) => {
  if (way !== 'overtaken' && way !== 'slept through')
    return { ...(await lane.run(errand.task, { nth, way })), overslept: false };
  let heldMs = 0;
  const pause = async () => {
    const startedMs = Date.now();
    await meanwhile(lane, errand, way);
    heldMs = Date.now() - startedMs;
  };
  const run = await lane.run(errand.task, { nth, way: 'held', pause });
  return { ...run, overslept: heldMs > PATIENCE_MS };
};

/** Does one of the errand's rows say that its call was sent, and not what came of it? */
const isInDoubt = async ({ services }: Lane, { enrolments }: Errand): Promise<boolean> => {
  const rows = await Promise.all(enrolments.map(({ user_id }) => services.table.readBot(user_id)));
  return rows.some((row) => row?.state === 'unsure' || (row?.account_sent_at !== undefined && !row.account));
};

const paidCalls: readonly string[] = ['POST /users', 'POST /verifications/:id'];

/** From the note that the paid call is about to be sent to the note of its answer: elsewhere nothing is in doubt. */
const isBesidePaidCall = ({ calls }: Recording, nth: number): boolean => {
  const paidAt = 1 + calls.findIndex(({ action }) => paidCalls.includes(action));
  const notedAt = 1 + calls.findIndex(({ action }, i) => i >= paidAt && action === 'UpdateItem');
  return paidAt > 0 && nth >= paidAt - 1 && nth <= notedAt;
};

const leewayOf = async (
  lane: Lane,
  errand: Errand,
  recording: Recording,
  { way, nth }: Point,
  overslept: boolean,
): Promise<Leeway> => {
  const strays = overslept || way === 'slept through';
  if (!isBesidePaidCall(recording, nth)) return { doubt: 'never', strays };
  if (strays) return { doubt: 'may', strays };
  // The second worker of two must not meddle while the first is at work.
  if (way === 'overtaken') return { doubt: 'never', strays };
  return { doubt: (await isInDoubt(lane, errand)) ? 'must' : 'never', strays };
};

const named = ({ name, way, nth }: Point, calls: readonly Call[]): string => {
  const call = calls[nth - 1];
  return `${name}, ${ways[way]} call ${nth} (${call ? `${call.keeper} ${call.action}` : 'never reached'})`;
};

/** Plays one point and lets the system run on; what is wrong then. */
export const play = async (lane: Lane, recording: Recording, point: Point): Promise<readonly string[]> => {
  const errand = await begin(lane, point.name);
  const { calls, overslept } = await strike(lane, errand, point);
  const leeway = await leewayOf(lane, errand, recording, point, overslept);
  const verdict = await judge(lane, errand, await runOn(lane, errand), leeway);
  count(1, verdict);
  const missed = calls.length < point.nth ? ['it was not reached'] : [];
  return [...missed, ...verdict.wrong].map((sentence) => `${named(point, calls)}: ${sentence}`);
};

/** Gives the case to so many processes at once, with nothing in their way. */
export const playFreely = async (lane: Lane, name: string, workers: 1 | 2): Promise<readonly string[]> => {
  const errand = await begin(lane, name);
  await (workers === 1 ? lane.run(errand.task) : lane.runTwice(errand.task));
  const verdict = await judge(lane, errand, await runOn(lane, errand), noLeeway);
  count(1, verdict);
  return verdict.wrong.map((sentence) => `${name}, by ${workers} at once: ${sentence}`);
};

/** The lane in the end: what the vault holds of all that was bound. */
export const audit = async (lane: Lane): Promise<readonly string[]> => {
  const { keys_lost, secrets_lost } = await auditLane(lane);
  tally('crash matrix', { keys_lost });
  return [
    ...(keys_lost > 0 ? [`${keys_lost} bound keys are not in the vault`] : []),
    ...(secrets_lost > 0 ? [`${secrets_lost} secrets were deleted that must stay`] : []),
  ];
};

/** Methods that no step calls, and why they need no place here. */
const elsewhere: Readonly<Record<string, string>> = {
  'table.confirmBatch': 'HTTP API: an operator asks, and asks again where no answer came',
  'table.listBots': 'HTTP API: reads only',
  'table.countBots': 'HTTP API: reads only',
  'table.listRowErrors': 'HTTP API: reads only',
  'table.createVerification': 'HTTP API: notes what a code was asked for with; without it the list says it',
  'table.recordStuck': 'notes the last crash of a message, which is then with the dead letters',
  'uploads.createForm': 'HTTP API: signs a form, and calls nobody',
  'accounts.requestCode': 'HTTP API: one phone at a time, with an operator who sees whether a code comes',
};

/** Methods of the services that no case met, and those that were said to be met nowhere. */
export const unmet = (services: Services, recordings: readonly Recording[]): readonly string[] => {
  const met = new Set(recordings.flatMap(({ methods }) => methods));
  const all = outward.flatMap((name) => Object.keys(services[name]).map((method) => `${name}.${method}`));
  return all.filter((method) => met.has(method) === Object.hasOwn(elsewhere, method));
};
