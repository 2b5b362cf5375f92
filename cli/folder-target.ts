/** Finds the API of an `npm start` by its data folder, or starts as much of it as reading needs. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readDataFolder, STAND_IN } from '../infra/local/data-folder.ts';
import { findHolder } from '../infra/local/folder-lock.ts';
import { RequestError } from './errors.ts';
import { quoteWord } from './hint.ts';

/** Where `npm start` keeps a list of one's own, and its test bots, when it is not told where. */
export const defaultFolders = ['data', 'data-demo'] as const;

const POLL_MS = 200;
/** A start of a large folder takes its time before its API answers. */
const MAX_WAIT_MS = 120_000;
/** Where nothing listens: reading calls no Mixin. */
const NO_MIXIN = 'http://127.0.0.1:9';

/** The address of the API that runs on the folder now: a start that was repeated has another one. */
export const findAddress = async (data: string): Promise<string | undefined> => (await findHolder(data))?.url;

/** The same; waits for one that is starting. */
const waitForAddress = async (folder: string): Promise<string | undefined> => {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const holder = await findHolder(folder);
    if (!holder || holder.url !== undefined) return holder?.url;
    if (waitedMs >= MAX_WAIT_MS)
      throw new RequestError(
        `Process ${holder.pid} uses ${folder}, and its API does not answer yet: try again later.`,
      );
    await sleep(POLL_MS);
  }
};

export interface FolderApi {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const startReading = async (dataDir: string, mixin: string | undefined): Promise<FolderApi> => {
  // Loaded only here: no other command needs the emulators.
  const { startEmbeddedStack } = await import('../infra/local/embedded-stack.ts');
  const mixinUrl = mixin === undefined || mixin === STAND_IN ? NO_MIXIN : mixin;
  return startEmbeddedStack({ dataDir, mixinUrl, log: () => undefined, isReadOnly: true });
};

/**
 * The API of the folder. On a stopped folder one is started that can only read, where that is enough. Throws
 * RequestError.
 */
export const openFolder = async (data: string, isReading: boolean): Promise<FolderApi> => {
  const folder = resolve(data);
  const found = await readDataFolder(folder);
  if (!found) throw new RequestError(`${folder} is not a data folder of npm start.`);
  const url = await waitForAddress(folder);
  if (url !== undefined) return { url, stop: async () => undefined };
  if (isReading) return startReading(folder, found.mixin);
  throw new RequestError(`Nothing runs on ${folder}. Start it with:  npm start -- --data ${quoteWord(data)}`);
};

/** The first of the default folders on which an `npm start` runs. */
export const findRunningFolder = async (): Promise<string | undefined> => {
  for (const data of defaultFolders) if (await findHolder(data)) return data;
  return undefined;
};
