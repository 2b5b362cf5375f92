/** Lets one process at a time use a data folder, and says where the API of that process answers. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { RequestError } from '../../cli/errors.ts';

const FILE = 'enlist.pid';
const ATTEMPTS = 5;

const holder = z.object({
  pid: z.int().positive(),
  /** When that process started, where the system shows it: process ids are reused. */
  started: z.string().optional(),
  /** Address of its HTTP API, once that answers. */
  url: z.string().optional(),
});
export type Holder = z.infer<typeof holder>;

export interface FolderLock {
  /** Writes the address of the HTTP API into the folder, for as long as it is locked. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

/** Folders that this process has locked: its own pid in a file does not prove it. */
const lockedFolders = new Set<string>();

/** State and start of a process as ps shows them, for systems without /proc. */
const readFromPs = async (pid: number): Promise<readonly [state: string, started?: string]> => {
  const env = { ...process.env, LC_ALL: 'C' };
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { env });
  const [state = '', ...started] = stdout.trim().split(/\s+/);
  return [state, started.join(' ')];
};

/**
 * State and start of a process; the start is in clock ticks since boot where there is /proc (fields 3 and 22 of
 * /proc/<pid>/stat). No start where neither /proc nor ps shows it.
 */
const readProcess = async (pid: number): Promise<readonly [state: string, started?: string]> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [fields[0] ?? '', fields[19] ?? ''];
  } catch {
    return readFromPs(pid).catch(() => [''] as const);
  }
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** A zombie has ended: only its parent has not been told yet. */
const isAlive = async ({ pid, started }: Holder, folder: string): Promise<boolean> => {
  if (pid === process.pid) return lockedFolders.has(folder);
  if (!isRunning(pid)) return false;
  const [state, startedNow] = await readProcess(pid);
  if (/^[ZX]/.test(state)) return false;
  return started === undefined || startedNow === undefined || started === startedNow;
};

const readHolder = async (file: string): Promise<Holder | undefined> => {
  try {
    return holder.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
};

/** Creates the file, whole, and only if there is none. */
const claim = async (file: string, own: Holder): Promise<boolean> => {
  const ownFile = `${file}.${randomUUID()}`;
  try {
    await writeFile(ownFile, JSON.stringify(own), { mode: 0o600 });
    await link(ownFile, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(ownFile, { force: true });
  }
};

/** The process that has locked the folder; undefined when none has, or only one that has ended. */
export const findHolder = async (dataDir: string): Promise<Holder | undefined> => {
  const folder = resolve(dataDir);
  const other = await readHolder(join(folder, FILE));
  return other && (await isAlive(other, folder)) ? other : undefined;
};

/** Throws, and names the process, when another one has locked the folder. */
export const refuseIfLocked = async (folder: string): Promise<void> => {
  const other = await findHolder(folder);
  if (!other) return;
  throw new RequestError(
    `The data folder ${folder} is in use by process ${other.pid}: stop that process first, or choose another folder with --data.`,
  );
};

/**
 * Locks the folder, which must exist, for this process. Throws, and names the process, when another one has it; the
 * lock of a dead process is taken over.
 */
export const lockFolder = async (dataDir: string): Promise<FolderLock> => {
  const folder = resolve(dataDir);
  const file = join(folder, FILE);
  const [, started] = await readProcess(process.pid);
  const own: Holder = { pid: process.pid, ...(started !== undefined && { started }) };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await claim(file, own)) {
      lockedFolders.add(folder);
      return {
        announce: async (url) => {
          const next = `${file}.${randomUUID()}`;
          await writeFile(next, JSON.stringify({ ...own, url }), { mode: 0o600 });
          await rename(next, file);
        },
        release: async () => {
          lockedFolders.delete(folder);
          await rm(file, { force: true });
        },
      };
    }
    await refuseIfLocked(folder);
    await rm(file, { force: true });
  }
  throw new RequestError(
    `The data folder ${folder} could not be locked, because other processes are locking it too: try again.`,
  );
};
