import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import type { RouteNameOf } from '../../lib/api/contract.ts';
import type { HttpAnswer, HttpRequest } from '../../lib/api/http.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { limits } from '../../lib/model/limits.ts';
import type { RowError } from '../../lib/model/problem.ts';
import { type BotState, states } from '../../lib/model/states.ts';
import { aBatch, aBot, createMemory, later, type Memory } from '../bots/memory.ts';

const request = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  path: {},
  query: {},
  headers: {},
  body: new Uint8Array(),
  ...more,
});
const ask = (memory: Memory, route: RouteNameOf<'api'>, more: Partial<HttpRequest> = {}) =>
  api[route](memory.services, request(more));

const post = (text: string, headers: HttpRequest['headers'] = {}): Partial<HttpRequest> => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(text),
});
const json = (value: unknown): Partial<HttpRequest> => ({ body: Buffer.from(JSON.stringify(value)) });

/** Checks that it is a problem document (RFC 9457) and returns its code. */
const problemOf = ({ status, body }: HttpAnswer): [number, unknown] => {
  const text = expect.stringMatching(/.\.$/);
  const { code } = body as { code: string };
  expect(body).toEqual({
    type: 'about:blank',
    title: expect.stringMatching(/^[A-Z]/),
    status,
    code: expect.stringMatching(/^[a-z_]+$/),
    message: text,
    fix: text,
    ...(code.startsWith('bad_') && { field: expect.stringMatching(/./) }),
  });
  return [status, code];
};
const bodyOf = ({ status, body }: HttpAnswer) => {
  expect(status).toBe(200);
  return body as Record<string, unknown>;
};

const rowError = (line: number): RowError => ({
  row: line,
  line,
  field: 'f',
  code: 'c',
  message: 'm',
  fix: 'x',
});
const botsIn = (batch_id: string, list: readonly Partial<Bot>[]) =>
  list.map((more) => aBot({ batch_id, ...more }));

describe('POST /batches', () => {
  test('keeps the list, makes the batch and tells intake', async () => {
    const memory = createMemory();
    const answer = await ask(memory, 'createBatch', post('[{}]'));
    const { batch_id } = answer.body as { batch_id: string };
    expect(answer).toEqual({
      status: 202,
      headers: { location: `/batches/${batch_id}` },
      body: { batch_id, status: 'received' },
    });
    expect(memory.batches.get(batch_id)).toMatchObject({ status: 'received', created_at: later(0) });
    expect(Buffer.from(memory.objects.get(`${batch_id}/list`)?.body ?? '').toString()).toBe('[{}]');
    expect(memory.objects.get(`${batch_id}/list`)?.contentType).toBe('application/json');
    expect(memory.sent).toEqual([{ queue: 'intake', message: { body: { batch_id } } }]);
  });

  test('two lists are two batches; the same Idempotency-Key is one', async () => {
    const memory = createMemory();
    const idOf = async (headers = {}) =>
      ((await ask(memory, 'createBatch', post('[{}]', headers))).body as { batch_id: string }).batch_id;
    expect(await idOf()).not.toBe(await idOf());
    const key = { 'idempotency-key': randomUUID() };
    const other = { 'idempotency-key': randomUUID() };
    const first = await idOf(key);
    expect(await idOf(key)).toBe(first);
    expect(await idOf(other)).not.toBe(first);
    expect(memory.batches.size).toBe(4);
  });

  test('a request sent again while nobody has read the list tells intake again', async () => {
    const memory = createMemory();
    const again = () => ask(memory, 'createBatch', post('[{}]', { 'idempotency-key': 'a-key-of-mine' }));
    await again();
    await again();
    expect(memory.sent).toHaveLength(2);
    expect(memory.objects.size).toBe(1);
  });

  test('a request sent again after the list was read changes nothing', async () => {
    const memory = createMemory();
    const again = () => ask(memory, 'createBatch', post('[{}]', { 'idempotency-key': 'a-key-of-mine' }));
    const { batch_id } = (await again()).body as { batch_id: string };
    const list_digest = memory.batches.get(batch_id)?.list_digest ?? '';
    const read = aBatch({ batch_id, status: 'imported', list_digest });
    memory.batches.set(batch_id, read);
    memory.objects.clear();
    expect(await again()).toMatchObject({ status: 202, body: { batch_id, status: 'imported' } });
    expect(memory.batches.get(batch_id)).toBe(read);
    expect(memory.objects.size).toBe(0);
    expect(memory.sent).toHaveLength(1);
  });

  test('an Idempotency-Key stands for one list', async () => {
    const memory = createMemory();
    const send = (text: string) =>
      ask(memory, 'createBatch', post(text, { 'idempotency-key': 'a-key-of-mine' }));
    const { batch_id } = (await send('[{}]')).body as { batch_id: string };
    expect(problemOf(await send('[{},{}]'))).toEqual([409, 'idempotency_key_reused']);
    expect(Buffer.from(memory.objects.get(`${batch_id}/list`)?.body ?? '').toString()).toBe('[{}]');
  });

  test.each([
    ['no Content-Type', { body: Buffer.from('[]') }, 415, 'unknown_format'],
    ['a strange Content-Type', post('x', { 'content-type': 'text/html' }), 415, 'unknown_format'],
    ['no body', post(''), 400, 'empty_list'],
    ['a short Idempotency-Key', post('[{}]', { 'idempotency-key': '1234567' }), 400, 'bad_parameter'],
    ['a long Idempotency-Key', post('[{}]', { 'idempotency-key': 'x'.repeat(256) }), 400, 'bad_parameter'],
    [
      'half a character as a key',
      post('[{}]', { 'idempotency-key': '\ud800'.repeat(8) }),
      400,
      'bad_parameter',
    ],
  ])('%s is refused', async (_name, sent, status, code) => {
    const memory = createMemory();
    expect(problemOf(await ask(memory, 'createBatch', sent))).toEqual([status, code]);
    expect([memory.batches.size, memory.objects.size, memory.sent.length]).toEqual([0, 0, 0]);
  });

  test('the limit of size is exact', async () => {
    const memory = createMemory();
    const sized = (bytes: number) => ({ ...post(''), body: new Uint8Array(bytes).fill(32) });
    expect((await ask(memory, 'createBatch', sized(limits.maxInlineBytes))).status).toBe(202);
    const tooLarge = await ask(memory, 'createBatch', sized(limits.maxInlineBytes + 1));
    expect(problemOf(tooLarge)).toEqual([413, 'list_too_large']);
  });
});

