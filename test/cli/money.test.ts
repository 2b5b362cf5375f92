/** Batches that cost money: plans, accepted costs, and creations without an answer. */
import { describe, expect, test } from 'vitest';
import {
  answerJson,
  answerProblem,
  BATCH_ID,
  createBatch,
  createBot,
  createCost,
  createCounts,
  createPlannedBatch,
  createRouter,
  OWNER_ID,
} from './answers.ts';
import { enlist, enlistProcess, jsonLines, type ServerAnswer, startServer } from './run.ts';

const batchPath = `/batches/${BATCH_ID}`;
const receivedAnswer = answerJson({ batch_id: BATCH_ID, status: 'received' }, 202);
const confirmCommand = `enlist confirm ${BATCH_ID} --accept-cost 5.00`;
const createCommand = ['create', '--owner', OWNER_ID, '--count', '10', '--full-name', 'Bot {n}'];

/** Runs one command against an API that answers with these routes. */
const runWith = async (routes: Parameters<typeof createRouter>[0], args: readonly string[], stdin = '') => {
  await using server = await startServer(
    createRouter({ [`GET /bots/${OWNER_ID}`]: answerJson(createBot()), ...routes }),
  );
  const result = await enlist(args, { stdin, env: { ENLIST_API: server.url } });
  const posts = server.requests.filter(({ method }) => method === 'POST');
  return { result, posts, bodies: posts.map(({ body }) => body && JSON.parse(body)) };
};
const routeBatch = (batch: unknown): Record<string, ServerAnswer> => ({
  [`GET ${batchPath}`]: answerJson(batch),
});

describe('a planned batch', () => {
  test.concurrent.each([
    ['status', ['status', BATCH_ID]],
    ['watch', ['watch', BATCH_ID]],
    ['upload --watch', ['upload', '-', '--type', 'json', '--watch']],
    ['create', createCommand],
    ['create --watch', [...createCommand, '--watch']],
  ])('enlist %s ends with 6 and shows the cost and the command that accepts it', async (_name, args) => {
    const routes = { ...routeBatch(createPlannedBatch()), 'POST /batches': receivedAnswer };
    const [{ result }, json] = await Promise.all([
      runWith(routes, args, '[]'),
      runWith(routes, [...args, '--json'], '[]'),
    ]);
    expect(result.code).toBe(6);
    expect(result.stdout).toContain(
      'It would create 10 users at 0.50 USD each: 5.00 USD, which Mixin charges',
    );
    expect(result.stdout).toContain('Until 2026-11-23 06:00:00 UTC you can:');
    expect(result.stdout).toMatch(new RegExp(`^ *${confirmCommand}$`, 'm'));
    expect(json.result.code).toBe(6);
    expect(jsonLines(json.result)).toMatchObject([createPlannedBatch()]);
  });

  test('of several lists, one where an operator must act counts first, then a planned one, then a finished one', async () => {
    const lists = [
      createBatch(),
      createPlannedBatch(),
      createBatch({ status: 'rejected', problem: createProblem() }),
    ];
    const upload = async (some: readonly ReturnType<typeof createBatch>[]) => {
      const each = some.map((batch, i) => ({
        ...batch,
        batch_id: `00000000-0000-4000-8000-00000000b00${i}`,
      }));
      const reads = each.map((batch) => [`GET /batches/${batch.batch_id}`, answerJson(batch)]);
      const answers = each.map(({ batch_id }) => answerJson({ batch_id, status: 'received' }, 202));
      const files = ['package.json', 'tsconfig.json', 'biome.json'].slice(0, some.length);
      const routes = { ...Object.fromEntries(reads), 'POST /batches': answers };
      return (await runWith(routes, ['upload', '--watch', '--json', ...files])).result.code;
    };
    expect(await Promise.all([upload(lists), upload(lists.slice(0, 2)), upload(lists.slice(0, 1))])).toEqual([
      3, 6, 0,
    ]);
  });

  test('row errors are shown with their file', async () => {
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
      ...routeBatch(createPlannedBatch({ invalid: 1, errors: [error] })),
      [`GET ${batchPath}/errors`]: answerJson({ errors: [error, { ...error, file: 'b\u001B[2J.csv' }] }),
    };
    const [watch, errors, json] = await Promise.all([
      runWith(routes, ['watch', BATCH_ID]),
      runWith(routes, ['errors', BATCH_ID]),
      runWith(routes, ['errors', BATCH_ID, '--json']),
    ]);
    const line = 'team/a.csv, row 2 (line 3), owner: No owner. Name one.';
    expect(watch.result.stdout).toContain(line);
    expect(errors.result.stdout).toBe(`${line}\n${line.replace('team/a.csv', 'b?[2J.csv')}\n`);
    expect(jsonLines(json.result)[0]).toEqual(error);
  });
});

