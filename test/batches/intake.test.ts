/** A list that costs money waits for its confirmation, however often its messages are delivered. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import type { HttpRequest } from '../../lib/api/http.ts';
import { chunkKey, listKey } from '../../lib/batches/batch.ts';
import { intake } from '../../lib/batches/intake.ts';
import { recheck } from '../../lib/bots/recheck.ts';
import type { Services } from '../../lib/model/ports.ts';
import {
  buildBatch,
  buildBot,
  Death,
  deadline,
  isoTime,
  type Recorder,
  recordServices,
  startServices,
} from '../helpers/services.ts';

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

/** The list of this batch is replaced after it was read, and is read again before the first reading is recorded. */
const readTwiceAtOnce = async (services: Services, batch_id: string, first: unknown, second: unknown) => {
  const put = (rows: unknown) =>
    services.uploads.put(listKey(batch_id), Buffer.from(JSON.stringify(rows)), 'application/json');
  const [stored, recorded] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const recordsLate: Services['table'] = {
    ...services.table,
    recordListSummary: async (...args) => {
      stored.resolve();
      await recorded.promise;
      return services.table.recordListSummary(...args);
    },
  };
  await put(first);
  const winner = intake({ ...services, table: recordsLate }, { batch_id });
  await stored.promise;
  await put(second);
  const recordsAfterwards: Services['table'] = {
    ...services.table,
    recordListSummary: async (...args) => {
      recorded.resolve();
      await winner;
      return services.table.recordListSummary(...args);
    },
  };
  await intake({ ...services, table: recordsAfterwards }, { batch_id });
};

const listObjects = (services: Services) => {
  const keys = new Set<string>();
  const uploads: Services['uploads'] = {
    ...services.uploads,
    put: async (key, ...args) => {
      keys.add(key);
      await services.uploads.put(key, ...args);
    },
    remove: async (removed) => {
      for (const key of removed) keys.delete(key);
      await services.uploads.remove(removed);
    },
  };
  return { keys, services: { ...services, uploads } };
};

test('a list that is replaced between two readings creates no user that was not priced, and leaves no chunk', async () => {
  const recorder = await recordServices();
  const { keys, services } = listObjects(recorder.services);
  const batch = buildBatch({ status: 'received', total: 0, chunks: 0, chunks_done: [] });
  await services.table.createBatch(batch);
  const { batch_id } = batch;
  const { standIn } = await startServices();
  const { keystore } = await standIn.createUser();
  await readTwiceAtOnce(services, batch_id, [keystore], [{ owner: randomUUID(), full_name: 'Not priced' }]);
  expect(await services.table.readBatch(batch_id)).toMatchObject({ status: 'importing', total: 1 });
  for (const { body } of takeMessages(recorder)) await intake(services, body);
  expect((await readRows(services, batch_id)).map(({ bot_id }) => bot_id)).toEqual([keystore.app_id]);
  expect([...keys].filter((key) => key.startsWith(`${batch_id}/`))).toEqual([]);
});

test('the API answers while a large list is read', async () => {
  const { services } = await recordServices();
  // No row has a key: nothing else makes the reader pause.
  const owner = randomUUID();
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ owner, full_name: `User ${i}` }));
  const batch = buildBatch({ status: 'received', total: 0, chunks: 0, chunks_done: [] });
  await services.table.createBatch(batch);
  const { batch_id } = batch;
  await services.uploads.put(listKey(batch_id), Buffer.from(JSON.stringify(rows)), 'application/json');
  const [begun, validated] = [Promise.withResolvers<void>(), Promise.withResolvers<'validated'>()];
  const get: typeof services.uploads.get = async (key) => {
    const list = await services.uploads.get(key);
    begun.resolve();
    return list;
  };
  // The first thing that happens to a list once its rows are validated. More than that is not needed here.
  const putRowErrors = async () => {
    validated.resolve('validated');
    throw new Death();
  };
  const reader: Services = {
    ...services,
    uploads: { ...services.uploads, get },
    table: { ...services.table, putRowErrors },
  };
  const reading = expect(intake(reader, { batch_id })).rejects.toThrow(Death);
  await begun.promise;
  let answers = 0;
  for (;;) {
    const answer = api.readBatch(services, { ...request({}), path: { batch_id } });
    if ((await Promise.race([answer, validated.promise])) === 'validated') break;
    answers += 1;
  }
  await reading;
  expect(answers).toBeGreaterThanOrEqual(3);
});