describe('GET /batches/{batch_id}', () => {
  test('takes an id in either case', async () => {
    const batch = aBatch();
    const memory = createMemory({ batches: [batch] });
    const batch_id = batch.batch_id.toUpperCase();
    expect(bodyOf(await ask(memory, 'readBatch', { path: { batch_id } })).batch_id).toBe(batch.batch_id);
  });

  test('shows the numbers, the states and the first errors', async () => {
    const batch = aBatch({ total: 4, invalid: 1 });
    const { batch_id } = batch;
    const bots = botsIn(batch_id, [{ state: 'registered' }, { state: 'blocked' }, { state: 'waiting' }]);
    const memory = createMemory({ bots, batches: [batch] });
    memory.rowErrors.set(batch_id, [rowError(3)]);
    expect(bodyOf(await ask(memory, 'readBatch', { path: { batch_id } }))).toMatchObject({
      batch_id,
      status: 'imported',
      total: 4,
      invalid: 1,
      duplicates: 0,
      accepted: 3,
      finished: 2,
      states: { registered: 1, blocked: 1, waiting: 1, queued: 0 },
      percent_done: 66,
      errors: [rowError(3)],
      more_errors: false,
    });
  });

  test('says when there are more errors, and what is wrong with the whole list', async () => {
    const problem = { code: 'not_csv', message: 'm', fix: 'f' };
    const batch = aBatch({ status: 'rejected', problem });
    const memory = createMemory({ batches: [batch] });
    memory.rowErrors.set(
      batch.batch_id,
      Array.from({ length: 101 }, (_, i) => rowError(i)),
    );
    const body = bodyOf(await ask(memory, 'readBatch', { path: { batch_id: batch.batch_id } }));
    expect(body).toMatchObject({ problem, more_errors: true });
    expect(body.errors).toHaveLength(100);
  });
});

const unknownIds = [randomUUID(), 'x', '', '../etc', '__proto__', undefined];

describe.each(['readBatch', 'listRowErrors', 'listBots', 'retryBatch'] as const)('%s', (route) => {
  test.each(unknownIds)('there is no batch %s', async (batch_id) => {
    const answer = await ask(createMemory(), route, { path: { batch_id } });
    expect(problemOf(answer)).toEqual([404, 'no_such_batch']);
  });
});

