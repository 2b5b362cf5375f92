/** Lets one process at a time use a data folder. */
import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';

const FILE = 'enlist.pid';
const ATTEMPTS = 5;

const holder = z.object({
  pid: z.int().positive(),
  /** When that process started, where the system shows it: process ids are reused. */
  started: z.string().optional(),
});
type Holder = z.infer<typeof holder>;

/** Folders that this process has locked: its own pid in a file does not prove it. */
const lockedFolders = new Set<string>();

/** Start of a process in clock ticks since boot (field 22 of /proc/<pid>/stat), undefined where there is no /proc. */
const readStartTime = async (pid: number): Promise<string | undefined> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
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

const isAlive = async ({ pid, started }: Holder, folder: string): Promise<boolean> => {
  if (pid === process.pid) return lockedFolders.has(folder);
  if (!isRunning(pid)) return false;
  return started === undefined || started === (await readStartTime(pid));
};

const readHolder = async (file: string): Promise<Holder | undefined> => {
  try {
    return holder.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
};

/** Creates the file, whole, and only if there is none. */
const claim = async (file: string): Promise<boolean> => {
  const ownFile = `${file}.${randomUUID()}`;
  const started = await readStartTime(process.pid);
  await writeFile(ownFile, JSON.stringify({ pid: process.pid, started }), { mode: 0o600 });
  try {
    await link(ownFile, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(ownFile, { force: true });
  }
};

const refuseIfAlive = async (file: string, folder: string): Promise<void> => {
  const other = await readHolder(file);
  if (other && (await isAlive(other, folder)))
    throw new Error(
      `The data folder ${folder} is in use by process ${other.pid}: stop that process first, or choose another folder with --data.`,
    );
};

/**
 * Locks the folder, which must exist, for this process, and returns the function that unlocks it. Throws, and names
 * the process, when another one has it; the lock of a dead process is taken over.
 */
export const lockFolder = async (dataDir: string): Promise<() => Promise<void>> => {
  const folder = resolve(dataDir);
  const file = join(folder, FILE);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await claim(file)) {
      lockedFolders.add(folder);
      return async () => {
        lockedFolders.delete(folder);
        await rm(file, { force: true });
      };
    }
    await refuseIfAlive(file, folder);
    await rm(file, { force: true });
  }
  throw new Error(
    `The data folder ${folder} could not be locked, because other processes are locking it too: try again.`,
  );
};
