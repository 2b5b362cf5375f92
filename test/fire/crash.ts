/** The crash matrix as tests: all points, or a sample of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cases } from './crash/cases.ts';
import {
  audit,
  findUncalledMethods,
  listPoints,
  type Point,
  type Recording,
  record,
  runPoint,
  runUndisturbed,
} from './crash/matrix.ts';
import { openSandbox, type Sandbox } from './crash/sandbox.ts';

const SANDBOXES = 2;
/** How many workers get the same message at once, run by run. */
const WORKERS_WITHOUT_CRASH = [1, 2, 2, 2, 2, 2] as const;

const openSandboxes = () => Promise.all(Array.from({ length: SANDBOXES }, openSandbox));

/** Gives the work to the sandboxes as they become free. */
const share = async <T, R>(
  sandboxes: readonly Sandbox[],
  work: readonly T[],
  one: (sandbox: Sandbox, item: T) => Promise<R>,
): Promise<R[]> => {
  const remaining = [...work];
  const results: R[] = [];
  const run = async (sandbox: Sandbox) => {
    for (let item = remaining.shift(); item !== undefined; item = remaining.shift())
      results.push(await one(sandbox, item));
  };
  await Promise.all(sandboxes.map(run));
  return results;
};

const closeSandboxes = async (sandboxes: readonly Sandbox[]): Promise<readonly string[]> => {
  const wrong = await Promise.all(sandboxes.map(audit));
  await Promise.all(sandboxes.map((sandbox) => sandbox[Symbol.asyncDispose]()));
  return wrong.flat();
};

/** Runs every point of one case in new sandboxes. */
const runCase = async (name: string): Promise<{ recording: Recording; wrong: readonly string[] }> => {
  const sandboxes = await openSandboxes();
  const [sandbox] = sandboxes as [Sandbox];
  const recording = await record(sandbox, name);
  const wrong = await share(sandboxes, listPoints(recording), (free, point) =>
    runPoint(free, recording, point),
  );
  const resultsWithoutCrash = await share(sandboxes, WORKERS_WITHOUT_CRASH, (free, workers) =>
    runUndisturbed(free, name, workers),
  );
  const lost = await closeSandboxes(sandboxes);
  return { recording, wrong: [...wrong.flat(), ...resultsWithoutCrash.flat(), ...lost] };
};

const describeAll = () => {
  const recordings: Recording[] = [];

  test.each(Object.keys(cases))(
    'a crash at any call of "%s" loses no key and repeats no paid call',
    async (name) => {
      const { recording, wrong } = await runCase(name);
      recordings.push(recording);
      expect(wrong).toEqual([]);
    },
  );

  test('the crash matrix calls every method of the services', async () => {
    await using sandbox = await openSandbox();
    expect(findUncalledMethods(sandbox.services, recordings)).toEqual([]);
  });
};

/** Returns a function for numbers from 0 to 1, the same series for the same seed (mulberry32). */
const createRandom = (seed: number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Seed of a sample: different each time, unless ENLIST_SEED is set. */
const seed = Number(process.env.ENLIST_SEED ?? Math.floor(Math.random() * 2 ** 31));

const shuffle = <T>(items: readonly T[], random: () => number): T[] =>
  items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

/** One point of each case in turn, in random order, so that a case with many calls leaves room for the others. */
const samplePoints = (recordings: readonly Recording[]): Point[] => {
  const random = createRandom(seed);
  const byName = [...recordings].sort((a, b) => (a.name < b.name ? -1 : 1));
  const turns = byName.flatMap((recording) =>
    shuffle(listPoints(recording), random).map((point, turn) => ({ point, turn })),
  );
  return shuffle(turns, random)
    .sort((a, b) => a.turn - b.turn)
    .map(({ point }) => point);
};

/** Real time after which no further point starts, and the least number of points. */
const SAMPLE_MS = 6_000;
const SAMPLE_MIN = 6;

const describeSample = () => {
  let sandboxes: Sandbox[] = [];
  const startedMs = Date.now();
  beforeAll(async () => {
    sandboxes = await openSandboxes();
  });
  afterAll(() => Promise.all(sandboxes.map((sandbox) => sandbox[Symbol.asyncDispose]())));

  test('crashes at a sample of all calls lose no key, and every method of the services is called', async () => {
    const recordings = await share(sandboxes, Object.keys(cases), record);
    const byName = new Map(recordings.map((recording) => [recording.name, recording]));
    const points = samplePoints(recordings);
    const enough = (count: number) => count >= SAMPLE_MIN && Date.now() > startedMs + SAMPLE_MS;
    let count = 0;
    const one = async (sandbox: Sandbox, point: Point) => {
      const recording = byName.get(point.name);
      if (!recording || enough(count)) return [];
      count += 1;
      return runPoint(sandbox, recording, point);
    };
    const wrong = await share(sandboxes, points, one);
    const lost = await Promise.all(sandboxes.map(audit));
    expect([...wrong.flat(), ...lost.flat()], `ENLIST_SEED=${seed}`).toEqual([]);
    expect(sandboxes.flatMap(({ services }) => findUncalledMethods(services, recordings))).toEqual([]);
  }, 180_000);
};

/** @param every run every point instead of a sample of some seconds */
export const describeCrashes = ({ every }: { every: boolean }): void => {
  describe('the crash matrix', every ? describeAll : describeSample);
};
