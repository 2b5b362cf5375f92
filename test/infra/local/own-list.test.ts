/** `npm start` with a list of one's own, as an operator runs it: killed, resumed, refused, and read while it is stopped. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { close, listen } from '../../../emulators/loopback.ts';
import { startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { enlistProcess, jsonLines, startServer } from '../../cli/run.ts';
import { temporaryFolder } from './helpers.ts';

const WAIT = { timeout: 60_000, interval: 100 };

/** A stand-in behind a server that notes the paths of all requests. */
const startMixin = async () => {
  const standIn = await startMixinStandIn({});
  onTestFinished(() => standIn.stop());
  const paths: string[] = [];
  const server = createServer(async (request, response) => {
    paths.push(request.url ?? '');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(`${standIn.url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(request.method !== 'GET' && { body: Buffer.concat(chunks) }),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body);
  });
  const port = await listen(server);
  onTestFinished(() => close(server));
  return { url: `http://127.0.0.1:${port}`, standIn, paths };
};

const createList = async (mixin: Awaited<ReturnType<typeof startMixin>>, file: string, count: number) => {
  const rows: unknown[] = [];
  for (let i = 0; i < count; i += 1) rows.push((await mixin.standIn.createUser({})).keystore);
  await writeFile(file, JSON.stringify(rows));
};

/** Every file that says what the folder belongs to, with its text. */
const readMarks = async (folder: string) => [
  (await readdir(folder)).toSorted(),
  await readFile(join(folder, 'enlist.json'), 'utf8'),
];

test('a killed run of an own list is resumed by its folder alone, read while it is stopped, and never mixed with another Mixin', async () => {
  const mixin = await startMixin();
  const root = await temporaryFolder();
  const [file, data] = [join(root, 'bots.json'), join(root, 'd')];
  await createList(mixin, file, 12);

  const killed = await enlistProcess(['start', file, '--mixin', mixin.url, '--data', data], {
    onStart: async (child) => {
      await vi.waitFor(
        async () => expect(await readFile(join(data, 'enlist.json'), 'utf8')).toContain('lists'),
        WAIT,
      );
      // The running API is found by the folder.
      const { batch_id } = JSON.parse(await readFile(join(data, 'enlist.json'), 'utf8')).lists[0];
      const status = await enlistProcess(['status', batch_id, '--data', data, '--json']);
      expect(jsonLines(status)[0]).toMatchObject({ batch_id });
      child.kill('SIGKILL');
    },
  });
  expect(killed.code).toBeNull();

  const { mixin: recorded, lists } = JSON.parse(await readFile(join(data, 'enlist.json'), 'utf8'));
  expect(recorded).toBe(mixin.url);
  const [{ batch_id }] = lists;

  const marks = await readMarks(data);
  const other = await enlistProcess([
    'start',
    file,
    '--mixin',
    'http://127.0.0.1:1',
    '--data',
    data,
    '--once',
  ]);
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toBe(
    `The data folder ${data} belongs to ${mixin.url}: leave --mixin out to go on with it, or choose another folder with --data.\n`,
  );
  expect(await readMarks(data)).toEqual(marks);

  const callsBefore = mixin.paths.length;
  const stopped = await enlistProcess(['status', batch_id, '--data', data]);
  expect(stopped.stdout).toContain(`Batch ${batch_id}`);
  const writing = await enlistProcess(['retry', batch_id, '--data', data]);
  expect(writing).toMatchObject({ code: 2, stderr: expect.stringContaining(`npm start -- --data ${data}`) });
  expect(mixin.paths.length).toBe(callsBefore);

  const resumed = await enlistProcess(['start', '--once', '--json', '--data', data]);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({
    batch_id,
    total: 12,
    states: { registered: 12 },
    keys_stored: 12,
  });
  expect(resumed.stderr).toContain('Keys: 12 in the vault: 12 of registered bots');
  // Nothing of a stand-in was asked of a Mixin that is not our own, and no test bots were added.
  expect(mixin.paths.filter((path) => path.startsWith('/_stand-in'))).toEqual([]);
  expect(await readdir(data)).not.toContain('mixin');
}, 120_000);

test('Ctrl-C says that nothing is lost, and how to go on', async () => {
  const data = join(await temporaryFolder(), 'd');
  const result = await enlistProcess(['start', '--bots', '22', '--data', data], {
    onStart: (child: ChildProcess) =>
      void once(child.stdout as NodeJS.ReadableStream, 'data').then(() => child.kill('SIGINT')),
  });
  expect(result).toMatchObject({ code: 4 });
  expect(result.stderr).toContain(`Stopped; nothing is lost. Go on with:  npm start -- --data ${data}\n`);
  // It belongs to test bots now.
  const refused = await enlistProcess(['start', '--mixin', 'http://127.0.0.1:1', '--data', data]);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('belongs to test bots') });
}, 60_000);

test.each([
  ['HTML', { status: 200, body: '<html></html>' }, 'but not as Mixin does: check --mixin'],
  ['a wrong path', { status: 200, body: '{"error":{"status":202,"code":404}}' }, 'error 404 to GET /safe/me'],
  ['a redirect', { status: 302, headers: { location: '/' }, body: '' }, 'but not as Mixin does'],
])(
  'a start that meets %s where Mixin should be uploads nothing and leaves no folder',
  async (_what, answer, message) => {
    await using server = await startServer(() => answer);
    const root = await temporaryFolder();
    const file = join(root, 'bots.json');
    await writeFile(file, '[{}]');
    const result = await enlistProcess(['start', file, '--mixin', server.url, '--data', join(root, 'd')]);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain(message);
    expect(result.stderr).toContain('Nothing was uploaded');
    expect(server.requests.map(({ url }) => url)).toEqual(['/safe/me']);
    expect(await readdir(root)).toEqual(['bots.json']);
  },
);

test('a first start without a Mixin names the cause in one sentence', async () => {
  const root = await temporaryFolder();
  await writeFile(join(root, 'bots.json'), '[{}]');
  const result = await enlistProcess([
    'start',
    join(root, 'bots.json'),
    '--mixin',
    'http://127.0.0.1:1',
    '--data',
    join(root, 'd'),
  ]);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(
    /^Mixin at http:\/\/127\.0\.0\.1:1 cannot be reached: .+ Nothing was uploaded, .+\n$/,
  );
});

test('a full disk and a folder that cannot be written end a start with one sentence and exit code 2', async () => {
  const root = await temporaryFolder();
  const full = join(root, 'full');
  await mkdir(full);
  await writeFile(join(full, 'enlist.json'), '{"schema":1,"mixin":"stand-in"}');
  // A log on a device that is always full.
  await symlink('/dev/full', join(full, 'enlist.log'));
  const onFull = await enlistProcess(['start', '--bots', '22', '--once', '--data', full]);
  expect(onFull.code).toBe(2);
  expect(onFull.stderr).toContain(
    `The data folder ${full} cannot be written: the disk is full. Nothing is lost: once that is fixed, start again.\n`,
  );
  expect(onFull.stderr).not.toContain('    at ');
  const inFile = await enlistProcess(['start', '--once', '--data', '/dev/null/d']);
  expect(inFile).toMatchObject({
    code: 2,
    stderr:
      'The data folder /dev/null/d cannot be written: a part of its path is not a folder. Nothing is lost: once that is fixed, start again.\n',
  });
}, 60_000);
