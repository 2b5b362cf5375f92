/** What every implementation of `Table` must do. */
import { randomUUID } from 'node:crypto';
import { DynamoDBClient, GetItemCommand, ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Batch } from '../../lib/model/batch.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { table as shape } from '../../lib/model/deployment.ts';
import type { Table } from '../../lib/model/ports.ts';
import type { RowError } from '../../lib/model/problem.ts';
import { type BotState, states } from '../../lib/model/states.ts';
import {
  type Backend,
  clientOptions,
  connectServices,
  loseFirstAnswer,
  type StartBackend,
  startProxy,
} from './backend.ts';

const NOW = '2026-11-21T12:00:00.000Z';
const at = (second: number) => new Date(Date.parse(NOW) + second * 1_000).toISOString();

const newBot = (more: Partial<Bot> = {}): Bot => ({
  bot_id: randomUUID(),
  session_id: randomUUID(),
  batch_id: randomUUID(),
  line: 2,
  row_digest: 'digest',
  state: 'queued',
  state_since: NOW,
  revision: 1,
  attempts: 0,
  history: [{ at: NOW, state: 'queued', step: 'intake' }],
  ...more,
});

const newBatch = (more: Partial<Batch> = {}): Batch => ({
  batch_id: randomUUID(),
  status: 'received',
  created_at: NOW,
  total: 0,
  invalid: 0,
  duplicates: 0,
  chunks: 0,
  chunks_done: [],
  ...more,
});

const rowError = (line: number, field = 'app_id'): RowError => ({
  row: line,
  line,
  field,
  code: 'invalid_field',
  message: 'It is invalid.',
  fix: 'Fix it.',
});

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const must = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('there is nothing');
  return value;
};

