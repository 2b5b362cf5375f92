import { readdirSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { describeConnection } from '../../cli/errors.ts';
import { rewordAnswer, rewordProblem } from '../../cli/words.ts';
import { problems } from '../../lib/api/problems.ts';
import { mixinErrors } from '../../lib/mixin/errors.ts';
import { describeReason, type ReasonCode, reasonCodes } from '../../lib/model/reasons.ts';
import { readPage } from '../docs/page.ts';
import { answerJson, answerProblem, BATCH_ID, createRouter } from './answers.ts';
import { enlist, startServer } from './run.ts';

/** Names of requests, headers, fields and variables: nobody at a command line can do anything with them. */
const apiTalk = /\b(POST|GET) |\{"|\{batch_id\}|Idempotency-Key|Content-Type|MIXIN_URL|docs\/openapi|\["/;

const texts = (code: string, problem: { message: string; fix: string }) => {
  const { message, fix } = rewordProblem({ ...problem, code });
  return `${message} ${fix}`;
};

test.each(Object.entries(problems))('the problem %s of the API is told without API talk', (code, problem) => {
  expect(texts(code, problem)).not.toMatch(apiTalk);
});

test.each(reasonCodes)('the reason %s is told without API talk', (code) => {
  const known = code in mixinErrors ? mixinErrors[code as keyof typeof mixinErrors] : undefined;
  expect(texts(code, known ?? describeReason(code as ReasonCode))).not.toMatch(apiTalk);
});

/** Problems of lists and rows are written where they are found. A list has JSON in it, so JSON is no API talk there. */
const listSources = ['lib/lists', 'lib/batches'].flatMap((folder) =>
  readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => `${folder}/${name}`),
);
test.each(listSources)('no fix for a list or row in %s is told with API talk', (path) => {
  const fixes = [...readPage(path).matchAll(/^ *fix: *\n? *(['"`])(.+)\1,$/gm)];
  for (const [, , text = ''] of fixes) {
    const { fix } = rewordProblem({ code: '', message: '', fix: text });
    expect(fix.replace(/\{"(create|app_id)"/, '')).not.toMatch(apiTalk);
  }
});

test('reasons, row errors and problems are reworded wherever an answer has them', () => {
  const written = {
    code: 'sign_in_missing',
    message: 'It is gone.',
    fix: 'See (POST /accounts/verifications).',
  };
  const reworded = { ...written, fix: 'See (enlist sign-in).' };
  const answer = (problem: typeof written) => ({
    bots: [{ bot_id: BATCH_ID, reason: problem, history: [{ code: 'x' }] }],
    errors: [{ row: 1, ...problem }],
    problem,
    count: 1,
    nothing: null,
  });
  expect(rewordAnswer(answer(written))).toEqual(answer(reworded));
});

test('a refusal of the API is shown in the words of the command line', async () => {
  const refusal = answerProblem(409, 'idempotency_key_reused', problems.idempotency_key_reused);
  await using server = await startServer(createRouter({ 'POST /batches': refusal }));
  const args = ['upload', '-', '--type', 'json', '--api', server.url];
  const { code, stderr } = await enlist(args, { stdin: '[]' });
  expect(code).toBe(2);
  expect(stderr).toBe(
    '- was not uploaded. Another list was sent under the same key before. Send it as a new batch: enlist upload --new FILE, or enlist create with another --key.\n',
  );
});

describe('an API that cannot be reached', () => {
  const show = async (api: string) => {
    const { code, stdout, stderr } = await enlist(['show', BATCH_ID, '--api', api]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };

  test('an API that does not run is told by its cause, whichever of several addresses was tried', async () => {
    const server = await startServer(() => answerJson({}));
    const { port } = new URL(server.url);
    await server[Symbol.asyncDispose]();
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      const url = `http://${host}:${port}`;
      expect(await show(url)).toMatch(
        / cannot be reached: (nothing answers|there is no way|EADDRNOTAVAIL).*\.\n$/,
      );
    }
  });

  test('a connection that breaks, and a port that fetch refuses, are told by their cause', async () => {
    await using server = await startServer(() => undefined);
    expect(await show(server.url)).toContain('cannot be reached: the connection broke (');
    expect(await show('http://127.0.0.1:1')).toContain('this port belongs to another protocol (bad port).');
  });

  test('a server without TLS behind an https address is told by its cause', async () => {
    const server = createTcpServer(
      (socket) => void socket.on('error', () => undefined).end('HTTP/1.1 400\r\n\r\n'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const error = await fetch(`https://127.0.0.1:${port}`).catch((cause: unknown) => cause);
    server.close();
    expect(describeConnection(error)).toMatch(/^what answers there does not speak TLS \(\w+\)$/);
  });
});