describe.each(['listRowErrors', 'listBots'] as const)('%s', (route) => {
  const field = route === 'listBots' ? 'bots' : 'errors';
  const filled = (count: number) => {
    const batch = aBatch();
    const memory = createMemory({
      batches: [batch],
      bots: botsIn(
        batch.batch_id,
        Array.from({ length: count }, (_, line) => ({ line })),
      ),
    });
    memory.rowErrors.set(
      batch.batch_id,
      Array.from({ length: count }, (_, line) => rowError(line)),
    );
    return { memory, path: { batch_id: batch.batch_id } };
  };

  test('cursors lead through all of it, once', async () => {
    const { memory, path } = filled(5);
    const lines: number[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const query = { limit: '2', ...(cursor !== undefined && { cursor }) };
      const body = bodyOf(await ask(memory, route, { path, query }));
      lines.push(...(body[field] as { line: number }[]).map(({ line }) => line));
      cursor = body.cursor as string | undefined;
      pages += 1;
    } while (cursor !== undefined && pages < 9);
    expect(lines).toEqual([0, 1, 2, 3, 4]);
    expect(pages).toBe(3);
  });

  test('a page is 100 unless told, and never more', async () => {
    const { memory, path } = filled(101);
    const body = bodyOf(await ask(memory, route, { path }));
    expect(body[field]).toHaveLength(100);
    expect(body.cursor).toBeDefined();
  });

  test.each(['0', '101', '-1', '1.5', 'many', '', '1e9'])('limit=%s is refused', async (limit) => {
    const { memory, path } = filled(1);
    expect(problemOf(await ask(memory, route, { path, query: { limit } }))).toEqual([400, 'bad_parameter']);
  });

  test('a cursor that is none of ours is refused', async () => {
    const { memory, path } = filled(1);
    const answer = await ask(memory, route, { path, query: { cursor: 'not-ours' } });
    expect(problemOf(answer)).toEqual([400, 'bad_parameter']);
  });
});

describe('GET /batches/{batch_id}/bots', () => {
  test.each(states)('state=%s shows those', async (state) => {
    const batch = aBatch();
    const bots = botsIn(
      batch.batch_id,
      states.map((each) => ({ state: each })),
    );
    const memory = createMemory({ batches: [batch], bots });
    const answer = await ask(memory, 'listBots', { path: { batch_id: batch.batch_id }, query: { state } });
    expect((bodyOf(answer).bots as Bot[]).map((bot) => bot.state)).toEqual([state]);
  });

  test.each(['', 'QUEUED', 'gone', 'constructor'])('state=%s is refused', async (state) => {
    const answer = await ask(createMemory(), 'listBots', {
      path: { batch_id: randomUUID() },
      query: { state },
    });
    expect(problemOf(answer)).toEqual([400, 'bad_parameter']);
  });
});

describe('GET /bots/{bot_id}', () => {
  test('is found in whatever case it is written', async () => {
    const bot = aBot();
    const answer = await ask(createMemory({ bots: [bot] }), 'readBot', {
      path: { bot_id: bot.bot_id.toUpperCase() },
    });
    expect(bodyOf(answer)).toMatchObject({ bot_id: bot.bot_id, state: 'queued', history: bot.history });
  });

  test.each(unknownIds)('there is no bot %s', async (bot_id) => {
    expect(problemOf(await ask(createMemory(), 'readBot', { path: { bot_id } }))).toEqual([
      404,
      'no_such_bot',
    ]);
  });
});

test('a bot is shown by an allow-list: leases, iterators, versions and strangers stay inside', async () => {
  const batch = aBatch();
  const reason = { code: 'pin_locked', message: 'm', fix: 't' };
  const hidden = {
    secret_version: 'CANARY-version',
    lease_owner: 'CANARY-owner',
    lease_until: 'CANARY-until',
    pin_iterator: 1_767_225_600_000_000_123n,
    pin_sent_at: 'CANARY-sent',
    pin_set_at: 'CANARY-set',
    safe_sent_at: 'CANARY-safe',
    due_at: 'CANARY-due',
    row_digest: 'CANARY-listing',
    session_id: 'CANARY-session',
    spend_private_key: 'CANARY-key',
    write_id: 'CANARY-write',
  };
  const bot_id = randomUUID();
  const shown = {
    bot_id,
    batch_id: batch.batch_id,
    line: 3,
    state: 'waiting' as const,
    state_since: later(0),
    reason,
    public_key: 'f'.repeat(64),
    wait_until: later(60),
    history: [{ at: later(0), state: 'waiting' as const, step: 'check' }],
  };
  const bot = aBot({ ...shown, ...hidden });
  const answered = { ...shown, user_id: bot_id };
  const memory = createMemory({ bots: [bot], batches: [batch] });
  const path = { batch_id: batch.batch_id, bot_id: bot.bot_id };
  expect(bodyOf(await ask(memory, 'readBot', { path }))).toEqual(answered);
  expect(bodyOf(await ask(memory, 'listBots', { path }))).toEqual({ bots: [answered] });
  const answers = await Promise.all(
    (['readBot', 'listBots', 'readBatch', 'listRowErrors', 'retryBatch'] as const).map((route) =>
      ask(memory, route, { path }),
    ),
  );
  expect(JSON.stringify(answers)).not.toMatch(/CANARY|lease|iterator/);
});

