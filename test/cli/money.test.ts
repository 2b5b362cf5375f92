/** Batches that cost money: plans, their acceptance, and creations without an answer. */
import { describe, expect, test } from 'vitest';
import { BATCH_ID, batchOf, byRoute, costOf, countsOf, OWNER_ID, planned, refuses, says } from './made-up.ts';
import { enlist, enlistProcess, jsonLines, type Said, startServer } from './run.ts';

const batchPath = `/batches/${BATCH_ID}`;
const received = says({ batch_id: BATCH_ID, status: 'received' }, 202);
const confirmWords = `enlist confirm ${BATCH_ID} --accept-cost 5.00`;
const order = ['create', '--owner', OWNER_ID, '--count', '10', '--full-name', 'Bot {n}'];

/** Runs one command against an API that answers so. */
const ask = async (routes: Parameters<typeof byRoute>[0], args: readonly string[], stdin = '') => {
  await using server = await startServer(byRoute(routes));
  const ran = await enlist([...args, '--api', server.url], { stdin });
  const posts = server.heard.filter(({ method }) => method === 'POST');
  return { ran, posts, bodies: posts.map(({ body }) => body && JSON.parse(body)) };
};
const sees = (batch: unknown): Record<string, Said> => ({ [`GET ${batchPath}`]: says(batch) });

describe('a planned batch: 6, its cost and the command that accepts it', () => {
  test.concurrent.each([
    ['status', ['status', BATCH_ID]],
    ['watch', ['watch', BATCH_ID]],
    ['upload --watch', ['upload', '-', '--type', 'json', '--watch']],
    ['create', order],
    ['create --watch', [...order, '--watch']],
  ])('%s', async (_name, args) => {
    const routes = { ...sees(planned()), 'POST /batches': received };
    const [{ ran }, json] = await Promise.all([
      ask(routes, args, '[]'),
      ask(routes, [...args, '--json'], '[]'),
    ]);
    expect(ran.code).toBe(6);
    expect(ran.stdout).toContain('It would create 10 users at 0.50 USD each: 5.00 USD, charged by Mixin');
    expect(ran.stdout).toContain('until 2026-11-23 06:00:00 UTC:');
    expect(ran.stdout).toMatch(new RegExp(`^ *${confirmWords}$`, 'm'));
    expect(json.ran.code).toBe(6);
    expect(jsonLines(json.ran)).toMatchObject([planned()]);
  });

  test('of several lists, hands come before plans, and plans before what is open', async () => {
    const lists = [batchOf(), planned(), batchOf({ status: 'rejected', problem: problemOf() })];
    const upload = async (some: readonly ReturnType<typeof batchOf>[]) => {
      const each = some.map((batch, i) => ({
        ...batch,
        batch_id: `00000000-0000-4000-8000-00000000b00${i}`,
      }));
      const reads = each.map((batch) => [`GET /batches/${batch.batch_id}`, says(batch)]);
      const answers = each.map(({ batch_id }) => says({ batch_id, status: 'received' }, 202));
      const files = ['package.json', 'tsconfig.json', 'biome.json'].slice(0, some.length);
      const routes = { ...Object.fromEntries(reads), 'POST /batches': answers };
      return (await ask(routes, ['upload', '--watch', '--json', ...files])).ran.code;
    };
    expect(await Promise.all([upload(lists), upload(lists.slice(0, 2)), upload(lists.slice(0, 1))])).toEqual([
      3, 6, 0,
    ]);
  });

  test('errors of its rows are told with their file', async () => {
    const error = {
      file: 'team/a.csv',
      row: 2,
      line: 3,
      field: 'owner',
      code: 'missing_field',
      message: 'No owner.',
      fix: 'Name one.',
    };
    const routes = {
      ...sees(planned({ invalid: 1, errors: [error] })),
      [`GET ${batchPath}/errors`]: says({ errors: [error, { ...error, file: 'b\u001B[2J.csv' }] }),
    };
    const [watched, listed, json] = await Promise.all([
      ask(routes, ['watch', BATCH_ID]),
      ask(routes, ['errors', BATCH_ID]),
      ask(routes, ['errors', BATCH_ID, '--json']),
    ]);
    const line = 'team/a.csv, row 2 (line 3), owner: No owner. Name one.';
    expect(watched.ran.stdout).toContain(line);
    expect(listed.ran.stdout).toBe(`${line}\n${line.replace('team/a.csv', 'b?[2J.csv')}\n`);
    expect(jsonLines(json.ran)[0]).toEqual(error);
  });
});

const problemOf = () => ({ code: 'not_a_list', message: 'No list.', fix: 'Send one.' });