test('a chunk that asks for more network users than were accepted is not imported', async () => {
  const { services, recorder, batch_id } = await planUsers();
  await api.confirmBatch(services, request({ accept_cost_usd: 1.5 }, { batch_id }));
  const batch = await services.table.readBatch(batch_id);
  const key = chunkKey(batch_id, batch?.reading ?? '', 1);
  const rows = JSON.parse(Buffer.from((await services.uploads.get(key))?.body ?? '').toString());
  const more = { ...rows[0], row: USERS + 1, paid_row: USERS + 1 };
  await services.uploads.put(key, Buffer.from(JSON.stringify([...rows, more])), 'application/json');
  for (const { body } of takeMessages(recorder))
    await expect(intake(services, body)).rejects.toThrow('more network users');
  expect(await readRows(services, batch_id)).toEqual([]);
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

const putIntoInbox = async (services: Services, name: string, text: string) => {
  const key = `inbox/${name}`;
  await services.uploads.put(key, Buffer.from(text), 'application/json');
  const eTag = (await services.uploads.get(key))?.version ?? '';
  const object = { key, size: text.length, eTag, sequencer: randomUUID() };
  return { key, event: { Records: [{ s3: { object } }] } };
};

test('a list that replaces another in the inbox while that one is read is imported too', async () => {
  const recorder = await recordServices();
  const { services } = recorder;
  const name = `${randomUUID()}.json`;
  const first = await putIntoInbox(services, name, '[{"a":1}]');
  let second: Awaited<ReturnType<typeof putIntoInbox>> | undefined;
  const put: Services['uploads']['put'] = async (...args) => {
    await services.uploads.put(...args);
    second ??= await putIntoInbox(services, name, '[{"b":2}]');
  };
  await intake({ ...services, uploads: { ...services.uploads, put } }, first.event);
  await intake(services, second?.event);
  const ids = takeMessages(recorder).map(({ body }) => String(body.batch_id));
  const lists = await Promise.all(ids.map((id) => services.uploads.get(listKey(id))));
  expect(lists.map((list) => Buffer.from(list?.body ?? '').toString())).toEqual(['[{"a":1}]', '[{"b":2}]']);
  expect(await services.uploads.get(first.key)).toBeUndefined();
  // Either event once more changes nothing.
  await intake(services, first.event);
  await intake(services, second?.event);
  expect(takeMessages(recorder).map(({ body }) => body.batch_id)).toEqual(ids);
});

test('a list that is replaced in the inbox, or removed from it, before it is read is reported as an error', async () => {
  const { services, logLines } = await recordServices();
  const name = `${randomUUID()}.json`;
  const first = await putIntoInbox(services, name, '[{"a":1}]');
  const second = await putIntoInbox(services, name, '[{"b":2}]');
  await intake(services, first.event);
  expect(await services.uploads.get(second.key)).toBeDefined();
  await services.uploads.remove([second.key]);
  await intake(services, second.event);
  expect(logLines.map(({ code }) => code)).toEqual(['inbox_replaced', 'inbox_gone']);
});

test.each([
  ['a folder', 'lists/', ''],
  ['an empty file', 'a.json', ''],
  ['.DS_Store', 'lists/.DS_Store', 'x'],
  ['a file of __MACOSX', '__MACOSX/._a.json', 'x'],
  ['Thumbs.db', 'Thumbs.db', 'x'],
  ['desktop.ini', 'Desktop.ini', 'x'],
])('%s in the inbox becomes no batch, and stays', async (_what, name, text) => {
  const { services, messages, logLines } = await recordServices();
  const { key, event } = await putIntoInbox(services, `${randomUUID()}/${name}`, text);
  await intake(services, event);
  expect([messages, logLines]).toEqual([[], []]);
  expect(await services.uploads.get(key)).toBeDefined();
  await services.uploads.remove([key]);
});
