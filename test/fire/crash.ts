/** The crash matrix as tests: all points, or a sample of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cases } from './crash/cases.ts';
import { type Lane, openLane } from './crash/lane.ts';
import {
  audit,
  type Point,
  play,
  playFreely,
  pointsOf,
  type Recording,
  record,
  unmet,
} from './crash/matrix.ts';

const LANES = 2;
/** How many workers get the same message at once, time after time. */
const FREELY = [1, 2, 2, 2, 2, 2] as const;

const openLanes = () => Promise.all(Array.from({ length: LANES }, openLane));

/** Gives the work to the lanes as they come free. */
const share = async <T, R>(
  lanes: readonly Lane[],
  work: readonly T[],
  one: (lane: Lane, item: T) => Promise<R>,
): Promise<R[]> => {
  const left = [...work];
  const results: R[] = [];
  const run = async (lane: Lane) => {
    for (let item = left.shift(); item !== undefined; item = left.shift())
      results.push(await one(lane, item));
  };
  await Promise.all(lanes.map(run));
  return results;
};

const closeLanes = async (lanes: readonly Lane[]): Promise<readonly string[]> => {
  const wrong = await Promise.all(lanes.map(audit));
  await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
  return wrong.flat();
};

/** Every point of one case, in a world of its own. */
const playCase = async (name: string): Promise<{ recording: Recording; wrong: readonly string[] }> => {
  const lanes = await openLanes();
  const [lane] = lanes as [Lane];
  const recording = await record(lane, name);
  const wrong = await share(lanes, pointsOf(recording), (free, point) => play(free, recording, point));
  const freely = await share(lanes, FREELY, (free, workers) => playFreely(free, name, workers));
  const lost = await closeLanes(lanes);
  return { recording, wrong: [...wrong.flat(), ...freely.flat(), ...lost] };
};

const describeAll = () => {
  const recordings: Recording[] = [];

  test.each(Object.keys(cases))('holds at every call of %s', async (name) => {
    const { recording, wrong } = await playCase(name);
    recordings.push(recording);
    expect(wrong).toEqual([]);
  });

  test('meets every method of the services', async () => {
    await using lane = await openLane();
    expect(unmet(lane.services, recordings)).toEqual([]);
  });
};

/** 0 ≤ chance < 1, the same series for the same seed (mulberry32). */
const chances = (seed: number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Of a sample: another one each time, the same for the same ENLIST_SEED. */
const seed = Number(process.env.ENLIST_SEED ?? Math.floor(Math.random() * 2 ** 31));

const shuffled = <T>(items: readonly T[], chance: () => number): T[] =>
  items
    .map((item) => ({ item, at: chance() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

/** One point of each case in turn, each time in another order: a case of many calls must not crowd out the others. */
const samplePoints = (recordings: readonly Recording[]): Point[] => {
  const chance = chances(seed);
  const byName = [...recordings].sort((a, b) => (a.name < b.name ? -1 : 1));
  const turns = byName.flatMap((recording) =>
    shuffled(pointsOf(recording), chance).map((point, turn) => ({ point, turn })),
  );
  return shuffled(turns, chance)
    .sort((a, b) => a.turn - b.turn)
    .map(({ point }) => point);
};

/** Wall time after which no further point is begun, and how many there are at least. */
const SAMPLE_MS = 6_000;
const SAMPLE_MIN = 6;

const describeSample = () => {
  let lanes: Lane[] = [];
  const startedMs = Date.now();
  beforeAll(async () => {
    lanes = await openLanes();
  });
  afterAll(() => Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]())));

  test('holds at a sample of all calls, and meets every method of the services', async () => {
    const recordings = await share(lanes, Object.keys(cases), record);
    const byName = new Map(recordings.map((recording) => [recording.name, recording]));
    const points = samplePoints(recordings);
    const enough = (played: number) => played >= SAMPLE_MIN && Date.now() > startedMs + SAMPLE_MS;
    let played = 0;
    const one = async (lane: Lane, point: Point) => {
      const recording = byName.get(point.name);
      if (!recording || enough(played)) return [];
      played += 1;
      return play(lane, recording, point);
    };
    const wrong = await share(lanes, points, one);
    const lost = await Promise.all(lanes.map(audit));
    expect([...wrong.flat(), ...lost.flat()], `ENLIST_SEED=${seed}`).toEqual([]);
    expect(lanes.flatMap(({ services }) => unmet(services, recordings))).toEqual([]);
  }, 180_000);
};

/** @param every point, and not a sample of some seconds */
export const describeCrashes = ({ every }: { every: boolean }): void => {
  describe('the crash matrix', every ? describeAll : describeSample);
};
