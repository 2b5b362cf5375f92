/**
 * Random histories: lists, messages, deaths, troubles, operators and strangers in any order, and at the end the
 * question whether a key was lost. A failing one is made as short as it can be and printed as a story.
 */
import fc from 'fast-check';
import { disowned, type Harm, judge, type Verdict } from './histories/judgement.ts';
import { audit, calmDown, play, retryAll } from './histories/play.ts';
import { type Story, stories } from './histories/story.ts';
import { type Grounds, openGrounds, openWorld, type World } from './histories/world.ts';

export interface Total extends Harm {
  readonly histories: number;
  readonly bots: number;
}

interface Told extends Verdict {
  readonly bots: number;
  readonly notes: readonly string[];
}

const unharmed: Harm = { keys_lost: 0, double_keys: 0, double_paid_calls: 0, unexpected_5xx: 0 };

/** Mixin may have hidden a key, or somebody else may have bound one: the next audit finds out. */
const needsAudit = ({ happenings }: Story): boolean =>
  happenings.some(
    ({ it, ...more }) => it === 'stranger' || ('name' in more && more.name === 'spend_key_hidden'),
  );

const restless: Verdict = { harm: unharmed, wrongs: ['Something never comes to rest.'] };

const runOn = async (world: World, story: Story): Promise<Verdict> => {
  await play(world, story);
  if (!(await calmDown(world))) return restless;
  if (needsAudit(story)) {
    const wrongs = await disowned(world);
    if (wrongs.length > 0) return { harm: unharmed, wrongs };
    if (!(await audit(world))) return restless;
  }
  const first = await judge(world, false);
  if (first.wrongs.length > 0) return first;
  return (await retryAll(world)) === false ? restless : judge(world, true);
};

/** Runs one history in a world of its own. */
export const run = async (grounds: Grounds, story: Story): Promise<Told> => {
  await using world = await openWorld(grounds, story);
  const verdict = await runOn(world, story).catch(
    (error: unknown): Verdict => ({
      harm: unharmed,
      wrongs: [`The history breaks off: ${error instanceof Error ? error.stack : error}`],
    }),
  );
  return { ...verdict, bots: world.standIn.accounts().length, notes: world.notes };
};

const write = ({ cast }: Story, { wrongs, notes }: Told, again: string): string => {
  let number = 0;
  const lines = notes.map((note) => {
    if (!note.startsWith('. ')) return `        ${note}`;
    number += 1;
    return `${String(number).padStart(4)}${note}`;
  });
  return [
    'A history that must not be.',
    ...cast.map((role, bot) => `  Bot ${bot + 1} is ${role}.`),
    '  All of them are listed.',
    ...lines,
    'What is wrong:',
    ...wrongs.map((wrong) => `  ${wrong}`),
    'To run it again:',
    `  ${again}`,
  ].join('\n');
};

export interface HistoriesOptions {
  readonly histories: number;
  /** The same seed tells the same histories. */
  readonly seed: number;
  /** Leads to one history of the seed, as fast-check tells it. */
  readonly path?: string;
  /** How to run one again, without its variables. */
  readonly command: string;
}

/** Runs so many histories. Throws an Error that is a story where one of them went wrong. */
export const runHistories = async (
  options: HistoriesOptions,
  count: (told: Harm & { readonly bots: number }) => void,
): Promise<void> => {
  const { histories, seed, path, command } = options;
  await using grounds = await openGrounds();
  let failed = false;
  const property = fc.asyncProperty(stories, async (story) => {
    const told = await run(grounds, story);
    // Those that only look for a shorter story do not count.
    if (!failed) count({ ...told.harm, bots: told.bots });
    failed ||= told.wrongs.length > 0;
    return told.wrongs.length === 0;
  });
  const details = await fc.check(property, {
    numRuns: histories,
    seed,
    ...(path !== undefined && { path, endOnFailure: true }),
  });
  if (!details.failed) return;
  const [story] = details.counterexample ?? [];
  if (!story) throw new Error('a history failed and cannot be told', { cause: details.errorInstance });
  const again = `ENLIST_HISTORIES_SEED=${details.seed} ENLIST_HISTORIES_PATH=${details.counterexamplePath} ${command}`;
  throw new Error(write(story, await run(grounds, story), again));
};
