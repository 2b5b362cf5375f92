/** An unsure call is not sent again by a retry, unless only an operator can decide it. */
import { expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import { buildBatch, buildBot, recordServices } from '../helpers/services.ts';

const sentAt = '2026-11-21T12:00:00.000Z';

const retry = async (body: unknown) => {
  const batch = buildBatch();
  const { batch_id } = batch;
  const enrolment = { kind: 'network_user', owner: buildBot().bot_id, full_name: 'Wallet' } as const;
  const bots = [
    buildBot({ batch_id, state: 'unsure', safe_sent_at: sentAt }),
    buildBot({ batch_id, state: 'unsure', enrolment, account_sent_at: sentAt }),
  ];
  const { services, messages } = await recordServices({ batches: [batch], bots });
  const request = { path: { batch_id }, query: {}, headers: {}, body: Buffer.from(JSON.stringify(body)) };
  const answer = await api.retryBatch(services, request);
  const rows = await Promise.all(bots.map(({ bot_id }) => services.table.readBot(bot_id)));
  return { answer, rows, messages };
};

test('a retry does not send a call again that may have cost money, unless the operator accepts that', async () => {
  const { answer, rows, messages } = await retry({ states: ['unsure'] });
  expect([answer.status, rows.map((row) => row?.state), messages]).toEqual([400, ['unsure', 'unsure'], []]);
});

test('a retry with pay_again sends the call of an enrolment again, and leaves any other unsure bot to its GET', async () => {
  const { answer, rows, messages } = await retry({ states: ['unsure'], pay_again: true });
  expect(answer).toMatchObject({ status: 200, body: { retried: 1 } });
  expect(rows.map((row) => [row?.state, row?.safe_sent_at, row?.account_sent_at])).toEqual([
    ['unsure', sentAt, undefined],
    ['queued', undefined, undefined],
  ]);
  expect(messages.map(({ queue }) => queue)).toEqual(['enroll']);
});
