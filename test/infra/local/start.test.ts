import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { createDemoList, minDemoBots } from '../../../infra/local/demo.ts';
import { temporaryFolder } from './helpers.ts';

const run = (...args: string[]) => promisify(execFile)(process.execPath, ['cli/enlist.ts', 'start', ...args]);

test('npm start explains its options within 80 columns', async () => {
  const { stdout } = await run('--help');
  const options = ['--mixin', '--data', '--once', '--json', '--accept-cost', '--bots', '--port', '--bundled'];
  for (const option of options) expect(stdout).toContain(option);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test.each([
  ['an unknown option', ['--colour'], '--colour'],
  ['two files', ['one.json', 'two.json'], 'Too many arguments'],
  ['a file without --mixin', ['one.json'], 'Give --mixin URL with FILE'],
  ['--mixin without a file', ['--mixin', 'http://127.0.0.1:1'], 'Give FILE with --mixin'],
  ['a port that is not a number', ['--port', 'x'], 'A port is a number'],
  ['a cost that is not a price', ['--accept-cost', '1.5.5'], 'US dollars'],
  ['a number of bots that is not whole', ['--bots', '25.5'], 'whole number'],
  ['too few bots for every outcome', ['--bots', String(minDemoBots - 1)], `from ${minDemoBots} to`],
  ['a file that is not a list', ['bots.txt', '--mixin', 'http://127.0.0.1:1'], 'is not a list'],
])('npm start refuses %s with exit code 1', async (_what, args, message) => {
  const folder = await temporaryFolder();
  await expect(run('--data', join(folder, 'data'), ...args)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(message),
  });
  expect(await readdir(folder)).toEqual([]);
});

test('the smallest list of test bots has every outcome, and a smaller one cannot', async () => {
  const standIn = await startMixinStandIn({});
  onTestFinished(() => standIn.stop());
  const { outcomes } = await createDemoList(standIn, minDemoBots);
  expect(outcomes).toHaveLength(minDemoBots);
  expect(new Set(outcomes.map(({ outcome }) => outcome)).size).toBe(6);
  await expect(createDemoList(standIn, minDemoBots - 1)).rejects.toThrow(RangeError);
});

test('npm start refuses a data folder of another version with exit code 2 and leaves it unchanged', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'list.json'), '[]');
  await expect(run('--data', folder, '--once')).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: `The folder ${folder} was not written by this version of Enlist: use the version that wrote it, or choose another folder with --data.\n`,
  });
  expect(await readdir(folder)).toEqual(['list.json']);
});
