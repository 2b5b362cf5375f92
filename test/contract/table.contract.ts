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
  if (value === undefined) throw new Error('a value is missing');
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

    const createBot = async (more: Partial<Bot> = {}) => must(await table.createBot(newBot(more)));

    describe('bots', () => {
      test('a bot reads back as it was created, without the table’s own attributes', async () => {
        const bot = newBot({
          due_at: at(5),
          public_key: 'ab'.repeat(32),
          pin_iterator: 7n,
          wait_until: at(1),
        });
        expect(await table.createBot(bot)).toEqual(bot);
        expect(await table.readBot(bot.bot_id)).toEqual(bot);
      });

      test('a bot is created once', async () => {
        const bot = await createBot();
        expect(await table.createBot({ ...bot, line: 99 })).toBeUndefined();
        expect(await table.readBot(bot.bot_id)).toEqual(bot);
        expect(await table.readBot(randomUUID())).toBeUndefined();
      });

      test('an update with undefined removes that attribute and no other', async () => {
        const bot = await createBot({ wait_until: at(1), lease_owner: 'me' });
        const updates = await table.updateBot(bot, { wait_until: undefined, attempts: 3 });
        const { wait_until: _, ...rest } = bot;
        expect(updates).toEqual({ ...rest, attempts: 3, revision: 2 });
        expect(await table.readBot(bot.bot_id)).toEqual(updates);
      });

      test('of several writers that read the same row one wins, and the others write nothing', async () => {
        const bot = await createBot();
        const updates = await Promise.all(range(5).map((line) => table.updateBot(bot, { line: 100 + line })));
        const winners = updates.filter((row) => row !== undefined);
        expect(winners).toHaveLength(1);
        expect(await table.readBot(bot.bot_id)).toEqual(winners[0]);
        expect(winners[0]?.revision).toBe(2);
      });

      test('a bot that does not exist is not updated', async () => {
        const bot = newBot();
        expect(await table.updateBot(bot, { line: 1 })).toBeUndefined();
        expect(await table.readBot(bot.bot_id)).toBeUndefined();
      });

      test('an update is refused when the bot is in none of its states', async () => {
        const bot = await createBot({ state: 'waiting' });
        const others = states.filter((state) => state !== 'waiting');
        expect(await table.updateBot(bot, { state: 'failed' }, others)).toBeUndefined();
        expect((await table.readBot(bot.bot_id))?.state).toBe('waiting');
        expect(await table.updateBot(bot, { state: 'queued' }, states)).toMatchObject({ state: 'queued' });
        // The state of the row counts, not the state that the caller expects.
        const row = must(await table.readBot(bot.bot_id));
        expect(await table.updateBot({ ...row, state: 'waiting' }, { line: 1 }, ['waiting'])).toBeUndefined();
      });

      test('a public key is written once, and writing the same key again is allowed', async () => {
        const bot = await createBot();
        const [ours, other] = ['aa'.repeat(32), 'bb'.repeat(32)];
        const withKey = must(await table.updateBot(bot, { public_key: ours }));
        expect(await table.updateBot(withKey, { public_key: other })).toBeUndefined();
        expect((await table.updateBot(withKey, { public_key: ours }))?.public_key).toBe(ours);
        expect((await table.readBot(bot.bot_id))?.public_key).toBe(ours);
      });

      test('the PIN iterator only grows, and no digit of it is lost', async () => {
        const iterator = 1_795_262_400_123_456_789n;
        expect(iterator > BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
        const bot = must(await table.updateBot(await createBot(), { pin_iterator: iterator }));
        expect(bot.pin_iterator).toBe(iterator);
        for (const pin_iterator of [iterator, iterator - 1n, 0n])
          expect(await table.updateBot(bot, { pin_iterator })).toBeUndefined();
        const next = must(await table.updateBot(bot, { pin_iterator: iterator + 1n }));
        expect(next.pin_iterator).toBe(iterator + 1n);
        expect((await table.readBot(bot.bot_id))?.pin_iterator).toBe(iterator + 1n);
      });
    });

    describe('lost answers', () => {
      const connectThroughProxy = async (action: string, skip: () => void) => {
        const endpoint = backend.environment.AWS_ENDPOINT_URL_DYNAMODB;
        if (endpoint === undefined) throw skip();
        const proxy = await startProxy(endpoint, loseFirstAnswer(action));
        const services = connectServices({ ...backend.environment, AWS_ENDPOINT_URL_DYNAMODB: proxy.url });
        return {
          table: services.table,
          times: (name: string) => proxy.actions.filter((it) => it === name).length,
        };
      };

      test('a new bot whose answer was lost is recognised when it is sent again', async ({ skip }) => {
        const lossy = await connectThroughProxy('PutItem', skip);
        const bot = newBot();
        expect(await lossy.table.createBot(bot)).toEqual(bot);
        expect(lossy.times('PutItem')).toBe(2);
      });

      test('a move whose answer was lost is recognised when it is sent again', async ({ skip }) => {
        const lossy = await connectThroughProxy('UpdateItem', skip);
        const bot = await createBot();
        const row = await lossy.table.updateBot(bot, { state: 'registering', pin_iterator: 5n }, ['queued']);
        expect(row).toMatchObject({ state: 'registering', pin_iterator: 5n, revision: 2 });
        expect(lossy.times('UpdateItem')).toBe(2);
        expect(await table.readBot(bot.bot_id)).toEqual(row);
      });

      test('a list summary whose answer was lost is recognised when it is sent again', async ({ skip }) => {
        const lossy = await connectThroughProxy('UpdateItem', skip);
        const { batch_id } = must(await table.createBatch(newBatch()));
        const read = {
          status: 'importing',
          total: 3,
          invalid: 1,
          duplicates: 0,
          reading: 'r',
          chunks: 1,
        } as const;
        expect(await lossy.table.recordListSummary(batch_id, read)).toMatchObject(read);
        expect(lossy.times('UpdateItem')).toBe(2);
      });

      test('a write of another worker is not taken for our own', async ({ skip }) => {
        const lossy = await connectThroughProxy('UpdateItem', skip);
        const bot = await createBot();
        await table.updateBot(bot, { line: 5 });
        expect(await lossy.table.updateBot(bot, { line: 6 })).toBeUndefined();
        expect((await table.readBot(bot.bot_id))?.line).toBe(5);
      });
    });

    describe('due bots', () => {
      /** A new bot id in this index partition. */
      const newIdIn = (shard: number) => `0${shard}${randomUUID().slice(2)}`;

      test('due bots come in the order of their times, up to the limit, and none before its time', async () => {
        const shard = 3;
        const seconds = [40, -30, 0, -50, -10, 1];
        const bots = await Promise.all(
          seconds.map((second) => createBot({ bot_id: newIdIn(shard), due_at: at(second) })),
        );
        const findId = (second: number) => bots[seconds.indexOf(second)]?.bot_id;
        const due = [-50, -30, -10, 0].map(findId);
        expect(await table.listDueBots(shard, NOW, 100)).toEqual(due);
        expect(await table.listDueBots(shard, NOW, 2)).toEqual(due.slice(0, 2));
        expect(await table.listDueBots(shard + 1, NOW, 100)).toEqual([]);
      });

      test('a bot is due by the time of its last write, and never without one', async () => {
        const shard = 5;
        const bot = await createBot({ bot_id: newIdIn(shard) });
        const due = () => table.listDueBots(shard, NOW, 100);
        expect(await due()).toEqual([]);
        const withTime = must(await table.updateBot(bot, { due_at: at(-1) }));
        expect(await due()).toEqual([bot.bot_id]);
        const withLine = must(await table.updateBot(withTime, { line: 4 }));
        expect(await due()).toEqual([bot.bot_id]);
        const finished = must(await table.updateBot(withLine, { state: 'blocked', due_at: undefined }));
        expect(await due()).toEqual([]);
        await table.updateBot(finished, { due_at: at(10) });
        expect(await due()).toEqual([]);
      });

      test('every bot is in one of the index partitions', async () => {
        const ids = range(16).map((i) => `${i.toString(16)}${i.toString(16)}${randomUUID().slice(2)}`);
        const early = '2020-01-01T00:00:00.000Z';
        await Promise.all(ids.map((bot_id) => createBot({ bot_id, due_at: early })));
        const pages = await Promise.all(
          range(shape.shards).map((shard) => table.listDueBots(shard, early, 100)),
        );
        expect(pages.flat().sort()).toEqual([...ids].sort());
      });
    });

    describe('listing and counting', () => {
      const batch_id = randomUUID();
      const count = 45;
      const chooseState = (i: number): BotState =>
        (['queued', 'blocked', 'registered'] as const)[i % 3] ?? 'queued';
      let bots: readonly Bot[];
      beforeAll(async () => {
        bots = await Promise.all(
          range(count).map((i) => createBot({ batch_id, line: i, state: chooseState(i) })),
        );
        await createBot({ state: 'queued' });
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

      test.each([1, 7, 44, 45, 46, 100])(
        'pages of %i bots show each bot once, in the order of the list',
        async (limit) => {
          const pages = await readAll(limit);
          expect(pages.flat()).toEqual(bots);
          expect(pages.map((page) => page.length)).toEqual(
            range(Math.ceil(count / limit)).map((i) => Math.min(limit, count - i * limit)),
          );
        },
      );

      test.each(['queued', 'blocked', 'registered'] as const)(
        'the bots of a batch in state %s are listed alone',
        async (state) => {
          const expected = bots.filter((bot) => bot.state === state);
          for (const limit of [4, expected.length, 100])
            expect((await readAll(limit, state)).flat()).toEqual(expected);
        },
      );

      test('a state is not confused with another one that begins with the same letters', async () => {
        const own = randomUUID();
        await createBot({ batch_id: own, state: 'registered' });
        expect((await table.listBots({ batch_id: own, state: 'registering', limit: 9 }))?.items).toEqual([]);
      });

      test('a cursor still works after its bot has changed its state', async () => {
        const own = randomUUID();
        const created = await Promise.all(
          range(12).map(() => createBot({ batch_id: own, state: 'blocked' })),
        );
        const listedIds: string[] = [];
        let cursor: string | undefined;
        do {
          const page = must(
            await table.listBots({ batch_id: own, state: 'blocked', limit: 3, ...(cursor && { cursor }) }),
          );
          for (const bot of page.items) {
            listedIds.push(bot.bot_id);
            await table.updateBot(bot, { state: 'queued' });
          }
          cursor = page.cursor;
        } while (cursor);
        expect(listedIds.sort()).toEqual(created.map(({ bot_id }) => bot_id).sort());
      });

      test('a bot that another list names is listed in that batch only', async () => {
        const [from, to] = [randomUUID(), randomUUID()];
        const bot = await createBot({ batch_id: from });
        await table.updateBot(bot, { batch_id: to });
        expect((await table.listBots({ batch_id: from, limit: 9 }))?.items).toEqual([]);
        expect((await table.listBots({ batch_id: to, limit: 9 }))?.items).toHaveLength(1);
      });

      test('the bots of an archive come in the order of its rows, whatever their lines', async () => {
        const own = randomUUID();
        for (const row of [3, 1, 2]) await createBot({ batch_id: own, row, line: 4 - row });
        const listed = must(await table.listBots({ batch_id: own, limit: 9 })).items;
        expect(listed.map(({ row }) => row)).toEqual([1, 2, 3]);
      });

      test('a bot that another batch follows is noted in its own batch, in its place, as often as that is done', async () => {
        const [from, to] = [randomUUID(), randomUUID()];
        const own = await Promise.all(range(3).map((line) => createBot({ batch_id: from, line })));
        const moving = must(own[1]);
        for (const _ of range(2)) await table.recordFollowed(moving, to);
        // The worker died before the bot itself moved.
        const query = { batch_id: from, withFollowed: true, limit: 9 };
        expect(must(await table.listBots(query)).items).toEqual(own);
        expect(await table.countBots(from)).toMatchObject({ states: { queued: 3 }, followed_by: {} });
        const moved = must(await table.updateBot(moving, { batch_id: to, line: 7 }));
        expect(must(await table.listBots(query)).items).toEqual([own[0], moved, own[2]]);
        expect(must(await table.listBots({ batch_id: from, limit: 9 })).items).toEqual([own[0], own[2]]);
        expect(await table.countBots(from)).toMatchObject({
          states: { queued: 2 },
          followed_by: { [to]: 1 },
        });
        await table.recordFollowed(moved, from);
        await table.updateBot(moved, { batch_id: from, line: 1 });
        expect(must(await table.listBots(query)).items.map(({ line }) => line)).toEqual([0, 1, 2]);
        expect(await table.countBots(from)).toMatchObject({ states: { queued: 3 }, followed_by: {} });
        expect(await table.countBots(to)).toMatchObject({ states: {}, followed_by: { [from]: 1 } });
      });

      test('bots are listed by reason, over pages that look at many rows', async () => {
        const own = randomUUID();
        const reason = (code: string) => ({ code, message: 'm', fix: 'f' });
        const codes = ['a', 'b', undefined] as const;
        const made = await Promise.all(
          range(9).map((line) => {
            const code = codes[line % 3];
            return createBot({ batch_id: own, line, ...(code && { reason: reason(code) }) });
          }),
        );
        const first = must(await table.listBots({ batch_id: own, reason: 'b', limit: 2 }));
        expect(first.items).toEqual([made[1], made[4]]);
        const cursor = must(first.cursor);
        const rest = await table.listBots({ batch_id: own, reason: 'b', limit: 2, cursor });
        expect(rest).toEqual({ items: [made[7]] });
        expect(await table.listBots({ batch_id: own, reason: 'a', limit: 2, cursor })).toBeUndefined();
      });

      test('the known ones among many bots are found', async () => {
        const [one, other] = [await createBot(), await createBot()];
        const ids = [one.bot_id, ...range(120).map(() => randomUUID()), other.bot_id, one.bot_id];
        expect(await table.findKnownBots(ids)).toEqual(new Set([one.bot_id, other.bot_id]));
        expect(await table.findKnownBots([])).toEqual(new Set());
      });

      test('the bots of a batch are counted by state', async () => {
        const none = { states: {}, network_users: {}, sign_ins: {}, followed_by: {} };
        const states = { queued: 15, blocked: 15, registered: 15 };
        expect(await table.countBots(batch_id)).toEqual({ ...none, states });
        expect(await table.countBots(randomUUID())).toEqual(none);
      });

      const forge = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const place = `000000001#${randomUUID()}`;
      test.each([
        ['text', 'hello'],
        ['empty', ''],
        ['null', forge(null)],
        ['an empty object', forge({})],
        ['of an invalid row', forge({ place: place.slice(1) })],
        ['of an invalid bot id', forge({ place: '000000001#batch#x' })],
        ['a cursor of row errors', forge({ sk: 'error#1' })],
        ['of an empty place', forge({ place: '' })],
        ['of a place that is too long', forge({ place: place + 'x'.repeat(2_000) })],
        ['of another reason', forge({ place, reason: 'tip_key_missing' })],
      ])('a cursor is refused that is %s', async (_name, cursor) => {
        expect(await table.listBots({ batch_id, limit: 5, cursor })).toBeUndefined();
      });

      test('a cursor is refused that belongs to another state', async () => {
        const page = must(await table.listBots({ batch_id, state: 'blocked', limit: 1 }));
        const cursor = must(page.cursor);
        expect(await table.listBots({ batch_id, state: 'queued', limit: 1, cursor })).toBeUndefined();
      });
    });

    describe('batches', () => {
      const read = {
        status: 'importing',
        total: 120,
        invalid: 3,
        duplicates: 1,
        reading: 'r',
        chunks: 3,
      } as const;
      const createImporting = async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        return must(await table.recordListSummary(batch_id, read));
      };

      test('a planned batch is confirmed once, and a batch in another status is not', async () => {
        const confirm = async (batch_id: string) => (await table.confirmBatch(batch_id))?.status;
        const [fresh, planned] = [must(await table.createBatch(newBatch())), newBatch()];
        await table.createBatch(planned);
        const read = {
          status: 'planned',
          total: 1,
          invalid: 0,
          duplicates: 0,
          reading: 'r',
          chunks: 1,
          paid_rows: 1,
        } as const;
        await table.recordListSummary(planned.batch_id, read);
        const answers = await Promise.all([1, 2, 3].map(() => confirm(planned.batch_id)));
        expect(answers.filter((status) => status !== undefined)).toEqual(['importing']);
        expect(await confirm(fresh.batch_id)).toBeUndefined();
        expect((await table.readBatch(fresh.batch_id))?.status).toBe('received');
        expect(await confirm(randomUUID())).toBeUndefined();
      });

      test('a batch is created once', async () => {
        const batch = newBatch();
        expect(await table.createBatch(batch)).toEqual(batch);
        expect(await table.createBatch({ ...batch, created_at: at(9) })).toBeUndefined();
        expect(await table.readBatch(batch.batch_id)).toEqual(batch);
        expect(await table.readBatch(randomUUID())).toBeUndefined();
      });

      test('the summary of a list is recorded once', async () => {
        const batch = await createImporting();
        expect(batch).toMatchObject({ ...read, chunks_done: [] });
        const problem = { code: 'c', message: 'm', fix: 'f' };
        expect(
          await table.recordListSummary(batch.batch_id, { status: 'rejected', problem }),
        ).toBeUndefined();
        expect(await table.readBatch(batch.batch_id)).toEqual(batch);
        expect(await table.recordListSummary(randomUUID(), read)).toBeUndefined();
      });

      test('of several summaries at the same time one is recorded', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        const results = await Promise.all(
          range(4).map((total) => table.recordListSummary(batch_id, { ...read, total })),
        );
        expect(results.filter((result) => result !== undefined)).toHaveLength(1);
      });

      test('a rejected batch has its problem', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        const problem = { code: 'not_csv', message: 'm', fix: 'f' };
        expect(await table.recordListSummary(batch_id, { status: 'rejected', problem })).toMatchObject({
          status: 'rejected',
          problem,
        });
      });

      test('a batch is imported with its last chunk, whatever the order of the chunks and however often each one comes', async () => {
        const { batch_id } = await createImporting();
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

      test('none of several chunks at the same time is lost', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        await table.recordListSummary(batch_id, { ...read, chunks: 12 });
        await Promise.all([...range(12), ...range(12)].map((i) => table.recordChunkDone(batch_id, i + 1)));
        expect(await table.readBatch(batch_id)).toMatchObject({
          status: 'imported',
          chunks_done: range(12).map((i) => i + 1),
        });
      });

      test('a chunk without a batch is an error and creates none', async () => {
        const batch_id = randomUUID();
        await expect(table.recordChunkDone(batch_id, 1)).rejects.toThrow();
        expect(await table.readBatch(batch_id)).toBeUndefined();
      });

      const problem = { code: 'handler_crashed', message: 'm', fix: 'f' };

      test('a stuck list can be read again, which removes its problem', async () => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        await table.recordStuck(batch_id, problem);
        expect(await table.readBatch(batch_id)).toMatchObject({ status: 'stuck', problem });
        const again = await table.recordListSummary(batch_id, read);
        expect(again).toMatchObject({ status: 'importing' });
        expect(again).not.toHaveProperty('problem');
      });

      test('a batch that is stuck after its list was read takes no second reading', async () => {
        const batch = await createImporting();
        await table.recordStuck(batch.batch_id, problem);
        const second = { ...read, reading: 'another', total: 7 };
        expect(await table.recordListSummary(batch.batch_id, second)).toBeUndefined();
        expect(await table.readBatch(batch.batch_id)).toMatchObject({ reading: 'r', total: 120 });
      });

      test('a stuck batch is imported when its last chunk is, which removes its problem', async () => {
        const { batch_id } = await createImporting();
        await table.recordChunkDone(batch_id, 1);
        await table.recordStuck(batch_id, problem);
        expect(await table.recordChunkDone(batch_id, 2)).toMatchObject({ status: 'stuck', problem });
        const done = await table.recordChunkDone(batch_id, 3);
        expect(done.status).toBe('imported');
        expect(done).not.toHaveProperty('problem');
      });

      test('an imported batch cannot become stuck', async () => {
        const { batch_id } = await createImporting();
        for (const chunk of [1, 2, 3]) await table.recordChunkDone(batch_id, chunk);
        await table.recordStuck(batch_id, problem).catch(() => undefined);
        expect((await table.readBatch(batch_id))?.status).toBe('imported');
      });

      test.each([
        ['planned', { ...read, status: 'planned' }],
        ['rejected', { status: 'rejected', problem }],
      ] as const)('a %s batch cannot become stuck', async (status, as) => {
        const { batch_id } = must(await table.createBatch(newBatch()));
        await table.recordListSummary(batch_id, as);
        await table.recordStuck(batch_id, problem).catch(() => undefined);
        expect((await table.readBatch(batch_id))?.status).toBe(status);
      });

      test('a batch that does not exist cannot become stuck', async () => {
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

      test('row errors come in the order of their rows, page by page, as they were put', async () => {
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

      test('row errors that are put twice are listed once', async () => {
        const batch_id = randomUUID();
        const errors = range(3).map((line) => rowError(line));
        for (const _ of range(2)) await table.putRowErrors(batch_id, errors);
        expect(await readAll(batch_id, 10)).toEqual(errors);
      });

      test('row errors of one line do not replace each other, though they come from different chunks', async () => {
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

      test('a list without row errors has an empty page', async () => {
        const batch_id = randomUUID();
        await table.putRowErrors(batch_id, []);
        expect(await table.listRowErrors(batch_id, 10)).toEqual({ items: [] });
      });

      const forge = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      test.each([
        ['text', 'hello'],
        ['empty', ''],
        ['the key of another item', forge({ sk: 'batch' })],
        ['a cursor of bots', forge({ shard: 0, state_key: 'queued#x', bot_id: randomUUID() })],
        ['of a sort key that is too long', forge({ sk: `error#${'9'.repeat(2_000)}` })],
      ])('a cursor is refused that is %s', async (_name, cursor) => {
        expect(await table.listRowErrors(randomUUID(), 5, cursor)).toBeUndefined();
      });
    });

    describe('rows of another version', () => {
      let dynamodb: DynamoDBClient;
      beforeAll(() => {
        dynamodb = new DynamoDBClient(clientOptions(backend.environment, 'dynamodb'));
      });
      afterAll(() => dynamodb?.destroy());

      const buildKey = (pk: string, sk: string) => ({
        TableName: backend.environment.ENLIST_TABLE,
        Key: { pk: { S: pk }, sk: { S: sk } },
      });
      const readItem = async (pk: string, sk: string) =>
        (await dynamodb.send(new GetItemCommand({ ...buildKey(pk, sk), ConsistentRead: true }))).Item;
      /** Gives a row another schema number, or none. */
      const setSchema = async (pk: string, sk: string, schema?: number) => {
        const names = { ExpressionAttributeNames: { '#schema': 'schema' } };
        const values = { ExpressionAttributeValues: { ':schema': { N: String(schema) } } };
        await dynamodb.send(
          new UpdateItemCommand({
            ...buildKey(pk, sk),
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

      test('every row that is written has schema 2', async () => {
        const bot = await createBot();
        await table.createBatch(newBatch());
        await table.createVerification({ verification_id: randomUUID(), device_id: randomUUID() });
        await table.putRowErrors(randomUUID(), [rowError(1)]);
        await table.updateBot(bot, { line: 3 });
        const { Items = [] } = await dynamodb.send(
          new ScanCommand({
            TableName: backend.environment.ENLIST_TABLE,
            FilterExpression: 'attribute_not_exists(#schema) OR #schema <> :schema',
            ExpressionAttributeNames: { '#schema': 'schema' },
            ExpressionAttributeValues: { ':schema': { N: '2' } },
          }),
        );
        expect(Items).toEqual([]);
        expect((await readItem(`bot#${bot.bot_id}`, 'bot'))?.schema).toEqual({ N: '2' });
      });

      test.each([
        ['no schema number', undefined],
        ['schema 0', 0],
        ['schema 1', 1],
      ])('a bot with %s is refused, and nothing is written', async (_name, schema) => {
        const bot = await createBot({ due_at: at(1) });
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
        ['schema 1', 1],
      ])('a batch with %s is refused, and nothing is written', async (_name, schema) => {
        const batch = must(await table.createBatch(newBatch()));
        const { batch_id } = batch;
        const key = [`batch#${batch_id}`, 'batch'] as const;
        await setSchema(...key, schema);
        const before = await readItem(...key);
        const counts = { total: 1, invalid: 0, duplicates: 0, reading: 'r', chunks: 1 };
        await expectRefused(table.readBatch(batch_id));
        await expectRefused(table.createBatch(batch));
        await expectRefused(table.recordListSummary(batch_id, { status: 'importing', ...counts }));
        await expectRefused(table.confirmBatch(batch_id));
        await expectRefused(table.recordChunkDone(batch_id, 1));
        await expectRefused(table.recordStuck(batch_id, { code: 'c', message: 'm', fix: 'f' }));
        expect(await readItem(...key)).toEqual(before);
      });

      test('a verification without a schema number is refused', async () => {
        const verification = { verification_id: randomUUID(), device_id: randomUUID() };
        await table.createVerification(verification);
        expect(await table.readVerification(verification.verification_id)).toEqual(verification);
        await setSchema(`verification#${verification.verification_id}`, 'verification');
        await expectRefused(table.readVerification(verification.verification_id));
        await expectRefused(table.createVerification(verification));
      });

      test('a row error without a schema number is refused', async () => {
        const batch_id = randomUUID();
        await table.putRowErrors(batch_id, [rowError(1)]);
        await setSchema(`batch#${batch_id}`, 'error#000000001#app_id#invalid_field');
        await expectRefused(table.listRowErrors(batch_id, 10));
      });
    });
  });
};
