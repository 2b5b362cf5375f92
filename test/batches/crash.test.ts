import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { giveUpBatch } from '../../lib/batches/intake.ts';
import { buildBatch, recordServices } from '../helpers/services.ts';

test.each([
  [{}, /Reading the list/],
  [{ chunk: 3 }, /a part of the list/],
])('a batch whose message %j crashed on every delivery is stuck', async (part, message) => {
  const batch = buildBatch({ status: 'importing' });
  const { services } = await recordServices({ batches: [batch] });
  await giveUpBatch(services, { batch_id: batch.batch_id, ...part });
  expect(await services.table.readBatch(batch.batch_id)).toMatchObject({
    status: 'stuck',
    problem: {
      code: 'handler_crashed',
      message: expect.stringMatching(message),
      fix: expect.stringContaining('/retry'),
    },
  });
});

test.each([
  ['that is empty', {}],
  ['that is null', null],
  ['of a bot', { bot_id: randomUUID() }],
  ['of chunk 0', { batch_id: randomUUID(), chunk: 0 }],
])('a message %s is given up without a write', async (_name, message) => {
  const { services } = await recordServices();
  const recordStuck = () => Promise.reject(new Error('nothing may be written'));
  await giveUpBatch({ ...services, table: { ...services.table, recordStuck } }, message);
});