describe('create', () => {
  test('tells the batch at once, waits for the plan, and sends what was asked for', async () => {
    const routes = {
      'POST /batches': received,
      [`GET ${batchPath}`]: [says(batchOf({ status: 'received' })), says(planned())],
    };
    const { ran, bodies, posts } = await ask(routes, order);
    expect(ran.stdout.split('\n')[0]).toBe(`${BATCH_ID}  10 users of ${OWNER_ID}`);
    expect(bodies).toEqual([{ create: { owner: OWNER_ID, count: 10, full_name: 'Bot {n}' } }]);
    expect(posts[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test('with a cost that is accepted it goes on: 0', async () => {
    const confirmed = says({ batch_id: BATCH_ID, status: 'importing' });
    const routes = {
      ...sees(planned()),
      'POST /batches': received,
      [`POST ${batchPath}/confirm`]: confirmed,
    };
    const [text, json] = await Promise.all([
      ask(routes, [...order, '--accept-cost', '5']),
      ask(routes, [...order, '--accept-cost', '6.50', '--json']),
    ]);
    expect(text.ran).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Follow it:  enlist watch ${BATCH_ID}`),
    });
    expect(text.bodies[1]).toEqual({ accept_cost_usd: 5 });
    expect(json.bodies[1]).toEqual({ accept_cost_usd: 6.5 });
    expect(jsonLines(json.ran)).toEqual([planned({ status: 'importing' })]);
  });

  test('a cost that is too little stops at the plan; a list that is refused is told: 3', async () => {
    const [little, refused] = await Promise.all([
      ask({ ...sees(planned()), 'POST /batches': received }, [...order, '--accept-cost', '4.5']),
      ask(
        { ...sees(batchOf({ status: 'rejected', problem: problemOf() })), 'POST /batches': received },
        order,
      ),
    ]);
    expect(little.ran.code).toBe(6);
    expect(little.ran.stderr).toBe('Accepting 4.50 USD is too little.\n');
    expect(little.posts.length).toBe(1);
    expect(little.ran.stdout).toContain(confirmWords);
    expect(refused.ran).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('Nothing was created: No list. Send one.'),
    });
  });

  test('the same command has the same key, whatever cost it accepts; other users or another --key have another', async () => {
    const again = says({ batch_id: BATCH_ID, status: 'imported' }, 202);
    const routes = { ...sees(batchOf({ cost: costOf() })), 'POST /batches': again };
    const commands = [
      order,
      [...order, '--accept-cost', '5'],
      [...order, '--key', 'second'],
      [...order, '--count', '11'],
    ];
    const all = await Promise.all(commands.map((args) => ask(routes, args)));
    const [first, accepted, keyed, more] = all.map(({ posts }) => posts[0]?.headers['idempotency-key']);
    expect(accepted).toBe(first);
    expect(all[1]?.posts.map(({ bytes }) => bytes.toString())).toEqual([all[0]?.posts[0]?.body]);
    expect(new Set([first, keyed, more]).size).toBe(3);
    expect(all[0]?.ran.stdout).toContain('(asked for before: imported; --key makes another batch)');
  });

  test('Ctrl-C while the plan is made: 4, and how to see it', async () => {
    await using server = await startServer(
      byRoute({ 'POST /batches': received, ...sees(batchOf({ status: 'received' })) }),
    );
    const ran = await enlistProcess([...order, '--api', server.url], {
      onStart: (child) => child.stdout?.once('data', () => setTimeout(() => child.kill('SIGINT'), 300)),
    });
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain(`enlist status ${BATCH_ID}`);
  });
});

describe('confirm', () => {
  const path = `POST ${batchPath}/confirm`;
  const accept = ['confirm', BATCH_ID, '--accept-cost', '5.00'];

  test('accepts the cost', async () => {
    const routes = { [path]: says({ batch_id: BATCH_ID, status: 'importing' }) };
    const [text, json] = await Promise.all([ask(routes, accept), ask(routes, [...accept, '--json'])]);
    expect(text.ran).toEqual({
      code: 0,
      stdout: `The cost is accepted.\nFollow it:  enlist watch ${BATCH_ID}\n`,
      stderr: '',
    });
    expect(text.bodies).toEqual([{ accept_cost_usd: 5 }]);
    expect(jsonLines(json.ran)).toEqual([{ batch_id: BATCH_ID, status: 'importing' }]);
  });

  test('--watch follows it to its end', async () => {
    const batch = batchOf({ cost: costOf({ created_users: 10, created_usd: 5 }) });
    const routes = { ...sees(batch), [path]: says({ batch_id: BATCH_ID, status: 'importing' }) };
    const { ran } = await ask(routes, [...accept, '--watch', '--json']);
    expect([ran.code, jsonLines(ran)]).toEqual([0, [batch]]);
  });

  test.concurrent.each([
    ['not_planned', 409, 'It is not so. Do better.\n'],
    ['cost_not_accepted', 422, 'It is not so. Do better.\n'],
    [
      'plan_expired',
      409,
      'It is not so. Do better.\nA new plan:  enlist upload --new FILE, or enlist create',
    ],
  ])('%s: 2, and nothing else is sent', async (code, status, sentence) => {
    const { ran, posts } = await ask({ [path]: refuses(status, code) }, accept);
    expect([ran.code, ran.stdout, posts.length]).toEqual([2, '', 1]);
    expect(ran.stderr).toContain(sentence);
  });
});

describe('creations without an answer', () => {
  const inDoubt = batchOf({
    total: 3,
    accepted: 3,
    finished: 3,
    states: countsOf({ registered: 2, unsure: 1, enrolled: 2 }),
    cost: costOf({
      planned_users: 3,
      planned_usd: 1.5,
      created_users: 2,
      created_usd: 1,
      unsure_users: 1,
      unsure_usd: 0.5,
    }),
  });
  const doubtful = {
    bot_id: '00000000-0000-4000-8000-00000000e001',
    batch_id: BATCH_ID,
    line: 3,
    state: 'unsure',
    state_since: '2026-11-22T10:00:00.000Z',
    enrolment: { kind: 'network_user', owner: OWNER_ID, full_name: 'Bot 3' },
    reason: { code: 'user_creation_unknown', message: 'No answer came.', fix: 'Look at the bill.' },
    history: [],
  };
  const routes = {
    ...sees(inDoubt),
    [`GET ${batchPath}/bots`]: says({ bots: [doubtful] }),
    [`GET /bots/${doubtful.bot_id}`]: says(doubtful),
  };

  test('the batch has ended and needs hands: 3, with what is spent and possibly spent', async () => {
    const [status, watch] = await Promise.all([
      ask(routes, ['status', BATCH_ID]),
      ask(routes, ['watch', BATCH_ID]),
    ]);
    for (const { ran } of [status, watch]) {
      expect(ran.code).toBe(3);
      expect(ran.stdout).toMatch(
        /users, at 0\.50 USD each:\n +3 +planned +1\.50 USD\n +2 +created +1\.00 USD\n +1 +possibly created +0\.50 USD\n/,
      );
      expect(ran.stdout).toContain(`enlist retry ${BATCH_ID} --pay-again`);
      expect(ran.stdout).toMatch(/2 {2}enrolled +.*rows? of (its|their) own/);
    }
    expect(watch.ran.stdout).toContain('→ Look at the bill.');
  });

  test('show and bots tell what such a row is for', async () => {
    const made = { ...doubtful, state: 'enrolled', user_id: '00000000-0000-4000-8000-000000000009' };
    const [shown, listed] = await Promise.all([
      ask(routes, ['show', doubtful.bot_id]),
      ask({ [`GET ${batchPath}/bots`]: says({ bots: [made] }) }, ['bots', BATCH_ID, '--state', 'enrolled']),
    ]);
    expect(shown.ran.stdout).toMatch(new RegExp(`makes +user "Bot 3", created by ${OWNER_ID}`));
    expect(listed.ran.stdout).toContain(`account ${made.user_id}`);
  });

  test('--pay-again says what it may cost, and repeats them', async () => {
    const retry = { ...routes, [`POST ${batchPath}/retry`]: says({ retried: 1, pin_locked: 0 }) };
    const [text, json] = await Promise.all([
      ask(retry, ['retry', BATCH_ID, '--pay-again']),
      ask(retry, ['retry', BATCH_ID, '--pay-again', '--json']),
    ]);
    expect(text.ran).toEqual({
      code: 0,
      stdout: `Queued again: 1. What may be paid twice: 0.50 USD.\nFollow them:  enlist watch ${BATCH_ID}\n`,
      stderr: '1 user possibly created: once more may cost up to 0.50 USD again.\n',
    });
    expect(text.bodies).toEqual([{ states: ['unsure'], pay_again: true }]);
    expect(jsonLines(json.ran)).toEqual([
      { batch_id: BATCH_ID, retried: 1, pin_locked: 0, may_cost_usd: 0.5 },
    ]);
  });

  test('--pay-again goes out once: a trouble or a lost answer is told', async () => {
    const path = `POST ${batchPath}/retry`;
    const [trouble, lost] = await Promise.all(
      [{ status: 503, body: '' }, undefined].map((said) =>
        ask({ ...routes, [path]: [said] }, ['retry', BATCH_ID, '--pay-again']),
      ),
    );
    for (const it of [trouble, lost]) {
      expect([it?.ran.code, it?.posts.length]).toEqual([2, 1]);
      expect(it?.ran.stderr).toContain('Nobody knows whether it took effect.');
    }
  });
});
