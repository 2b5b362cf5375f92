import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { giveUpBatch } from '../../lib/batches/crash.ts';
import { aBatch, createMemory } from '../bots/memory.ts';

test.each([
  [{}, /Reading the list/],
  [{ chunk: 3 }, /a part of the list/],
])('a batch whose message %j crashed on every delivery is stuck', async (part, message) => {
  const batch = aBatch({ status: 'importing' });
  const memory = createMemory({ batches: [batch] });
  await giveUpBatch(memory.services, { batch_id: batch.batch_id, ...part });
  expect(memory.stuck.get(batch.batch_id)).toMatchObject({
    code: 'handler_crashed',
    message: expect.stringMatching(message),
    fix: expect.stringContaining('/retry'),
  });
});

test.each([
  ['that is empty', {}],
  ['that is null', null],
  ['of a bot', { bot_id: randomUUID() }],
  ['of chunk 0', { batch_id: randomUUID(), chunk: 0 }],
])('a message %s is given up without a write', async (_name, message) => {
  const memory = createMemory();
  await giveUpBatch(memory.services, message);
  expect(memory.stuck.size).toBe(0);
});