describe('POST /batches/{batch_id}/retry', () => {
  const batch = aBatch();
  const { batch_id } = batch;
  const path = { batch_id };
  const reason = (code: string) => ({ code, message: 'm', fix: 't' });
  const inEveryState = () =>
    createMemory({
      batches: [batch],
      bots: botsIn(
        batch_id,
        states.map((state) => ({ state, attempts: 3, reason: reason(`was_${state}`) })),
      ),
    });
  const retriedFrom = (memory: Memory): BotState[] =>
    memory.logged.filter(({ code }) => code === 'bot_moved').map(({ fields }) => fields.from as BotState);

  test.each([
    ['nothing', {}, ['blocked', 'failed']],
    ['{}', json({}), ['blocked', 'failed']],
    ['white space', { body: Buffer.from(' \n') }, ['blocked', 'failed']],
    ['one state', json({ states: ['waiting'] }), ['waiting']],
    [
      'all',
      json({ states: ['blocked', 'failed', 'waiting', 'external'] }),
      ['external', 'waiting', 'blocked', 'failed'],
    ],
    ['a reason', json({ reason: 'was_failed' }), ['failed']],
    ['a reason of nobody', json({ reason: 'x' }), []],
  ] as [string, Partial<HttpRequest>, BotState[]][])('asked with %s', async (_name, sent, from) => {
    const memory = inEveryState();
    const body = bodyOf(await ask(memory, 'retryBatch', { path, ...sent }));
    expect(body).toEqual({ retried: from.length, pin_locked: 0 });
    expect(retriedFrom(memory).sort()).toEqual([...from].sort());
    expect(memory.sent.map(({ queue }) => queue)).toEqual(from.map(() => 'check'));
    const moved = [...memory.bots.values()].filter(({ revision }) => revision > 1);
    for (const bot of moved) {
      expect(bot).toMatchObject({ state: 'queued', attempts: 0 });
      expect(bot).not.toHaveProperty('reason');
    }
  });

  test('a bot whose PIN is locked keeps waiting; a lock that is over is none', async () => {
    const bots = botsIn(batch_id, [
      { state: 'waiting', pin_locked_until: later(1) },
      { state: 'waiting', pin_locked_until: later(-1) },
      { state: 'waiting' },
    ]);
    const memory = createMemory({ batches: [batch], bots });
    expect(bodyOf(await ask(memory, 'retryBatch', { path, ...json({ states: ['waiting'] }) }))).toEqual({
      retried: 2,
      pin_locked: 1,
    });
    expect(memory.bots.get(bots[0]?.bot_id ?? '')).toEqual(bots[0]);
    expect(memory.sent.map(({ message }) => message.body.bot_id)).toEqual(
      bots.slice(1).map(({ bot_id }) => bot_id),
    );
  });

  test('a long batch is retried page by page', async () => {
    const bots = botsIn(
      batch_id,
      Array.from({ length: 201 }, () => ({ state: 'queued' as const })),
    ).concat(botsIn(batch_id, [{ state: 'blocked' }]));
    const memory = createMemory({ batches: [batch], bots });
    const first = bodyOf(await ask(memory, 'retryBatch', { path }));
    expect(first).toMatchObject({ retried: 0, cursor: expect.any(String) });
    const second = bodyOf(await ask(memory, 'retryBatch', { path, ...json({ cursor: first.cursor }) }));
    expect(second).toEqual({ retried: 1, pin_locked: 0 });
  });

  test('a stuck batch is told to intake again, any other is not', async () => {
    const stuck = createMemory({ batches: [aBatch({ batch_id, status: 'stuck' })] });
    await ask(stuck, 'retryBatch', { path });
    expect(stuck.sent).toEqual([{ queue: 'intake', message: { body: { batch_id } } }]);
    const calm = createMemory({ batches: [batch] });
    await ask(calm, 'retryBatch', { path });
    expect(calm.sent).toEqual([]);
  });

  test.each([
    '{',
    'null',
    '[]',
    '"blocked"',
    '{"states":[]}',
    '{"states":["registered"]}',
    '{"states":["registering"]}',
    '{"states":"blocked"}',
    '{"state":["blocked"]}',
    '{"reason":1}',
    '{"__proto__":{"states":["waiting"]},"x":1}',
  ])('the body %s is refused', async (text) => {
    const memory = inEveryState();
    const answer = await ask(memory, 'retryBatch', { path, body: Buffer.from(text) });
    expect(problemOf(answer)).toEqual([400, 'bad_body']);
    expect(memory.updates).toBe(0);
  });

  test('a cursor that is none of ours is refused', async () => {
    const answer = await ask(inEveryState(), 'retryBatch', { path, ...json({ cursor: 'not-ours' }) });
    expect(problemOf(answer)).toEqual([400, 'bad_parameter']);
  });
});