const createProblem = () => ({ code: 'not_a_list', message: 'Not a list.', fix: 'Send one.' });

describe('enlist create', () => {
  test('enlist create prints the batch id at once, waits for the plan, and sends the given options', async () => {
    const routes = {
      'POST /batches': receivedAnswer,
      [`GET ${batchPath}`]: [
        answerJson(createBatch({ status: 'received' })),
        answerJson(createPlannedBatch()),
      ],
    };
    const { result, bodies, posts } = await runWith(routes, createCommand);
    expect(result.stdout.split('\n')[0]).toBe(`${BATCH_ID}  10 users of ${OWNER_ID}`);
    expect(bodies).toEqual([{ create: { owner: OWNER_ID, count: 10, full_name: 'Bot {n}' } }]);
    expect(posts[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test('enlist create refuses an owner that no list has named, and plans nothing', async () => {
    const routes = { [`GET /bots/${OWNER_ID}`]: answerProblem(404, 'no_such_bot') };
    const { result, posts } = await runWith(routes, createCommand);
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`No list has named the owner ${OWNER_ID}.`),
    });
    expect(posts).toEqual([]);
  });

  test('enlist create starts the batch and ends with 0 when the cost is accepted', async () => {
    const confirmation = answerJson({ batch_id: BATCH_ID, status: 'importing' });
    const routes = {
      ...routeBatch(createPlannedBatch()),
      'POST /batches': receivedAnswer,
      [`POST ${batchPath}/confirm`]: confirmation,
    };
    const [text, json] = await Promise.all([
      runWith(routes, [...createCommand, '--accept-cost', '5']),
      runWith(routes, [...createCommand, '--accept-cost', '6.50', '--json']),
    ]);
    expect(text.result).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`Follow it:  enlist watch ${BATCH_ID}`),
    });
    expect(text.bodies[1]).toEqual({ accept_cost_usd: 5 });
    expect(json.bodies[1]).toEqual({ accept_cost_usd: 6.5 });
    expect(jsonLines(json.result)).toEqual([createPlannedBatch({ status: 'importing' })]);
  });

  test('enlist create stops at the plan when the accepted cost is too low, and ends with 3 when the list is refused', async () => {
    const [tooLow, refusal] = await Promise.all([
      runWith({ ...routeBatch(createPlannedBatch()), 'POST /batches': receivedAnswer }, [
        ...createCommand,
        '--accept-cost',
        '4.5',
      ]),
      runWith(
        {
          ...routeBatch(createBatch({ status: 'rejected', problem: createProblem() })),
          'POST /batches': receivedAnswer,
        },
        createCommand,
      ),
    ]);
    expect(tooLow.result.code).toBe(6);
    expect(tooLow.result.stderr).toBe('Accepting 4.50 USD is not enough.\n');
    expect(tooLow.posts.length).toBe(1);
    expect(tooLow.result.stdout).toContain(confirmCommand);
    expect(refusal.result).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('Nothing was created: Not a list. Send one.'),
    });
  });

  test('enlist create sends the same key for the same command with any cost, and another for other users or another --key', async () => {
    const again = answerJson({ batch_id: BATCH_ID, status: 'imported' }, 202);
    const routes = { ...routeBatch(createBatch({ cost: createCost() })), 'POST /batches': again };
    const commands = [
      createCommand,
      [...createCommand, '--accept-cost', '5'],
      [...createCommand, '--key', 'second'],
      [...createCommand, '--count', '11'],
    ];
    const all = await Promise.all(commands.map((args) => runWith(routes, args)));
    const [first, withCost, withKey, more] = all.map(({ posts }) => posts[0]?.headers['idempotency-key']);
    expect(withCost).toBe(first);
    expect(all[1]?.posts.map(({ bytes }) => bytes.toString())).toEqual([all[0]?.posts[0]?.body]);
    expect(new Set([first, withKey, more]).size).toBe(3);
    expect(all[0]?.result.stdout).toContain('(requested before: imported; another --key makes a new batch)');
  });

  test('enlist create ends with 4 on Ctrl-C while it waits for the plan, and says how to see it', async () => {
    await using server = await startServer(
      createRouter({
        [`GET /bots/${OWNER_ID}`]: answerJson(createBot()),
        'POST /batches': receivedAnswer,
        ...routeBatch(createBatch({ status: 'received' })),
      }),
    );
    const result = await enlistProcess([...createCommand, '--api', server.url], {
      onStart: (child) => child.stdout?.once('data', () => setTimeout(() => child.kill('SIGINT'), 300)),
    });
    expect(result.code).toBe(4);
    expect(result.stderr).toContain(`enlist status ${BATCH_ID}`);
  });
});

