/** A list that costs money waits for its confirmation, however often its messages are delivered. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import type { HttpRequest } from '../../lib/api/http.ts';
import { intake } from '../../lib/batches/intake.ts';
import { recheck } from '../../lib/bots/recheck.ts';
import type { Services } from '../../lib/model/ports.ts';
import { buildBot, Death, deadline, isoTime, type Recorder, recordServices } from '../helpers/services.ts';

const request = (body: unknown, path = {}): HttpRequest => ({
  path,
  query: {},
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
});

/** The messages since the last call, as queue and body. */
const takeMessages = ({ messages }: Recorder) =>
  messages.splice(0).map(({ queue, message: { body } }) => ({ queue, body }));

const USERS = 3;
/** A list of network users that was received and read. */
const planUsers = async () => {
  const recorder = await recordServices();
  const { services } = recorder;
  const owner = randomUUID();
  const rows = Array.from({ length: USERS }, (_, i) => ({ owner, full_name: `User ${i}` }));
  const { batch_id } = (await api.createBatch(services, request(rows))).body as { batch_id: string };
  takeMessages(recorder);
  await intake(services, { batch_id });
  return { services, recorder, batch_id };
};

const readRows = async ({ table }: Services, batch_id: string) =>
  (await table.listBots({ batch_id, limit: 100 }))?.items ?? [];
const readStatus = async ({ table }: Services, batch_id: string) => (await table.readBatch(batch_id))?.status;

test('a list that costs money stays planned after another message or a retry, and nothing is imported', async () => {
  const { services, recorder, batch_id } = await planUsers();
  await intake(services, { batch_id });
  await api.retryBatch(services, request({}, { batch_id }));
  expect([
    await readStatus(services, batch_id),
    takeMessages(recorder),
    await readRows(services, batch_id),
  ]).toEqual(['planned', [], []]);
});

test('accepting less than the cost does not confirm a plan', async () => {
  const { services, recorder, batch_id } = await planUsers();
  const answer = await api.confirmBatch(services, request({ accept_cost_usd: 1.49 }, { batch_id }));
  expect([answer.status, await readStatus(services, batch_id), takeMessages(recorder)]).toEqual([
    422,
    'planned',
    [],
  ]);
});

test('a chunk that is imported twice creates each row once, with the same id', async () => {
  const { services, recorder, batch_id } = await planUsers();
  await api.confirmBatch(services, request({ accept_cost_usd: 1.5 }, { batch_id }));
  expect(takeMessages(recorder)).toEqual([{ queue: 'intake', body: { batch_id, chunk: 1 } }]);
  const dying: Services = {
    ...services,
    table: { ...services.table, recordChunkDone: () => Promise.reject(new Death()) },
  };
  await expect(intake(dying, { batch_id, chunk: 1 })).rejects.toThrow(Death);
  const first = await readRows(services, batch_id);
  await intake(services, { batch_id, chunk: 1 });
  expect(first).toHaveLength(USERS);
  expect((await readRows(services, batch_id)).map(({ bot_id }) => bot_id)).toEqual(
    first.map(({ bot_id }) => bot_id),
  );
});

test('a crash between the message and the write of the sweep loses no bot, because the message is sent first', async () => {
  const row = buildBot({ state: 'waiting', due_at: isoTime(-86_400) });
  const recorder = await recordServices({ bots: [row] });
  const { services } = recorder;
  const dying: Services = {
    ...services,
    table: { ...services.table, updateBot: () => Promise.reject(new Death()) },
  };
  await expect(recheck(dying, deadline(services))).rejects.toThrow(Death);
  expect(takeMessages(recorder)).toContainEqual({ queue: 'check', body: { bot_id: row.bot_id } });
});

test('a message with a chunk of a plan imports nothing, nor does one with a chunk that does not exist', async () => {
  const { services, recorder, batch_id } = await planUsers();
  for (const chunk of [1, 99])
    await expect(intake(services, { batch_id, chunk })).rejects.toThrow('must not be imported');
  expect([
    await readStatus(services, batch_id),
    takeMessages(recorder),
    await readRows(services, batch_id),
  ]).toEqual(['planned', [], []]);
});

test('an event for an object outside the inbox does not remove the object', async () => {
  const { services } = await recordServices();
  const key = `${randomUUID()}/list`;
  await services.uploads.put(key, Buffer.from('[]'), 'application/json');
  const event = { Records: [{ s3: { object: { key, size: 2, eTag: 'e', sequencer: 's' } } }] };
  await expect(intake(services, event)).rejects.toThrow('outside the inbox');
  expect(await services.uploads.get(key)).toBeDefined();
});
