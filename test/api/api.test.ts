import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { api } from '../../lib/api/api.ts';
import type { BotView, RouteNameOf } from '../../lib/api/contract.ts';
import type { HttpAnswer, HttpRequest } from '../../lib/api/http.ts';
import { intake } from '../../lib/batches/intake.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { limits } from '../../lib/model/limits.ts';
import type { Services } from '../../lib/model/ports.ts';
import type { RowError } from '../../lib/model/problem.ts';
import { type BotState, states } from '../../lib/model/states.ts';
import {
  buildBatch,
  buildBot,
  isoTime,
  type Recorder,
  recordServices,
  startServices,
} from '../helpers/services.ts';

const call = ({ services }: Recorder, route: RouteNameOf<'api'>, more: Partial<HttpRequest> = {}) =>
  api[route](services, { path: {}, query: {}, headers: {}, body: new Uint8Array(), ...more });

const post = (text: string, headers: HttpRequest['headers'] = {}): Partial<HttpRequest> => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(text),
});
const json = (value: unknown): Partial<HttpRequest> => ({ body: Buffer.from(JSON.stringify(value)) });

/** Checks that it is a problem document (RFC 9457) and returns its status and code. */
const readProblem = ({ status, body }: HttpAnswer): [number, string] => {
  const sentence = expect.stringMatching(/.\.$/);
  const { code } = body as { code: string };
  expect(body).toEqual({
    type: 'about:blank',
    title: expect.stringMatching(/^[A-Z]/),
    status,
    code: expect.stringMatching(/^[a-z_]+$/),
    message: sentence,
    fix: sentence,
    ...(code.startsWith('bad_') && { field: expect.stringMatching(/./) }),
  });
  return [status, code];
};
const readBody = ({ status, body }: HttpAnswer) => {
  expect(status).toBe(200);
  return body as Record<string, unknown>;
};
const readBatchId = ({ body }: HttpAnswer) => (body as { batch_id: string }).batch_id;

const rowError = (line: number): RowError => ({
  row: line,
  line,
  field: 'f',
  code: 'c',
  message: 'm',
  fix: 'x',
});
const buildBots = (batch_id: string, list: readonly Partial<Bot>[]) =>
  list.map((more) => buildBot({ batch_id, ...more }));
const readList = async ({ uploads }: Services, batch_id: string) => {
  const list = await uploads.get(`${batch_id}/list`);
  return list && { text: Buffer.from(list.body).toString(), contentType: list.contentType };
};

