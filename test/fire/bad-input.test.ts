/** The short version of bad-input.fire.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createControlRows,
  expectFinished,
  findCrashes,
  findLeak,
  readControlRows,
  readRandomLists,
  readSeed,
  sendNastyBytes,
  sendNastyMessages,
  sendRandomMessages,
  sendRandomRequests,
  startTarget,
  type Target,
} from './bad-input.ts';
import { checkList, nastyLists } from './bad-lists.ts';

const counts = { inputs: 0, unexpected_5xx: 0 };
let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

describe('lists', () => {
  const quick = Object.entries(nastyLists).filter(([name]) => name !== 'ZIP: 65,535 files');
  test.each(quick)('the bad list "%s" gives its error', async (_name, [list, code]) => {
    const codes = await checkList(list);
    if (code !== undefined) expect(codes).toEqual([code]);
  });

  test('every randomly damaged list gives errors and quotes no value', () =>
    readRandomLists(counts, 80, readSeed()));
});

describe('requests', () => {
  test('bytes that are not a valid HTTP request are refused', () => sendNastyBytes(target, counts));

  test('random bad requests are refused with a problem document', () =>
    sendRandomRequests(target, counts, 80, readSeed()));
});

describe('messages', () => {
  test('messages that no step sends harm no bot and no batch', async () => {
    const control = await createControlRows(target.stack.services);
    await sendNastyMessages(target, counts, control);
    await sendRandomMessages(target, counts, control, 30, readSeed());
    expect(await readControlRows(target.stack.services, control)).toEqual(control);
  });
});

describe('the target after all bad input', () => {
  test('every batch is finished, no step crashed, and no value was quoted', async () => {
    await expectFinished(target);
    expect(findCrashes(target)).toEqual([]);
    expect(findLeak(target)).toBeUndefined();
    expect(counts.unexpected_5xx).toBe(0);
  });
});
