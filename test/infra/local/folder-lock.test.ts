import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findHolder, lockFolder } from '../../../infra/local/folder-lock.ts';
import { eventually, temporaryFolder } from './helpers.ts';

const module = new URL('../../../infra/local/folder-lock.ts', import.meta.url).href;

/** Another process that locks the folder until it is killed. */
const lockInChild = async (folder: string) => {
  const script = `import { findHolder, lockFolder } from ${JSON.stringify(module)};
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
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
};

test('a process can lock a folder once, and again after it has unlocked it', async () => {
  const folder = await temporaryFolder();
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
  await lock.release();
  expect(await readdir(folder)).toEqual([]);
  await (await lockFolder(folder)).release();
});

test('a folder that another process has locked is refused, and the process is named, until that process has ended', async () => {
  const folder = await temporaryFolder();
  const other = await lockInChild(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${other.pid}`);
  await other.kill();
  const lock = await lockFolder(folder);
  expect(await readFile(join(folder, 'enlist.pid'), 'utf8')).toContain(String(process.pid));
  await lock.release();
});

test('a process id that was reused, or our own from before a restart, does not lock a folder', async () => {
  const folder = await temporaryFolder();
  for (const stale of [
    { pid: process.ppid, started: 'long ago' },
    { pid: process.pid, started: '1' },
  ]) {
    await writeFile(join(folder, 'enlist.pid'), JSON.stringify(stale));
    await (await lockFolder(folder)).release();
  }
});

test('a process that was killed and that its parent has not reaped does not lock a folder', async () => {
  const folder = await temporaryFolder();
  // The shell becomes a sleep that reaps nobody: the killed process stays a zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  await writeFile(join(folder, 'enlist.pid'), JSON.stringify({ pid }));
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${pid}`);
  process.kill(pid, 'SIGKILL');
  await eventually(async () => (await lockFolder(folder)).release());
});

test('the address of the API is in the folder for as long as it is locked, and one of a dead process does not count', async () => {
  const folder = await temporaryFolder();
  const lock = await lockFolder(folder);
  expect(await findHolder(folder)).toMatchObject({ pid: process.pid });
  await lock.announce('http://127.0.0.1:1');
  expect(await findHolder(folder)).toMatchObject({ pid: process.pid, url: 'http://127.0.0.1:1' });
  await lock.release();
  expect(await findHolder(folder)).toBeUndefined();
  await writeFile(
    join(folder, 'enlist.pid'),
    JSON.stringify({ pid: process.ppid, started: '1', url: 'http://127.0.0.1:1' }),
  );
  expect(await findHolder(folder)).toBeUndefined();
});

test('of many attempts at once exactly one locks the folder', async () => {
  const folder = await temporaryFolder();
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});
