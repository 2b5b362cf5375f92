import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockFolder } from '../../../infra/local/folder-lock.ts';
import { temporaryFolder } from './helpers.ts';

const module = new URL('../../../infra/local/folder-lock.ts', import.meta.url).href;

/** Another process that holds the folder until it is killed. */
const holdElsewhere = async (folder: string) => {
  const script = `import { lockFolder } from ${JSON.stringify(module)};
    await lockFolder(${JSON.stringify(folder)});
    process.stdout.write('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return {
    pid: child.pid,
    kill: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
};

test('one process takes a folder once, and can take it again after giving it back', async () => {
  const folder = await temporaryFolder();
  const unlock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
  await unlock();
  expect(await readdir(folder)).toEqual([]);
  await (await lockFolder(folder))();
});

test('a folder that another process holds is refused, naming it, until that one is dead', async () => {
  const folder = await temporaryFolder();
  const other = await holdElsewhere(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${other.pid}`);
  await other.kill();
  const unlock = await lockFolder(folder);
  expect(await readFile(join(folder, 'house.pid'), 'utf8')).toContain(String(process.pid));
  await unlock();
});

test('a pid that was given out again, or that is our own from before a restart, holds nothing', async () => {
  const folder = await temporaryFolder();
  for (const stale of [
    { pid: process.ppid, started: 'long ago' },
    { pid: process.pid, started: '1' },
  ]) {
    await writeFile(join(folder, 'house.pid'), JSON.stringify(stale));
    await (await lockFolder(folder))();
  }
});

test('of many at once one gets the folder', async () => {
  const folder = await temporaryFolder();
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});
