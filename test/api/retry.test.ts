/** An unsure call is not sent again by a retry, unless only an operator can decide it. */
import { expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import { buildBatch, buildBot, recordServices } from '../helpers/services.ts';

const sentAt = '2026-11-21T12:00:00.000Z';

const prepare = async () => {
  const batch = buildBatch();
  const { batch_id } = batch;
  const enrolment = { kind: 'network_user', owner: buildBot().bot_id, full_name: 'Wallet' } as const;
  const unsure = { batch_id, state: 'unsure', state_since: sentAt } as const;
  const bots = [
    buildBot({ ...unsure, safe_sent_at: sentAt }),
    buildBot({ ...unsure, enrolment, account_sent_at: sentAt }),
  ];
  const { services, messages } = await recordServices({ batches: [batch], bots });
  const retry = async (body: unknown) => {
    const request = { path: { batch_id }, query: {}, headers: {}, body: Buffer.from(JSON.stringify(body)) };
    const answer = await api.retryBatch(services, request);
    const rows = await Promise.all(bots.map(({ bot_id }) => services.table.readBot(bot_id)));
    return { answer, rows, messages };
  };
  const seen = bots.map(({ bot_id, state_since }) => ({ bot_id, state_since }));
  return { batch_id, enrolment, services, seen, retry };
};

test('a retry does not send a call again that may have cost money, unless the operator accepts that', async () => {
  const { retry, seen } = await prepare();
  for (const body of [
    { states: ['unsure'] },
    { states: ['unsure'], pay_again: true },
    { states: ['unsure'], pay_again: [] },
    { states: ['unsure', 'blocked'], pay_again: seen },
    { pay_again: seen },
  ]) {
    const { answer, rows, messages } = await retry(body);
    expect([answer.status, rows.map((row) => row?.state), messages]).toEqual([400, ['unsure', 'unsure'], []]);
  }
});

test('a retry with pay_again sends the call of an enrolment again, and leaves any other unsure bot to its GET', async () => {
  const { retry, seen } = await prepare();
  const { answer, rows, messages } = await retry({ states: ['unsure'], pay_again: seen });
  expect(answer).toMatchObject({ status: 200, body: { retried: 1 } });
  expect(rows.map((row) => [row?.state, row?.safe_sent_at, row?.account_sent_at])).toEqual([
    ['unsure', sentAt, undefined],
    ['queued', undefined, undefined],
  ]);
  expect(messages.map(({ queue }) => queue)).toEqual(['enroll']);
});

test('a retry with pay_again leaves the rows alone that became unsure after the operator looked', async () => {
  const { retry, seen, services, batch_id, enrolment } = await prepare();
  const later = '2026-11-21T12:00:01.000Z';
  const another = buildBot({
    batch_id,
    state: 'unsure',
    state_since: later,
    enrolment,
    account_sent_at: later,
  });
  await services.table.createBot(another);
  const readAnother = async () => (await services.table.readBot(another.bot_id))?.state;
  // One row came in between; another was seen before its last call.
  const stale = { bot_id: another.bot_id, state_since: sentAt };
  const { answer } = await retry({ states: ['unsure'], pay_again: [...seen, stale] });
  expect([answer.body, await readAnother()]).toMatchObject([{ retried: 1 }, 'unsure']);
  const { answer: again } = await retry({ states: ['unsure'], pay_again: seen });
  expect([again.body, await readAnother()]).toMatchObject([{ retried: 0 }, 'unsure']);
});

test('a retry with pay_again leaves the rows of other batches alone', async () => {
  const { retry, services, enrolment } = await prepare();
  const other = buildBot({ state: 'unsure', state_since: sentAt, enrolment, account_sent_at: sentAt });
  await services.table.createBot(other);
  const row = { bot_id: other.bot_id, state_since: sentAt };
  const { answer, messages } = await retry({ states: ['unsure'], pay_again: [row] });
  expect([answer.body, messages]).toEqual([{ retried: 0, pin_locked: 0 }, []]);
});
