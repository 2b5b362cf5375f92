/**
 * Random histories: lists, messages, crashes, faults, operators and other programs in any order, and at the end the
 * question whether a key was lost. A history that fails is shortened as far as possible and printed.
 */
import fc from 'fast-check';
import { type CheckResult, checkHistory, findWronglyExternal, type Harm } from './histories/assertions.ts';
import { audit, endFaults, retryAll, runEvents } from './histories/run.ts';
import { type Scenario, scenarios } from './histories/scenario.ts';
import { createWorld, type SharedEmulators, startSharedEmulators, type World } from './histories/world.ts';

export interface Total extends Harm {
  readonly histories: number;
  readonly bots: number;
}

interface HistoryResult extends CheckResult {
  readonly bots: number;
  readonly notes: readonly string[];
}

const noHarm: Harm = { keys_lost: 0, double_keys: 0, double_paid_calls: 0, unexpected_5xx: 0 };

/** Mixin may have hidden a key, or another program may have registered one: the next audit shows it. */
const needsAudit = ({ events }: Scenario): boolean =>
  events.some(
    ({ it, ...more }) => it === 'other program' || ('name' in more && more.name === 'spend_key_hidden'),
  );

const neverFinished: CheckResult = { harm: noHarm, failures: ['A row never finishes.'] };

const runAndCheck = async (world: World, scenario: Scenario): Promise<CheckResult> => {
  await runEvents(world, scenario);
  if (!(await endFaults(world))) return neverFinished;
  if (needsAudit(scenario)) {
    const failures = await findWronglyExternal(world);
    if (failures.length > 0) return { harm: noHarm, failures };
    if (!(await audit(world))) return neverFinished;
  }
  const first = await checkHistory(world, false);
  if (first.failures.length > 0) return first;
  return (await retryAll(world)) === false ? neverFinished : checkHistory(world, true);
};

/** Runs one history in a world of its own. */
export const run = async (shared: SharedEmulators, scenario: Scenario): Promise<HistoryResult> => {
  await using world = await createWorld(shared, scenario);
  const result = await runAndCheck(world, scenario).catch(
    (error: unknown): CheckResult => ({
      harm: noHarm,
      failures: [`The history crashed: ${error instanceof Error ? error.stack : error}`],
    }),
  );
  return { ...result, bots: world.standIn.accounts().length, notes: world.notes };
};

const describeHistory = ({ roles }: Scenario, { failures, notes }: HistoryResult, again: string): string => {
  let number = 0;
  const lines = notes.map((note) => {
    if (!note.startsWith('. ')) return `        ${note}`;
    number += 1;
    return `${String(number).padStart(4)}${note}`;
  });
  return [
    'A history that failed.',
    ...roles.map((role, bot) => `  Bot ${bot + 1} is ${role}.`),
    '  All of them are uploaded in one list.',
    ...lines,
    'What is wrong:',
    ...failures.map((wrong) => `  ${wrong}`),
    'To run it again:',
    `  ${again}`,
  ].join('\n');
};

export interface HistoriesOptions {
  readonly histories: number;
  /** The same seed gives the same histories. */
  readonly seed: number;
  /** The path to one history of the seed, as fast-check prints it. */
  readonly path?: string;
  /** How to run one again, without its variables. */
  readonly command: string;
}

/** Runs so many histories. Throws an Error that describes the first one that failed. */
export const runHistories = async (
  options: HistoriesOptions,
  count: (result: Harm & { readonly bots: number }) => void,
): Promise<void> => {
  const { histories, seed, path, command } = options;
  await using shared = await startSharedEmulators();
  let failed = false;
  const property = fc.asyncProperty(scenarios, async (scenario) => {
    const result = await run(shared, scenario);
    // Runs that only shorten a failing history do not count.
    if (!failed) count({ ...result.harm, bots: result.bots });
    failed ||= result.failures.length > 0;
    return result.failures.length === 0;
  });
  const details = await fc.check(property, {
    numRuns: histories,
    seed,
    ...(path !== undefined && { path, endOnFailure: true }),
  });
  if (!details.failed) return;
  const [scenario] = details.counterexample ?? [];
  if (!scenario) throw new Error('a history failed and cannot be shown', { cause: details.errorInstance });
  const again = `ENLIST_HISTORIES_SEED=${details.seed} ENLIST_HISTORIES_PATH=${details.counterexamplePath} ${command}`;
  throw new Error(describeHistory(scenario, await run(shared, scenario), again));
};