describe('enlist confirm', () => {
  const path = `POST ${batchPath}/confirm`;
  const accept = ['confirm', BATCH_ID, '--accept-cost', '5.00'];

  test('enlist confirm accepts the cost and starts the batch', async () => {
    const routes = { [path]: answerJson({ batch_id: BATCH_ID, status: 'importing' }) };
    const [text, json] = await Promise.all([runWith(routes, accept), runWith(routes, [...accept, '--json'])]);
    expect(text.result).toEqual({
      code: 0,
      stdout: `The cost is accepted.\nFollow it:  enlist watch ${BATCH_ID}\n`,
      stderr: '',
    });
    expect(text.bodies).toEqual([{ accept_cost_usd: 5 }]);
    expect(jsonLines(json.result)).toEqual([{ batch_id: BATCH_ID, status: 'importing' }]);
  });

  test('enlist confirm with --watch follows the batch to its end', async () => {
    const batch = createBatch({ cost: createCost({ created_users: 10, created_usd: 5 }) });
    const routes = { ...routeBatch(batch), [path]: answerJson({ batch_id: BATCH_ID, status: 'importing' }) };
    const { result } = await runWith(routes, [...accept, '--watch', '--json']);
    expect([result.code, jsonLines(result)]).toEqual([0, [batch]]);
  });

  test.concurrent.each([
    ['not_planned', 409, 'It was refused. Nothing to do; enlist status shows the batch.\n'],
    ['cost_not_accepted', 422, `Accepting 5.00 USD is not enough.\nIt would create 10 users`],
    ['plan_expired', 409, 'It was refused. Make a new plan with enlist upload --new FILE, or enlist create'],
  ])('enlist confirm ends with 2 and sends nothing else on %s', async (code, status, sentence) => {
    const { result, posts } = await runWith(
      { ...routeBatch(createPlannedBatch()), [path]: answerProblem(status, code) },
      accept,
    );
    expect([result.code, result.stdout, posts.length]).toEqual([2, '', 1]);
    expect(result.stderr).toContain(sentence);
  });
});