describe('POST /batches', () => {
  test('POST /batches stores the list, creates the batch and queues intake', async () => {
    const recorder = await recordServices();
    const answer = await call(recorder, 'createBatch', post('[{}]'));
    const batch_id = readBatchId(answer);
    expect(answer).toEqual({
      status: 202,
      headers: { location: `/batches/${batch_id}` },
      body: { batch_id, status: 'received' },
    });
    expect(await recorder.services.table.readBatch(batch_id)).toMatchObject({
      status: 'received',
      created_at: isoTime(0),
    });
    expect(await readList(recorder.services, batch_id)).toEqual({
      text: '[{}]',
      contentType: 'application/json',
    });
    expect(recorder.messages).toEqual([{ queue: 'intake', message: { body: { batch_id } } }]);
  });

  test('POST /batches makes two batches of two lists, and one batch of lists with the same Idempotency-Key', async () => {
    const recorder = await recordServices();
    const send = async (headers = {}) =>
      readBatchId(await call(recorder, 'createBatch', post('[{}]', headers)));
    const key = { 'idempotency-key': randomUUID() };
    const first = await send(key);
    const others = [await send(), await send(), await send({ 'idempotency-key': randomUUID() })];
    expect(await send(key)).toBe(first);
    expect(new Set([first, ...others]).size).toBe(4);
  });

  test('a request that is sent again before the list was read queues intake again', async () => {
    const recorder = await recordServices();
    const key = randomUUID();
    const send = () => call(recorder, 'createBatch', post('[{}]', { 'idempotency-key': key }));
    expect(readBatchId(await send())).toBe(readBatchId(await send()));
    expect(recorder.messages).toHaveLength(2);
  });

  test('a request that is sent again after the list was read changes nothing', async () => {
    const recorder = await recordServices();
    const { table, uploads } = recorder.services;
    const key = randomUUID();
    const send = () => call(recorder, 'createBatch', post('[{}]', { 'idempotency-key': key }));
    const batch_id = readBatchId(await send());
    const summary = { total: 1, invalid: 1, duplicates: 0, reading: randomUUID(), chunks: 0 };
    const read = await table.recordListSummary(batch_id, { status: 'imported', ...summary });
    await uploads.remove([`${batch_id}/list`]);
    expect(await send()).toMatchObject({ status: 202, body: { batch_id, status: 'imported' } });
    expect(await table.readBatch(batch_id)).toEqual(read);
    expect(await readList(recorder.services, batch_id)).toBeUndefined();
    expect(recorder.messages).toHaveLength(1);
  });

  test('an Idempotency-Key belongs to one list', async () => {
    const recorder = await recordServices();
    const key = randomUUID();
    const send = (text: string) => call(recorder, 'createBatch', post(text, { 'idempotency-key': key }));
    const batch_id = readBatchId(await send('[{}]'));
    expect(readProblem(await send('[{},{}]'))).toEqual([409, 'idempotency_key_reused']);
    expect((await readList(recorder.services, batch_id))?.text).toBe('[{}]');
  });

  test('of two different lists at once under one Idempotency-Key one is refused, and the other is stored', async () => {
    const recorder = await recordServices();
    const { services } = recorder;
    const lists = ['[{"a":1}]', '[{"b":2}]'];
    for (let round = 0; round < 5; round += 1) {
      const key = { 'idempotency-key': randomUUID() };
      const both = Promise.withResolvers<void>();
      let created = 0;
      // Neither goes on before both have begun to create the batch.
      const createBatch: typeof services.table.createBatch = async (batch) => {
        created += 1;
        if (created === 2) both.resolve();
        await both.promise;
        return services.table.createBatch(batch);
      };
      const racing = { ...recorder, services: { ...services, table: { ...services.table, createBatch } } };
      const answers = await Promise.all(lists.map((text) => call(racing, 'createBatch', post(text, key))));
      const winner = answers.findIndex(({ status }) => status === 202);
      expect(readProblem(answers[1 - winner] as HttpAnswer)).toEqual([409, 'idempotency_key_reused']);
      const batch_id = readBatchId(answers[winner] as HttpAnswer);
      expect((await readList(services, batch_id))?.text).toBe(lists[winner]);
    }
  });

  test.each([
    ['without a Content-Type', { body: Buffer.from('[]') }, 415, 'unknown_format'],
    ['with a strange Content-Type', post('x', { 'content-type': 'text/html' }), 415, 'unknown_format'],
    ['without a body', post(''), 400, 'empty_list'],
    ['with a short Idempotency-Key', post('[{}]', { 'idempotency-key': '1234567' }), 400, 'bad_parameter'],
    [
      'with a long Idempotency-Key',
      post('[{}]', { 'idempotency-key': 'x'.repeat(256) }),
      400,
      'bad_parameter',
    ],
    [
      'with half of a character as its Idempotency-Key',
      post('[{}]', { 'idempotency-key': '\ud800'.repeat(8) }),
      400,
      'bad_parameter',
    ],
  ])('a list %s is refused, and nothing is queued', async (_name, request, status, code) => {
    const recorder = await recordServices();
    expect(readProblem(await call(recorder, 'createBatch', request))).toEqual([status, code]);
    expect(recorder.messages).toEqual([]);
  });

  test('a list of the largest size is received, and one byte more is refused', async () => {
    const recorder = await recordServices();
    const createBody = (bytes: number) => ({ ...post(''), body: new Uint8Array(bytes).fill(32) });
    expect((await call(recorder, 'createBatch', createBody(limits.maxInlineBytes))).status).toBe(202);
    const tooLarge = await call(recorder, 'createBatch', createBody(limits.maxInlineBytes + 1));
    expect(readProblem(tooLarge)).toEqual([413, 'list_too_large']);
  });
});

