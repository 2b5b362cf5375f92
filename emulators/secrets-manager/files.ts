/** Stores secrets on disk: one file for each, readable by its owner only. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SecretRecord, secretRecord } from './record.ts';

export interface SecretStorage {
  load(): Promise<readonly SecretRecord[]>;
  /** When this has returned, the record survives a crash of the process and of the machine. */
  save(secret: SecretRecord): Promise<void>;
  remove(name: string): Promise<void>;
}

const FILE = '.json';
const UNFINISHED = '.tmp';
/** Common file systems take names of 255 bytes; an ending has to fit too. */
const MAX_NAME_LENGTH = 200;

/** No two secrets share a file, not even where file names ignore case. */
const createFileName = (name: string): string => {
  const escaped = name.replace(
    /[^a-z0-9_.-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  const short = createHash('sha256').update(name).digest('hex');
  return `${escaped.length > MAX_NAME_LENGTH ? short : escaped}${FILE}`;
};

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
};

const readRecord = async (path: string): Promise<SecretRecord> => {
  try {
    return secretRecord.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // The cause is left out: a parser's message quotes what it read.
    throw new Error(`${path} is not a valid secret; restore it from a backup, or move it away`);
  }
};

const writeAtomically = async (folder: string, name: string, text: string): Promise<void> => {
  const unfinished = join(folder, `${randomUUID()}${UNFINISHED}`);
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, join(folder, name));
  await syncFolder(folder);
};

/** Files that are read at once. */
const READS_AT_ONCE = 16;

/**
 * Stores secrets in `folder`, which is created (0700) where it does not exist.
 * @param signal ends loading with its AbortError
 */
export const openSecretFiles = async (folder: string, signal?: AbortSignal): Promise<SecretStorage> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    load: async () => {
      const names = await readdir(folder);
      const unfinished = names.filter((name) => name.endsWith(UNFINISHED));
      await Promise.all(unfinished.map((name) => rm(join(folder, name))));
      const files = names.filter((name) => name.endsWith(FILE));
      const records: SecretRecord[] = [];
      for (let i = 0; i < files.length; i += READS_AT_ONCE) {
        signal?.throwIfAborted();
        const some = files.slice(i, i + READS_AT_ONCE);
        records.push(...(await Promise.all(some.map((name) => readRecord(join(folder, name))))));
      }
      return records;
    },
    save: (secret) => writeAtomically(folder, createFileName(secret.name), JSON.stringify(secret)),
    remove: async (name) => {
      await rm(join(folder, createFileName(name)), { force: true });
      await syncFolder(folder);
    },
  };
};

/** Stores nothing on disk: the secrets are in memory only. */
export const memoryStorage: SecretStorage = {
  load: async () => [],
  save: async () => undefined,
  remove: async () => undefined,
};
