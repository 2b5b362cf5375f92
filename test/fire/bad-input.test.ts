/** The short cut of bad-input.fire.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  crashesOf,
  expectRest,
  fireLists,
  fireMessages,
  fireRequests,
  leakOf,
  makeWitnesses,
  openTarget,
  readWitnesses,
  seedOf,
  sendNastyBytes,
  sendNastyMessages,
  type Target,
} from './bad-input.ts';
import { judgeList, nastyLists } from './bad-lists.ts';

const tried = { inputs: 0, unexpected_5xx: 0 };
let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

describe('lists', () => {
  const quick = Object.entries(nastyLists).filter(([name]) => name !== 'ZIP: 65,535 files');
  test.each(quick)('%s is told', async (_name, [list, code]) => {
    const codes = await judgeList(list);
    if (code !== undefined) expect(codes).toEqual([code]);
  });

  test('that are damaged at random are told', () => fireLists(tried, 80, seedOf()));
});

describe('requests', () => {
  test('that are hardly HTTP are refused', () => sendNastyBytes(target, tried));

  test('that are wrong at random are refused with a problem document', () =>
    fireRequests(target, tried, 80, seedOf()));
});

describe('messages', () => {
  test('that no step sends harm no bot and no batch', async () => {
    const witnesses = await makeWitnesses(target.lived.services);
    await sendNastyMessages(target, tried, witnesses);
    await fireMessages(target, tried, witnesses, 30, seedOf());
    expect(await readWitnesses(target.lived.services, witnesses)).toEqual(witnesses);
  });
});

describe('in the end', () => {
  test('every batch that was made rests, nothing crashed, nothing was quoted', async () => {
    await expectRest(target);
    expect(crashesOf(target)).toEqual([]);
    expect(leakOf(target)).toBeUndefined();
    expect(tried.unexpected_5xx).toBe(0);
  });
});