describe('GET /batches/{batch_id}', () => {
  test('GET /batches/{batch_id} finds a batch by its id in upper case too', async () => {
    const batch = buildBatch();
    const recorder = await recordServices({ batches: [batch] });
    const batch_id = batch.batch_id.toUpperCase();
    expect(readBody(await call(recorder, 'readBatch', { path: { batch_id } })).batch_id).toBe(batch.batch_id);
  });

  test('GET /batches/{batch_id} shows the numbers, the states and the first errors', async () => {
    const batch = buildBatch({ total: 4, invalid: 1 });
    const { batch_id } = batch;
    const bots = buildBots(batch_id, [{ state: 'registered' }, { state: 'blocked' }, { state: 'waiting' }]);
    const recorder = await recordServices({ bots, batches: [batch] });
    await recorder.services.table.putRowErrors(batch_id, [rowError(3)]);
    expect(readBody(await call(recorder, 'readBatch', { path: { batch_id } }))).toMatchObject({
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

  test('GET /batches/{batch_id} shows that there are more errors, and what is wrong with the whole list', async () => {
    const problem = { code: 'not_csv', message: 'm', fix: 'f' };
    const batch = buildBatch({ status: 'rejected', problem });
    const recorder = await recordServices({ batches: [batch] });
    await recorder.services.table.putRowErrors(
      batch.batch_id,
      Array.from({ length: 101 }, (_, i) => rowError(i + 1)),
    );
    const body = readBody(await call(recorder, 'readBatch', { path: { batch_id: batch.batch_id } }));
    expect(body).toMatchObject({ problem, more_errors: true });
    expect(body.errors).toHaveLength(100);
  });
});

const unknownIds = [randomUUID(), 'x', '', '../etc', '__proto__', undefined];

describe.each(['readBatch', 'listRowErrors', 'listBots', 'retryBatch'] as const)('the route %s', (route) => {
  test.each(unknownIds)('an unknown batch is the problem no_such_batch: %s', async (batch_id) => {
    const answer = await call(await recordServices(), route, { path: { batch_id } });
    expect(readProblem(answer)).toEqual([404, 'no_such_batch']);
  });
});

describe.each(['listRowErrors', 'listBots'] as const)('the pages of %s', (route) => {
  const field = route === 'listBots' ? 'bots' : 'errors';
  const fill = async (count: number) => {
    const batch = buildBatch();
    const { batch_id } = batch;
    const lines = Array.from({ length: count }, (_, i) => i + 1);
    const bots = buildBots(
      batch_id,
      lines.map((line) => ({ line })),
    );
    const recorder = await recordServices({ batches: [batch], bots });
    await recorder.services.table.putRowErrors(batch_id, lines.map(rowError));
    return { recorder, path: { batch_id } };
  };

  test('cursors lead through all pages, and each item is on one of them', async () => {
    const { recorder, path } = await fill(5);
    const lines: number[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const query = { limit: '2', ...(cursor !== undefined && { cursor }) };
      const body = readBody(await call(recorder, route, { path, query }));
      lines.push(...(body[field] as { line: number }[]).map(({ line }) => line));
      cursor = body.cursor as string | undefined;
      pages += 1;
    } while (cursor !== undefined && pages < 9);
    expect(lines.sort()).toEqual([1, 2, 3, 4, 5]);
  });

  test('a page has 100 items when no limit is given', async () => {
    const { recorder, path } = await fill(101);
    const body = readBody(await call(recorder, route, { path }));
    expect(body[field]).toHaveLength(100);
    expect(body.cursor).toBeDefined();
  });

  test.each(['0', '101', '-1', '1.5', 'many', '', '1e9'])(
    'the parameter limit=%s is refused',
    async (limit) => {
      const { recorder, path } = await fill(1);
      const answer = await call(recorder, route, { path, query: { limit } });
      expect(readProblem(answer)).toEqual([400, 'bad_parameter']);
      expect(answer.body).toMatchObject({ field: 'limit', fix: 'Use a whole number from 1 to 100.' });
    },
  );

  test('a cursor of another kind is refused', async () => {
    const { recorder, path } = await fill(1);
    const answer = await call(recorder, route, { path, query: { cursor: 'not-a-cursor' } });
    expect(readProblem(answer)).toEqual([400, 'bad_parameter']);
  });
});

describe('GET /batches/{batch_id}/bots', () => {
  test.each(states)('the parameter state=%s selects the bots in that state', async (state) => {
    const batch = buildBatch();
    const bots = buildBots(
      batch.batch_id,
      states.map((each) => ({ state: each })),
    );
    const recorder = await recordServices({ batches: [batch], bots });
    const answer = await call(recorder, 'listBots', { path: { batch_id: batch.batch_id }, query: { state } });
    expect((readBody(answer).bots as BotView[]).map((bot) => bot.state)).toEqual([state]);
  });

  test.each(['', 'QUEUED', 'gone', 'constructor'])('the parameter state=%s is refused', async (state) => {
    const path = { batch_id: randomUUID() };
    const answer = await call(await recordServices(), 'listBots', { path, query: { state } });
    expect(readProblem(answer)).toEqual([400, 'bad_parameter']);
    expect(answer.body).toMatchObject({ field: 'state' });
  });
});

describe('GET /bots/{bot_id}', () => {
  test('GET /bots/{bot_id} finds a bot by its id in upper case too', async () => {
    const bot = buildBot();
    const answer = await call(await recordServices({ bots: [bot] }), 'readBot', {
      path: { bot_id: bot.bot_id.toUpperCase() },
    });
    expect(readBody(answer)).toMatchObject({ bot_id: bot.bot_id, state: 'queued', history: bot.history });
  });

  test.each(unknownIds)('an unknown bot is the problem no_such_bot: %s', async (bot_id) => {
    const answer = await call(await recordServices(), 'readBot', { path: { bot_id } });
    expect(readProblem(answer)).toEqual([404, 'no_such_bot']);
  });

  test('GET /bots/{bot_id} shows a user_id only if there is an account', async () => {
    const enrolment = { kind: 'network_user', owner: randomUUID(), full_name: 'Wallet' } as const;
    const account = { user_id: randomUUID(), session_id: randomUUID(), request_id: randomUUID() };
    const bots = [buildBot(), buildBot({ enrolment }), buildBot({ enrolment, account })];
    const recorder = await recordServices({ bots });
    const answers = await Promise.all(
      bots.map(({ bot_id }) => call(recorder, 'readBot', { path: { bot_id } })),
    );
    expect(answers.map((answer) => readBody(answer).user_id)).toEqual([
      bots[0]?.bot_id,
      undefined,
      account.user_id,
    ]);
  });
});

test('a bot is shown field by field, without leases, iterators, versions and unknown attributes', async () => {
  const batch = buildBatch();
  const bot_id = randomUUID();
  const hidden = {
    secret_version: 'CANARY-version',
    lease_owner: 'CANARY-owner',
    lease_until: 'CANARY-until',
    pin_iterator: 1_767_225_600_000_000_123n,
    pin_sent_at: 'CANARY-sent',
    pin_set_at: 'CANARY-set',
    safe_sent_at: 'CANARY-safe',
    due_at: 'CANARY-due',
    row_digest: 'CANARY-digest',
    session_id: 'CANARY-session',
    spend_private_key: 'CANARY-key',
    write_id: 'CANARY-write',
  };
  const visible = {
    bot_id,
    batch_id: batch.batch_id,
    line: 3,
    state: 'waiting' as const,
    state_since: isoTime(0),
    reason: { code: 'pin_locked', message: 'm', fix: 't' },
    public_key: 'f'.repeat(64),
    wait_until: isoTime(60),
    history: [{ at: isoTime(0), state: 'waiting' as const, step: 'check' }],
  };
  const recorder = await recordServices({ batches: [batch] });
  const row = buildBot({ ...visible, ...hidden });
  const table = {
    ...recorder.services.table,
    readBot: async () => row,
    listBots: async () => ({ items: [row] }),
  };
  const whole = { ...recorder, services: { ...recorder.services, table } };
  const path = { batch_id: batch.batch_id, bot_id };
  const answer = { ...visible, user_id: bot_id };
  expect(readBody(await call(whole, 'readBot', { path }))).toEqual(answer);
  expect(readBody(await call(whole, 'listBots', { path }))).toEqual({ bots: [answer] });
  const answers = await Promise.all(
    (['readBot', 'listBots', 'readBatch', 'listRowErrors', 'retryBatch'] as const).map((route) =>
      call(whole, route, { path }),
    ),
  );
  expect(JSON.stringify(answers)).not.toMatch(/CANARY|lease|iterator/);
});

describe('POST /batches/{batch_id}/retry', () => {
  const reason = (code: string) => ({ code, message: 'm', fix: 't' });
  const fill = async () => {
    const batch = buildBatch();
    const { batch_id } = batch;
    const bots = buildBots(
      batch_id,
      states.map((state) => ({
        state,
        attempts: 3,
        reason: reason(state === 'failed' ? 'not_found' : 'session_refused'),
      })),
    );
    return { recorder: await recordServices({ batches: [batch], bots }), path: { batch_id }, bots };
  };
  const findRetriedStates = ({ logLines }: Recorder): BotState[] =>
    logLines.filter(({ code }) => code === 'bot_moved').map(({ fields }) => fields.from as BotState);

  test.each([
    ['no body', {}, ['blocked', 'failed']],
    ['{}', json({}), ['blocked', 'failed']],
    ['white space', { body: Buffer.from(' \n') }, ['blocked', 'failed']],
    ['one state', json({ states: ['waiting'] }), ['waiting']],
    [
      'all states',
      json({ states: ['blocked', 'failed', 'waiting', 'external'] }),
      ['external', 'waiting', 'blocked', 'failed'],
    ],
    ['a reason', json({ reason: 'not_found' }), ['failed']],
    ['a reason that no bot has', json({ reason: 'stalled' }), []],
  ] as [string, Partial<HttpRequest>, BotState[]][])(
    'a retry with %s queues the bots that it asks for',
    async (_name, request, from) => {
      const { recorder, path, bots } = await fill();
      const body = readBody(await call(recorder, 'retryBatch', { path, ...request }));
      expect(body).toEqual({ retried: from.length, pin_locked: 0 });
      expect(findRetriedStates(recorder).sort()).toEqual([...from].sort());
      expect(recorder.messages.map(({ queue }) => queue)).toEqual(from.map(() => 'check'));
      const expectedBots = bots.filter(({ state }) => from.includes(state));
      for (const { bot_id } of expectedBots) {
        const bot = await recorder.services.table.readBot(bot_id);
        expect(bot).toMatchObject({ state: 'queued', attempts: 0 });
        expect(bot).not.toHaveProperty('reason');
      }
    },
  );

  test('a retry does not move a bot whose PIN is locked', async () => {
    const batch = buildBatch();
    const { batch_id } = batch;
    const bots = buildBots(batch_id, [
      { state: 'waiting', pin_locked_until: isoTime(1) },
      { state: 'waiting', pin_locked_until: isoTime(-1) },
      { state: 'waiting' },
    ]);
    const recorder = await recordServices({ batches: [batch], bots });
    const request = { path: { batch_id }, ...json({ states: ['waiting'] }) };
    expect(readBody(await call(recorder, 'retryBatch', request))).toEqual({ retried: 2, pin_locked: 1 });
    expect(await recorder.services.table.readBot(bots[0]?.bot_id ?? '')).toMatchObject({ state: 'waiting' });
    expect(new Set(recorder.messages.map(({ message }) => message.body.bot_id))).toEqual(
      new Set(bots.slice(1).map(({ bot_id }) => bot_id)),
    );
  });

  test('a retry that says so moves a bot whose PIN is locked, and forgets the lock', async () => {
    const batch = buildBatch();
    const { batch_id } = batch;
    const bots = buildBots(batch_id, [{ state: 'waiting', pin_locked_until: isoTime(1) }]);
    const recorder = await recordServices({ batches: [batch], bots });
    const request = { path: { batch_id }, ...json({ states: ['waiting'], despite_pin_lock: true }) };
    expect(readBody(await call(recorder, 'retryBatch', request))).toEqual({ retried: 1, pin_locked: 0 });
    const bot = await recorder.services.table.readBot(bots[0]?.bot_id ?? '');
    expect(bot?.state).toBe('queued');
    expect(bot).not.toHaveProperty('pin_locked_until');
  });

  test('a long batch is retried page by page', async () => {
    const batch = buildBatch();
    const { batch_id } = batch;
    const bots = buildBots(
      batch_id,
      Array.from({ length: 201 }, () => ({ state: 'blocked' as const })),
    );
    const recorder = await recordServices({ batches: [batch], bots });
    const path = { batch_id };
    const first = readBody(await call(recorder, 'retryBatch', { path, ...json({ reason: 'stalled' }) }));
    expect(first).toMatchObject({ retried: 0, cursor: expect.any(String) });
    const second = readBody(await call(recorder, 'retryBatch', { path, ...json({ cursor: first.cursor }) }));
    expect(second).toEqual({ retried: 1, pin_locked: 0 });
  });

  test('a retry queues the list of a stuck batch again, and the list of no other batch', async () => {
    const [stuck, imported] = [buildBatch({ status: 'stuck' }), buildBatch()];
    const recorder = await recordServices({ batches: [stuck, imported] });
    for (const { batch_id } of [stuck, imported]) await call(recorder, 'retryBatch', { path: { batch_id } });
    expect(recorder.messages).toEqual([{ queue: 'intake', message: { body: { batch_id: stuck.batch_id } } }]);
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
    '{"reason":"sesion_refused"}',
    '{"__proto__":{"states":["waiting"]},"x":1}',
  ])('a retry with the body %s is refused, and no bot is moved', async (text) => {
    const { recorder, path } = await fill();
    const answer = await call(recorder, 'retryBatch', { path, body: Buffer.from(text) });
    expect(readProblem(answer)).toEqual([400, 'bad_body']);
    expect(recorder.countUpdates()).toBe(0);
  });

  test('a retry with a cursor of another kind is refused', async () => {
    const { recorder, path } = await fill();
    const answer = await call(recorder, 'retryBatch', { path, ...json({ cursor: 'not-a-cursor' }) });
    expect(readProblem(answer)).toEqual([400, 'bad_parameter']);
  });
});

/** A list is sent, and everything about it is delivered until its rows are imported. */
const importList = async (recorder: Recorder, rows: unknown): Promise<string> => {
  const batch_id = readBatchId(await call(recorder, 'createBatch', post(JSON.stringify(rows))));
  for (let next = recorder.messages.shift(); next; next = recorder.messages.shift())
    if (next.queue === 'intake') await intake(recorder.services, next.message.body);
  return batch_id;
};

describe('two lists with the same bots', () => {
  test('the earlier batch says which batch follows its bots now, and goes on listing them in the order of its list', async () => {
    const recorder = await recordServices();
    const { standIn } = await startServices();
    const keystores = (await Promise.all([1, 2, 3, 4, 5].map(() => standIn.createUser()))).map(
      (it) => it.keystore,
    );
    const ids = keystores.map(({ app_id }) => app_id);
    const first = await importList(recorder, keystores);
    const second = await importList(recorder, keystores.slice(1, 4).toReversed());
    const third = await importList(recorder, [keystores[2]]);
    const show = async (batch_id: string) =>
      readBody(await call(recorder, 'readBatch', { path: { batch_id } }));
    const list = async (batch_id: string, query = {}) => {
      const body = readBody(await call(recorder, 'listBots', { path: { batch_id }, query }));
      return (body.bots as BotView[]).map((bot) => [bot.bot_id, bot.batch_id]);
    };
    expect(await show(first)).toMatchObject({
      accepted: 5,
      not_in_batch: 3,
      followed_by: [{ batch_id: second, bots: 3 }],
    });
    expect((await show(second)).followed_by).toEqual([{ batch_id: third, bots: 1 }]);
    expect(await show(third)).not.toHaveProperty('followed_by');
    expect(await list(first)).toEqual([
      [ids[0], first],
      [ids[1], second],
      [ids[2], third],
      [ids[3], second],
      [ids[4], first],
    ]);
    expect(await list(second)).toEqual([
      [ids[3], second],
      [ids[2], third],
      [ids[1], second],
    ]);
    expect(await list(first, { state: 'queued' })).toEqual([
      [ids[0], first],
      [ids[4], first],
    ]);
  });

  test('a batch shows how many secrets its list needs that were not there when it was read', async () => {
    const recorder = await recordServices();
    const { standIn } = await startServices();
    const [known, fresh] = [(await standIn.createUser()).keystore, (await standIn.createUser()).keystore];
    const show = async (batch_id: string) =>
      readBody(await call(recorder, 'readBatch', { path: { batch_id } }));
    expect((await show(await importList(recorder, [known]))).new_secrets).toBe(1);
    const users = { owner: known.app_id, full_name: 'Wallet' };
    expect((await show(await importList(recorder, [known, fresh, users]))).new_secrets).toBe(1);
  });
});

test('GET /batches/{batch_id}/bots lists the bots with one reason alone', async () => {
  const batch = buildBatch();
  const reason = (code: string) => ({ code, message: 'm', fix: 'f' });
  const bots = ['a', 'b', 'a'].map((code, i) =>
    buildBot({ batch_id: batch.batch_id, line: i + 1, state: 'blocked', reason: reason(code) }),
  );
  const recorder = await recordServices({ batches: [batch], bots });
  const path = { batch_id: batch.batch_id };
  const body = readBody(await call(recorder, 'listBots', { path, query: { reason: 'a' } }));
  expect((body.bots as BotView[]).map(({ line }) => line)).toEqual([1, 3]);
  expect(readBody(await call(recorder, 'listBots', { path, query: { reason: 'c' } }))).toEqual({ bots: [] });
});
