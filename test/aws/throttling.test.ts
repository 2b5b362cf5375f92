/** What AWS leaves undone in an answer is sent again. */
import { expect, test } from 'vitest';
import { sendInParts } from '../../lib/aws/throttling.ts';

/** Sends 1 … 5 in parts of two; what `leave` says is left undone. Returns the parts as they were sent. */
const record = async (leave: (part: readonly number[], call: number) => readonly number[]) => {
  const parts: (readonly number[])[] = [];
  await sendInParts([1, 2, 3, 4, 5], 2, async (part) => {
    parts.push(part);
    return leave(part, parts.length);
  });
  return parts;
};

test('items are sent in parts, in their order', async () => {
  expect(await record(() => [])).toEqual([[1, 2], [3, 4], [5]]);
});

test('what is left undone of a part is sent again by itself, before the next part', async () => {
  expect(await record((part, call) => (call === 2 ? part.slice(1) : []))).toEqual([[1, 2], [3, 4], [4], [5]]);
});

test('no items are no call', async () => {
  await sendInParts([], 2, () => Promise.reject(new Error('a call')));
});
