/** What costs money waits, however often its messages come. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import type { HttpRequest } from '../../lib/api/http.ts';
import { intake } from '../../lib/batches/intake.ts';
import { recheck } from '../../lib/bots/recheck.ts';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { Message, Services } from '../../lib/model/ports.ts';
import { buildBot, Death, openServices, type TestServices } from '../helpers/services.ts';

let stack: TestServices;
beforeAll(async () => {
  stack = await openServices();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** The same services, and what they send goes here in place of the queues. */
const catching = () => {
  const sent: { queue: QueueName; body: Message['body'] }[] = [];
  const send = async (queue: QueueName, messages: readonly Message[]) =>
    void sent.push(...messages.map(({ body }) => ({ queue, body })));
  const services: Services = { ...stack.services, queues: { send } };
  const take = () => sent.splice(0);
  return { services, take };
};

const request = (body: unknown, path = {}): HttpRequest => ({
  path,
  query: {},
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
});

const USERS = 3;
/** A list of network users, received and read. */
const plan = async () => {
  const { services, take } = catching();
  const owner = services.randomId();
  const rows = Array.from({ length: USERS }, (_, i) => ({ owner, full_name: `User ${i}` }));
  const { batch_id } = (await api.createBatch(services, request(rows))).body as { batch_id: string };
  take();
  await intake(services, { batch_id });
  return { services, take, batch_id };
};

const rowsOf = async (batch_id: string) =>
  (await stack.services.table.listBots({ batch_id, limit: 100 }))?.items ?? [];
const statusOf = async (batch_id: string) => (await stack.services.table.readBatch(batch_id))?.status;

test('a list that costs money is planned, whatever comes, and nothing of it is taken in', async () => {
  const { services, take, batch_id } = await plan();
  await intake(services, { batch_id });
  await api.retryBatch(services, request({}, { batch_id }));
  expect([await statusOf(batch_id), take(), await rowsOf(batch_id)]).toEqual(['planned', [], []]);
});

test('less than it costs does not confirm it', async () => {
  const { services, take, batch_id } = await plan();
  const answer = await api.confirmBatch(services, request({ accept_cost_usd: 1.49 }, { batch_id }));
  expect([answer.status, await statusOf(batch_id), take()]).toEqual([422, 'planned', []]);
});

test('a part that is taken in twice makes each row once, with the same id', async () => {
  const { services, take, batch_id } = await plan();
  await api.confirmBatch(services, request({ accept_cost_usd: 1.5 }, { batch_id }));
  expect(take()).toEqual([{ queue: 'intake', body: { batch_id, chunk: 1 } }]);
  const dying: Services = {
    ...services,
    table: { ...services.table, recordChunkDone: () => Promise.reject(new Death()) },
  };
  await expect(intake(dying, { batch_id, chunk: 1 })).rejects.toThrow(Death);
  const first = await rowsOf(batch_id);
  await intake(services, { batch_id, chunk: 1 });
  expect(first).toHaveLength(USERS);
  expect((await rowsOf(batch_id)).map(({ bot_id }) => bot_id)).toEqual(first.map(({ bot_id }) => bot_id));
});

test('the sweep sends first and notes second: a crash between the two loses no bot', async () => {
  const { services, take } = catching();
  const due_at = new Date(Date.now() - 1_000).toISOString();
  const row = buildBot({ state: 'waiting', due_at });
  await services.table.createBot(row);
  const dying: Services = {
    ...services,
    table: { ...services.table, updateBot: () => Promise.reject(new Death()) },
  };
  await expect(recheck(dying, Date.now() + 30_000)).rejects.toThrow(Death);
  expect(take()).toEqual([{ queue: 'check', body: { bot_id: row.bot_id } }]);
});

test('a message about a part of a plan takes nothing in, nor one about a part there is not', async () => {
  const { services, take, batch_id } = await plan();
  for (const chunk of [1, 99])
    await expect(intake(services, { batch_id, chunk })).rejects.toThrow('not to be taken in');
  expect([await statusOf(batch_id), take(), await rowsOf(batch_id)]).toEqual(['planned', [], []]);
});

test('an event about an object outside the inbox leaves it where it is', async () => {
  const { services } = catching();
  const key = 'another-batch/list';
  await services.uploads.put(key, Buffer.from('[]'), 'application/json');
  const event = { Records: [{ s3: { object: { key, size: 2, eTag: 'e', sequencer: 's' } } }] };
  await expect(intake(services, event)).rejects.toThrow('outside the inbox');
  expect(await services.uploads.get(key)).toBeDefined();
});
