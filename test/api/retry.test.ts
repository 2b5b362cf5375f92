/** What is in doubt is not repeated by a retry, unless it can only be settled by an operator. */
import { expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import { aBatch, aBot, createMemory } from '../bots/memory.ts';

const batch = aBatch();
const { batch_id } = batch;
const enrolment = { kind: 'network_user', owner: aBot().bot_id, full_name: 'Wallet' } as const;
const sent = '2026-11-21T12:00:00.000Z';

const asked = async (body: unknown) => {
  const bots = [
    aBot({ batch_id, state: 'unsure', safe_sent_at: sent }),
    aBot({ batch_id, state: 'unsure', enrolment, account_sent_at: sent }),
  ];
  const memory = createMemory({ batches: [batch], bots });
  const request = { path: { batch_id }, query: {}, headers: {}, body: Buffer.from(JSON.stringify(body)) };
  const answer = await api.retryBatch(memory.services, request);
  const rows = bots.map(({ bot_id }) => memory.bots.get(bot_id));
  return { answer, rows, sent: memory.sent };
};

test('a call that may have cost money is not repeated before somebody says so', async () => {
  const { answer, rows, sent } = await asked({ states: ['unsure'] });
  expect([answer.status, rows.map((row) => row?.state), sent]).toEqual([400, ['unsure', 'unsure'], []]);
});

test('then it is, and a bot in doubt is still left to its GET', async () => {
  const { answer, rows, sent } = await asked({ states: ['unsure'], pay_again: true });
  expect(answer).toMatchObject({ status: 200, body: { retried: 1 } });
  expect(rows.map((row) => [row?.state, row?.safe_sent_at, row?.account_sent_at])).toEqual([
    ['unsure', '2026-11-21T12:00:00.000Z', undefined],
    ['queued', undefined, undefined],
  ]);
  expect(sent.map(({ queue }) => queue)).toEqual(['enroll']);
});