/** @param start starts a backend with an empty table */
export const describeTable = (name: string, start: StartBackend) => {
  describe(`the table: ${name}`, () => {
    let backend: Backend;
    let table: Table;
    beforeAll(async () => {
      backend = await start();
      table = connectServices(backend.environment).table;
    });
    afterAll(() => backend?.stop());

    const make = async (more: Partial<Bot> = {}) => must(await table.createBot(newBot(more)));

    describe('a bot', () => {
      test('reads back as it was made, with nothing of the table’s own', async () => {
        const bot = newBot({
          due_at: at(5),
          public_key: 'ab'.repeat(32),
          pin_iterator: 7n,
          wait_until: at(1),
        });
        expect(await table.createBot(bot)).toEqual(bot);
        expect(await table.readBot(bot.bot_id)).toEqual(bot);
      });

      test('is made once', async () => {
        const bot = await make();
        expect(await table.createBot({ ...bot, line: 99 })).toBeUndefined();
        expect(await table.readBot(bot.bot_id)).toEqual(bot);
        expect(await table.readBot(randomUUID())).toBeUndefined();
      });

      test('undefined removes an attribute, and only that', async () => {
        const bot = await make({ wait_until: at(1), lease_owner: 'me' });
        const written = await table.updateBot(bot, { wait_until: undefined, attempts: 3 });
        const { wait_until: _, ...rest } = bot;
        expect(written).toEqual({ ...rest, attempts: 3, revision: 2 });
        expect(await table.readBot(bot.bot_id)).toEqual(written);
      });

      test('of writers that read the same row one wins, and the others write nothing', async () => {
        const bot = await make();
        const written = await Promise.all(range(5).map((line) => table.updateBot(bot, { line: 100 + line })));
        const winners = written.filter((row) => row !== undefined);
        expect(winners).toHaveLength(1);
        expect(await table.readBot(bot.bot_id)).toEqual(winners[0]);
        expect(winners[0]?.revision).toBe(2);
      });

      test('a row that nobody made is not written', async () => {
        const bot = newBot();
        expect(await table.updateBot(bot, { line: 1 })).toBeUndefined();
        expect(await table.readBot(bot.bot_id)).toBeUndefined();
      });

      test('a write names the states it may start from', async () => {
        const bot = await make({ state: 'waiting' });
        const others = states.filter((state) => state !== 'waiting');
        expect(await table.updateBot(bot, { state: 'failed' }, others)).toBeUndefined();
        expect((await table.readBot(bot.bot_id))?.state).toBe('waiting');
        expect(await table.updateBot(bot, { state: 'queued' }, states)).toMatchObject({ state: 'queued' });
        // It is the row's state that counts, not the caller's idea of it.
        const moved = must(await table.readBot(bot.bot_id));
        expect(
          await table.updateBot({ ...moved, state: 'waiting' }, { line: 1 }, ['waiting']),
        ).toBeUndefined();
      });

      test('a public key is written once, and may be said again', async () => {
        const bot = await make();
        const [ours, other] = ['aa'.repeat(32), 'bb'.repeat(32)];
        const named = must(await table.updateBot(bot, { public_key: ours }));
        expect(await table.updateBot(named, { public_key: other })).toBeUndefined();
        expect((await table.updateBot(named, { public_key: ours }))?.public_key).toBe(ours);
        expect((await table.readBot(bot.bot_id))?.public_key).toBe(ours);
      });

      test('the PIN iterator only grows, and keeps every digit', async () => {
        const iterator = 1_795_262_400_123_456_789n;
        expect(iterator > BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
        const bot = must(await table.updateBot(await make(), { pin_iterator: iterator }));
        expect(bot.pin_iterator).toBe(iterator);
        for (const pin_iterator of [iterator, iterator - 1n, 0n])
          expect(await table.updateBot(bot, { pin_iterator })).toBeUndefined();
        const next = must(await table.updateBot(bot, { pin_iterator: iterator + 1n }));
        expect(next.pin_iterator).toBe(iterator + 1n);
        expect((await table.readBot(bot.bot_id))?.pin_iterator).toBe(iterator + 1n);
      });
    });

    describe('a write whose answer was lost', () => {
      const through = async (action: string, skip: () => void) => {
        const endpoint = backend.environment.AWS_ENDPOINT_URL_DYNAMODB;
        if (endpoint === undefined) throw skip();
        const proxy = await startProxy(endpoint, loseFirstAnswer(action));
        const services = connectServices({ ...backend.environment, AWS_ENDPOINT_URL_DYNAMODB: proxy.url });
        return {
          table: services.table,
          times: (name: string) => proxy.actions.filter((it) => it === name).length,
        };
      };

      test('is known as our own when it is sent again: a new bot', async ({ skip }) => {
        const lossy = await through('PutItem', skip);
        const bot = newBot();
        expect(await lossy.table.createBot(bot)).toEqual(bot);
        expect(lossy.times('PutItem')).toBe(2);
      });

      test('is known as our own when it is sent again: a move', async ({ skip }) => {
        const lossy = await through('UpdateItem', skip);
        const bot = await make();
        const moved = await lossy.table.updateBot(bot, { state: 'registering', pin_iterator: 5n }, [
          'queued',
        ]);
        expect(moved).toMatchObject({ state: 'registering', pin_iterator: 5n, revision: 2 });
        expect(lossy.times('UpdateItem')).toBe(2);
        expect(await table.readBot(bot.bot_id)).toEqual(moved);
      });

      test('is known as our own when it is sent again: a list that was read', async ({ skip }) => {
        const lossy = await through('UpdateItem', skip);
        const { batch_id } = must(await table.createBatch(newBatch()));
        const read = { status: 'importing', total: 3, invalid: 1, duplicates: 0, chunks: 1 } as const;
        expect(await lossy.table.recordListSummary(batch_id, read)).toMatchObject(read);
        expect(lossy.times('UpdateItem')).toBe(2);
      });

      test('is not taken for our own when somebody else’s stands there', async ({ skip }) => {
        const lossy = await through('UpdateItem', skip);
        const bot = await make();
        await table.updateBot(bot, { line: 5 });
        expect(await lossy.table.updateBot(bot, { line: 6 })).toBeUndefined();
        expect((await table.readBot(bot.bot_id))?.line).toBe(5);
      });
    });

    describe('what is due', () => {
      /** A new user id in this index partition. */
      const userIn = (shard: number) => `0${shard}${randomUUID().slice(2)}`;

      test('comes soonest first, as many as asked for, and never too early', async () => {
        const shard = 3;
        const seconds = [40, -30, 0, -50, -10, 1];
        const bots = await Promise.all(
          seconds.map((second) => make({ bot_id: userIn(shard), due_at: at(second) })),
        );
        const idOf = (second: number) => bots[seconds.indexOf(second)]?.bot_id;
        const due = [-50, -30, -10, 0].map(idOf);
        expect(await table.listDueBots(shard, NOW, 100)).toEqual(due);
        expect(await table.listDueBots(shard, NOW, 2)).toEqual(due.slice(0, 2));
        expect(await table.listDueBots(shard + 1, NOW, 100)).toEqual([]);
      });

      test('knows only bots that have a due time, by their last write', async () => {
        const shard = 5;
        const bot = await make({ bot_id: userIn(shard) });
        const due = () => table.listDueBots(shard, NOW, 100);
        expect(await due()).toEqual([]);
        const dated = must(await table.updateBot(bot, { due_at: at(-1) }));
        expect(await due()).toEqual([bot.bot_id]);
        const touched = must(await table.updateBot(dated, { line: 4 }));
        expect(await due()).toEqual([bot.bot_id]);
        const rests = must(await table.updateBot(touched, { state: 'blocked', due_at: undefined }));
        expect(await due()).toEqual([]);
        await table.updateBot(rests, { due_at: at(10) });
        expect(await due()).toEqual([]);
      });

      test('every bot is in one of the partitions', async () => {
        const ids = range(16).map((i) => `${i.toString(16)}${i.toString(16)}${randomUUID().slice(2)}`);
        const early = '2020-01-01T00:00:00.000Z';
        await Promise.all(ids.map((bot_id) => make({ bot_id, due_at: early })));
        const found = await Promise.all(
          range(shape.shards).map((shard) => table.listDueBots(shard, early, 100)),
        );
        expect(found.flat().sort()).toEqual([...ids].sort());
      });
    });

    describe('the bots of a batch', () => {
      const batch_id = randomUUID();
      const count = 45;
      const stateOf = (i: number): BotState =>
        (['queued', 'blocked', 'registered'] as const)[i % 3] ?? 'queued';
      let bots: readonly Bot[];
      beforeAll(async () => {
        bots = await Promise.all(range(count).map((i) => make({ batch_id, line: i, state: stateOf(i) })));
        await make({ state: 'queued' });
      });

      const readAll = async (limit: number, state?: BotState) => {
        const pages: (readonly Bot[])[] = [];
        let cursor: string | undefined;
        do {
          const query = { batch_id, limit, ...(state && { state }), ...(cursor !== undefined && { cursor }) };
          const page = must(await table.listBots(query));
          pages.push(page.items);
          cursor = page.cursor;
        } while (cursor !== undefined && pages.length <= count);
        return pages;
      };
      const byLine = (a: Bot, b: Bot) => a.line - b.line;

      test.each([1, 7, 44, 45, 46, 100])('pages of %i lose none and show none twice', async (limit) => {
        const pages = await readAll(limit);
        expect(pages.flat().sort(byLine)).toEqual(bots);
        expect(pages.map((page) => page.length)).toEqual(
          range(Math.ceil(count / limit)).map((i) => Math.min(limit, count - i * limit)),
        );
      });

      test.each(['queued', 'blocked', 'registered'] as const)('those in state %s', async (state) => {
        const expected = bots.filter((bot) => bot.state === state);
        for (const limit of [4, expected.length, 100])
          expect((await readAll(limit, state)).flat().sort(byLine)).toEqual(expected);
      });

      test('a state that is the beginning of no other is not mixed with it', async () => {
        const own = randomUUID();
        await make({ batch_id: own, state: 'registered' });
        expect((await table.listBots({ batch_id: own, state: 'registering', limit: 9 }))?.items).toEqual([]);
      });

      test('a cursor still leads on after its bot has moved away', async () => {
        const own = randomUUID();
        const made = await Promise.all(range(12).map(() => make({ batch_id: own, state: 'blocked' })));
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = must(
            await table.listBots({ batch_id: own, state: 'blocked', limit: 3, ...(cursor && { cursor }) }),
          );
          for (const bot of page.items) {
            seen.push(bot.bot_id);
            await table.updateBot(bot, { state: 'queued' });
          }
          cursor = page.cursor;
        } while (cursor);
        expect(seen.sort()).toEqual(made.map(({ bot_id }) => bot_id).sort());
      });

      test('a bot that another list names moves to that batch', async () => {
        const [from, to] = [randomUUID(), randomUUID()];
        const bot = await make({ batch_id: from });
        await table.updateBot(bot, { batch_id: to });
        expect((await table.listBots({ batch_id: from, limit: 9 }))?.items).toEqual([]);
        expect((await table.listBots({ batch_id: to, limit: 9 }))?.items).toHaveLength(1);
      });

      test('are counted by state', async () => {
        const none = { states: {}, network_users: {}, sign_ins: {} };
        const states = { queued: 15, blocked: 15, registered: 15 };
        expect(await table.countBots(batch_id)).toEqual({ ...none, states });
        expect(await table.countBots(randomUUID())).toEqual(none);
      });

      const forge = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const good = { shard: 0, state_key: `queued#${randomUUID()}`, bot_id: randomUUID() };
      test.each([
        ['text', 'hello'],
        ['nothing', ''],
        ['null', forge(null)],
        ['an empty object', forge({})],
        ['a shard that is not there', forge({ ...good, shard: shape.shards })],
        ['a negative shard', forge({ ...good, shard: -1 })],
        ['a shard in pieces', forge({ ...good, shard: 0.5 })],
        ['a bot id that is none', forge({ ...good, bot_id: 'batch#x' })],
        ['a cursor of row errors', forge({ sk: 'error#1' })],
        ['an empty sort key', forge({ ...good, state_key: '' })],
        ['a sort key too long', forge({ ...good, state_key: 'x'.repeat(2_000) })],
      ])('a cursor that is %s is none of ours', async (_name, cursor) => {
        expect(await table.listBots({ batch_id, limit: 5, cursor })).toBeUndefined();
      });

      test('a cursor of another state is none of ours', async () => {
        const page = must(await table.listBots({ batch_id, state: 'blocked', limit: 1 }));
        const cursor = must(page.cursor);
        expect(await table.listBots({ batch_id, state: 'queued', limit: 1, cursor })).toBeUndefined();
      });
    });

    describe('a batch', () => {
      const read = { status: 'importing', total: 120, invalid: 3, duplicates: 1, chunks: 3 } as const;
      const taking = async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        return must(await table.recordListSummary(batch_id, read));
      };

      test('that is planned is confirmed once, and no other is', async () => {
        const confirmed = async (batch_id: string) => (await table.confirmBatch(batch_id))?.status;
        const [fresh, planned] = [must(await table.createBatch(newBatch())), newBatch()];
        await table.createBatch(planned);
        const read = {
          status: 'planned',
          total: 1,
          invalid: 0,
          duplicates: 0,
          chunks: 1,
          paid_rows: 1,
        } as const;
        await table.recordListSummary(planned.batch_id, read);
        const answers = await Promise.all([1, 2, 3].map(() => confirmed(planned.batch_id)));
        expect(answers.filter((status) => status !== undefined)).toEqual(['importing']);
        expect(await confirmed(fresh.batch_id)).toBeUndefined();
        expect((await table.readBatch(fresh.batch_id))?.status).toBe('received');
        expect(await confirmed(randomUUID())).toBeUndefined();
      });

      test('is made once', async () => {
        const batch = newBatch();
        expect(await table.createBatch(batch)).toEqual(batch);
        expect(await table.createBatch({ ...batch, created_at: at(9) })).toBeUndefined();
        expect(await table.readBatch(batch.batch_id)).toEqual(batch);
        expect(await table.readBatch(randomUUID())).toBeUndefined();
      });

      test('its list is read once', async () => {
        const batch = await taking();
        expect(batch).toMatchObject({ ...read, chunks_done: [] });
        const problem = { code: 'c', message: 'm', fix: 'f' };
        expect(
          await table.recordListSummary(batch.batch_id, { status: 'rejected', problem }),
        ).toBeUndefined();
        expect(await table.readBatch(batch.batch_id)).toEqual(batch);
        expect(await table.recordListSummary(randomUUID(), read)).toBeUndefined();
      });

      test('of readers side by side one wins', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        const results = await Promise.all(
          range(4).map((total) => table.recordListSummary(batch_id, { ...read, total })),
        );
        expect(results.filter((result) => result !== undefined)).toHaveLength(1);
      });

      test('a list that was rejected says why', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        const problem = { code: 'not_csv', message: 'm', fix: 'f' };
        expect(await table.recordListSummary(batch_id, { status: 'rejected', problem })).toMatchObject({
          status: 'rejected',
          problem,
        });
      });

      test('is taken in with its last chunk, whatever their order and number of deliveries', async () => {
        const { batch_id } = await taking();
        expect(await table.recordChunkDone(batch_id, 3)).toMatchObject({
          status: 'importing',
          chunks_done: [3],
        });
        expect(await table.recordChunkDone(batch_id, 3)).toMatchObject({
          status: 'importing',
          chunks_done: [3],
        });
        expect(await table.recordChunkDone(batch_id, 1)).toMatchObject({ chunks_done: [1, 3] });
        const done = await table.recordChunkDone(batch_id, 2);
        expect(done).toMatchObject({ status: 'imported', chunks_done: [1, 2, 3] });
        expect(await table.recordChunkDone(batch_id, 2)).toEqual(done);
        expect(await table.readBatch(batch_id)).toEqual(done);
      });

      test('chunks side by side: none is lost', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        await table.recordListSummary(batch_id, { ...read, chunks: 12 });
        await Promise.all([...range(12), ...range(12)].map((i) => table.recordChunkDone(batch_id, i + 1)));
        expect(await table.readBatch(batch_id)).toMatchObject({
          status: 'imported',
          chunks_done: range(12).map((i) => i + 1),
        });
      });

      test('a chunk of no batch makes none', async () => {
        const batch_id = randomUUID();
        await expect(table.recordChunkDone(batch_id, 1)).rejects.toThrow();
        expect(await table.readBatch(batch_id)).toBeUndefined();
      });

      const problem = { code: 'handler_crashed', message: 'm', fix: 'f' };

      test('a stuck list can be read again, and forgets its problem', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        await table.recordStuck(batch_id, problem);
        expect(await table.readBatch(batch_id)).toMatchObject({ status: 'stuck', problem });
        const again = await table.recordListSummary(batch_id, read);
        expect(again).toMatchObject({ status: 'importing' });
        expect(again).not.toHaveProperty('problem');
      });

      test('a stuck chunk that comes through after all ends the trouble', async () => {
        const { batch_id } = await taking();
        await table.recordChunkDone(batch_id, 1);
        await table.recordStuck(batch_id, problem);
        expect(await table.recordChunkDone(batch_id, 2)).toMatchObject({ status: 'stuck', problem });
        const done = await table.recordChunkDone(batch_id, 3);
        expect(done.status).toBe('imported');
        expect(done).not.toHaveProperty('problem');
      });

      test('a batch that is taken in cannot become stuck: nothing is left that could free it', async () => {
        const { batch_id } = await taking();
        for (const chunk of [1, 2, 3]) await table.recordChunkDone(batch_id, chunk);
        await table.recordStuck(batch_id, problem).catch(() => undefined);
        expect((await table.readBatch(batch_id))?.status).toBe('imported');
      });

      test.each([
        ['planned', { ...read, status: 'planned' }],
        ['rejected', { status: 'rejected', problem }],
      ] as const)(
        'a batch that is %s cannot become stuck: its plan would be forgotten',
        async (status, as) => {
          const { batch_id } = must(await table.createBatch(newBatch()));
          await table.recordListSummary(batch_id, as);
          await table.recordStuck(batch_id, problem).catch(() => undefined);
          expect((await table.readBatch(batch_id))?.status).toBe(status);
        },
      );

      test('no batch becomes stuck that is not there', async () => {
        const batch_id = randomUUID();
        await table.recordStuck(batch_id, problem).catch(() => undefined);
        expect(await table.readBatch(batch_id)).toBeUndefined();
      });
    });

    describe('row errors', () => {
      const readAll = async (batch_id: string, limit: number) => {
        const errors: RowError[] = [];
        let cursor: string | undefined;
        do {
          const page = must(await table.listRowErrors(batch_id, limit, cursor));
          expect(page.items.length).toBeLessThanOrEqual(limit);
          errors.push(...page.items);
          cursor = page.cursor;
        } while (cursor !== undefined);
        return errors;
      };

      test('come by line, page by page, each as it was put', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        const lines = range(30).map((i) => (i * 7) % 30);
        const errors = lines.flatMap((line) => [
          rowError(line * 50, 'app_id'),
          rowError(line * 50, 'session_id'),
        ]);
        await table.putRowErrors(batch_id, errors);
        const expected = [...errors].sort((a, b) => a.line - b.line);
        for (const limit of [1, 13, 60, 100]) expect(await readAll(batch_id, limit)).toEqual(expected);
        expect((await table.readBatch(batch_id))?.total).toBe(0);
      });

      test('put again they are there once', async () => {
        const batch_id = randomUUID();
        const errors = range(3).map((line) => rowError(line));
        for (const _ of range(2)) await table.putRowErrors(batch_id, errors);
        expect(await readAll(batch_id, 10)).toEqual(errors);
      });

      test('of rows on one line none hides another, though they come from different chunks', async () => {
        const batch_id = randomUUID();
        const errors = [
          rowError(1, 'session_id'),
          { ...rowError(1), code: 'key_conflict' },
          { ...rowError(1), code: 'pending_deletion' },
        ];
        for (const error of errors) await table.putRowErrors(batch_id, [error]);
        const codes = (list: readonly RowError[]) =>
          list.map(({ field, code }) => `${field}: ${code}`).sort();
        expect(codes(await readAll(batch_id, 10))).toEqual(codes(errors));
      });

      test('none are none', async () => {
        const batch_id = randomUUID();
        await table.putRowErrors(batch_id, []);
        expect(await table.listRowErrors(batch_id, 10)).toEqual({ items: [] });
      });

      const forge = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      test.each([
        ['text', 'hello'],
        ['nothing', ''],
        ['the key of another item', forge({ sk: 'batch' })],
        ['a cursor of bots', forge({ shard: 0, state_key: 'queued#x', bot_id: randomUUID() })],
        ['a sort key too long', forge({ sk: `error#${'9'.repeat(2_000)}` })],
      ])('a cursor that is %s is none of ours', async (_name, cursor) => {
        expect(await table.listRowErrors(randomUUID(), 5, cursor)).toBeUndefined();
      });
    });

    describe('a row that another version of Enlist wrote', () => {
      let dynamodb: DynamoDBClient;
      beforeAll(() => {
        dynamodb = new DynamoDBClient(clientOptions(backend.environment, 'dynamodb'));
      });
      afterAll(() => dynamodb?.destroy());

      const keyOf = (pk: string, sk: string) => ({
        TableName: backend.environment.ENLIST_TABLE,
        Key: { pk: { S: pk }, sk: { S: sk } },
      });
      const readItem = async (pk: string, sk: string) =>
        (await dynamodb.send(new GetItemCommand({ ...keyOf(pk, sk), ConsistentRead: true }))).Item;
      /** Gives a row another schema number, or none. */
      const setSchema = async (pk: string, sk: string, schema?: number) => {
        const names = { ExpressionAttributeNames: { '#schema': 'schema' } };
        const values = { ExpressionAttributeValues: { ':schema': { N: String(schema) } } };
        await dynamodb.send(
          new UpdateItemCommand({
            ...keyOf(pk, sk),
            ...names,
            ...(schema === undefined
              ? { UpdateExpression: 'REMOVE #schema' }
              : { ...values, UpdateExpression: 'SET #schema = :schema' }),
          }),
        );
      };
      const expectRefused = async (answer: Promise<unknown>) => {
        const error: unknown = await answer.catch((cause: unknown) => cause);
        expect(error).toMatchObject({ name: 'SchemaError', code: 'other_schema', fix: expect.any(String) });
        expect(String(error)).toContain('written by another version of Enlist');
      };

      test('differs in its schema number: every row of this version has schema 1', async () => {
        const bot = await make();
        await table.createBatch(newBatch());
        await table.createVerification({ verification_id: randomUUID(), device_id: randomUUID() });
        await table.putRowErrors(randomUUID(), [rowError(1)]);
        await table.updateBot(bot, { line: 3 });
        const { Items = [] } = await dynamodb.send(
          new ScanCommand({
            TableName: backend.environment.ENLIST_TABLE,
            FilterExpression: 'attribute_not_exists(#schema) OR #schema <> :schema',
            ExpressionAttributeNames: { '#schema': 'schema' },
            ExpressionAttributeValues: { ':schema': { N: '1' } },
          }),
        );
        expect(Items).toEqual([]);
        expect((await readItem(`bot#${bot.bot_id}`, 'bot'))?.schema).toEqual({ N: '1' });
      });

      test.each([
        ['no schema number', undefined],
        ['schema 0', 0],
        ['schema 2', 2],
      ])('is refused as a bot, and nothing is written: %s', async (_name, schema) => {
        const bot = await make({ due_at: at(1) });
        const key = [`bot#${bot.bot_id}`, 'bot'] as const;
        await setSchema(...key, schema);
        const before = await readItem(...key);
        await expectRefused(table.readBot(bot.bot_id));
        await expectRefused(table.createBot(bot));
        await expectRefused(table.updateBot(bot, { state: 'registering', pin_iterator: 7n }));
        await expectRefused(table.updateBot(bot, { state: 'registering' }, ['queued']));
        await expectRefused(table.listBots({ batch_id: bot.batch_id, limit: 10 }));
        await expectRefused(table.listBots({ batch_id: bot.batch_id, state: 'queued', limit: 10 }));
        expect(await readItem(...key)).toEqual(before);
      });

      test.each([
        ['no schema number', undefined],
        ['schema 2', 2],
      ])('is refused as a batch, and nothing is written: %s', async (_name, schema) => {
        const batch = must(await table.createBatch(newBatch()));
        const { batch_id } = batch;
        const key = [`batch#${batch_id}`, 'batch'] as const;
        await setSchema(...key, schema);
        const before = await readItem(...key);
        const counts = { total: 1, invalid: 0, duplicates: 0, chunks: 1 };
        await expectRefused(table.readBatch(batch_id));
        await expectRefused(table.createBatch(batch));
        await expectRefused(table.recordListSummary(batch_id, { status: 'importing', ...counts }));
        await expectRefused(table.confirmBatch(batch_id));
        await expectRefused(table.recordChunkDone(batch_id, 1));
        await expectRefused(table.recordStuck(batch_id, { code: 'c', message: 'm', fix: 'f' }));
        expect(await readItem(...key)).toEqual(before);
      });

      test('is refused as a verification', async () => {
        const verification = { verification_id: randomUUID(), device_id: randomUUID() };
        await table.createVerification(verification);
        expect(await table.readVerification(verification.verification_id)).toEqual(verification);
        await setSchema(`verification#${verification.verification_id}`, 'verification');
        await expectRefused(table.readVerification(verification.verification_id));
        await expectRefused(table.createVerification(verification));
      });

      test('is refused as a row error', async () => {
        const batch_id = randomUUID();
        await table.putRowErrors(batch_id, [rowError(1)]);
        await setSchema(`batch#${batch_id}`, 'error#000000001#app_id#invalid_field');
        await expectRefused(table.listRowErrors(batch_id, 10));
      });
    });
  });
};