describe('a creation without an answer', () => {
  const unsureBatch = createBatch({
    total: 3,
    accepted: 3,
    finished: 3,
    states: createCounts({ registered: 2, unsure: 1, enrolled: 2 }),
    cost: createCost({
      planned_users: 3,
      planned_usd: 1.5,
      created_users: 2,
      created_usd: 1,
      unsure_users: 1,
      unsure_usd: 0.5,
    }),
  });
  const unsureBot = {
    bot_id: '00000000-0000-4000-8000-00000000e001',
    batch_id: BATCH_ID,
    line: 3,
    state: 'unsure',
    state_since: '2026-11-22T10:00:00.000Z',
    enrolment: { kind: 'network_user', owner: OWNER_ID, full_name: 'Bot 3' },
    reason: { code: 'user_creation_unknown', message: 'No answer came.', fix: 'Check the bill.' },
    history: [],
  };
  const routes = {
    ...routeBatch(unsureBatch),
    [`GET ${batchPath}/bots`]: answerJson({ bots: [unsureBot] }),
    [`GET /bots/${unsureBot.bot_id}`]: answerJson(unsureBot),
  };

  test('after a creation without an answer, status and watch end with 3 and show what is spent and possibly spent', async () => {
    const [status, watch] = await Promise.all([
      runWith(routes, ['status', BATCH_ID]),
      runWith(routes, ['watch', BATCH_ID]),
    ]);
    for (const { result } of [status, watch]) {
      expect(result.code).toBe(3);
      expect(result.stdout).toMatch(
        /users, at 0\.50 USD each:\n +3 +planned +1\.50 USD\n +2 +created +1\.00 USD\n +1 +possibly created +0\.50 USD\n/,
      );
      expect(result.stdout).toContain(`enlist retry ${BATCH_ID} --pay-again`);
      expect(result.stdout).toMatch(/2 {2}enrolled +.*rows? of (its|their) own/);
    }
    expect(watch.result.stdout).toContain('→ Check the bill.');
  });

  test('enlist show describes a user whose creation got no answer, and enlist bots names the account of an enrolled row', async () => {
    const enrolledRow = { ...unsureBot, state: 'enrolled', user_id: '00000000-0000-4000-8000-000000000009' };
    const [show, errors] = await Promise.all([
      runWith(routes, ['show', unsureBot.bot_id]),
      runWith({ [`GET ${batchPath}/bots`]: answerJson({ bots: [enrolledRow] }) }, [
        'bots',
        BATCH_ID,
        '--state',
        'enrolled',
      ]),
    ]);
    expect(show.result.stdout).toMatch(new RegExp(`enrolment +user "Bot 3", created by ${OWNER_ID}`));
    expect(errors.result.stdout).toContain(`account ${enrolledRow.user_id}`);
  });

  test('retry --pay-again creates a user again whose creation got no answer, and shows what this may cost', async () => {
    const retry = { ...routes, [`POST ${batchPath}/retry`]: answerJson({ retried: 1, pin_locked: 0 }) };
    const [text, json] = await Promise.all([
      runWith(retry, ['retry', BATCH_ID, '--pay-again']),
      runWith(retry, ['retry', BATCH_ID, '--pay-again', '--json']),
    ]);
    expect(text.result).toEqual({
      code: 0,
      stdout: `Queued again: 1. Up to 0.50 USD may be paid a second time.\nFollow them:  enlist watch ${BATCH_ID}\n`,
      stderr: `1 user may exist already: creating them again may cost up to 0.50 USD more.\n  ${unsureBot.bot_id}  "Bot 3", unsure since ${unsureBot.state_since.slice(0, 19).replace('T', ' ')} UTC\n`,
    });
    const { bot_id, state_since } = unsureBot;
    expect(text.bodies).toEqual([{ states: ['unsure'], pay_again: [{ bot_id, state_since }] }]);
    expect(jsonLines(json.result)).toEqual([
      { batch_id: BATCH_ID, retried: 1, pin_locked: 0, may_cost_usd: 0.5 },
    ]);
  });

  test('retry --pay-again sends its request only once, also when the API fails or its answer is lost', async () => {
    const path = `POST ${batchPath}/retry`;
    const [failed, lost] = await Promise.all(
      [{ status: 503, body: '' }, undefined].map((answer) =>
        runWith({ ...routes, [path]: [answer] }, ['retry', BATCH_ID, '--pay-again']),
      ),
    );
    for (const it of [failed, lost]) {
      expect([it?.result.code, it?.posts.length]).toEqual([2, 1]);
      expect(it?.result.stderr).toContain('Nobody knows whether it took effect.');
    }
  });
});
