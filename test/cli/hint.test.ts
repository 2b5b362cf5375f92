import { describe, expect, test } from 'vitest';
import { createCommandFormat } from '../../cli/hint.ts';
import { answerJson, BATCH_ID, createBatch, createRouter } from './answers.ts';
import { enlist, enlistProcess, startServer } from './run.ts';

test.each([
  ['npx enlist', { npm_command: 'exec' }, '/repository/node_modules/.bin/enlist'],
  ['npm run enlist --', { npm_command: 'run', npm_lifecycle_event: 'enlist' }, '/repository/cli/enlist.ts'],
  ['enlist', {}, '/usr/local/bin/enlist'],
  ['npx enlist', {}, '/repository/cli/enlist.ts'],
  ['npx enlist', { npm_command: 'start', npm_lifecycle_event: 'start' }, '/repository/infra/local/start.ts'],
])('a hint begins with %s when the command line was started that way', (words, environment, script) => {
  const formatCommand = createCommandFormat({ environment, script });
  expect(formatCommand('errors', BATCH_ID)).toBe(`${words} errors ${BATCH_ID}`);
});

test('a hint repeats the options that say where the API is, and no other, as a shell reads them', () => {
  const options = {
    profile: undefined,
    json: true,
    stage: 'test',
    data: "it's here",
    api: 'http://[::1]:80',
  };
  const formatCommand = createCommandFormat({ environment: {}, script: '/bin/enlist' }, options);
  expect(formatCommand('watch', BATCH_ID)).toBe(
    `enlist watch ${BATCH_ID} --api 'http://[::1]:80' --data 'it'\\''s here' --stage test`,
  );
});

describe('printed hints', () => {
  const batch = createBatch({
    errors: [
      { row: 1, line: 2, field: 'app_id', code: 'missing', message: 'It is missing.', fix: 'Add it.' },
    ],
    invalid: 1,
  });
  const errors = { errors: batch.errors };

  test('a printed hint runs as it is printed', async () => {
    const routes = {
      [`GET /batches/${BATCH_ID}`]: answerJson(batch),
      [`GET /batches/${BATCH_ID}/errors`]: answerJson(errors),
    };
    await using server = await startServer(createRouter(routes));
    const status = await enlist(['status', BATCH_ID, '--api', server.url]);
    const [, hint = ''] = /Rows that were refused: +enlist (.+)/.exec(status.stdout) ?? [];
    expect(await enlist(hint.split(' '))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Add it.'),
    });
  });

  test('an error of the command line names its help in the form in which it was started', async () => {
    const options = { env: { npm_command: 'exec' } };
    expect(await enlist(['stats'], options)).toMatchObject({
      stderr: expect.stringMatching(/See npx enlist --help\n$/),
    });
    const fromShell = await enlistProcess(['status']);
    expect(fromShell.stderr).toMatch(/See npx enlist status --help\n$/);
  });
});
