/**
 * The data folder of the embedded stack says by which schema its rows, queues and keystores were written, which Mixin
 * they belong to, and which lists were uploaded.
 */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RequestError } from '../../cli/errors.ts';

/** To be raised when anything that is stored changes its name or shape. */
const SCHEMA = 1;
const FILE = 'enlist.json';

/** Stands for the URL of the stand-in that `npm start` runs for its test bots: its port changes. */
export const STAND_IN = 'stand-in';

const description = z.object({
  schema: z.number(),
  /** URL of the Mixin API that every row belongs to, or STAND_IN. */
  mixin: z.string().optional(),
  /** Batches that `npm start` uploaded, oldest first, with the files as the user called them. */
  lists: z.array(z.object({ batch_id: z.string(), file: z.string() })).optional(),
});
export type DataFolder = z.infer<typeof description>;

/** Undefined when the file is missing, or is not whole. */
const readDescription = async (file: string): Promise<DataFolder | undefined> => {
  try {
    return description.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
};

const listNames = async (folder: string): Promise<readonly string[]> => {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

/**
 * What the folder says of itself; undefined when it is missing or empty. Changes nothing. Throws when the folder holds
 * anything that was written by another schema: its rows would be read as if nothing had been sent.
 */
export const readDataFolder = async (folder: string): Promise<DataFolder | undefined> => {
  const names = await listNames(folder);
  const found = await readDescription(join(folder, FILE));
  if (found?.schema === SCHEMA) {
    // A folder of test bots that does not say so yet has the accounts of their stand-in.
    return { ...(names.includes('mixin') && { mixin: STAND_IN }), ...found };
  }
  if (found === undefined && names.every((name) => name === FILE)) return undefined;
  throw new RequestError(
    `The folder ${folder} was not written by this version of Enlist: use the version that wrote it, or choose another folder with --data.`,
  );
};

/** Whole or not at all. */
const write = async (folder: string, content: DataFolder): Promise<void> => {
  const file = join(folder, FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
};

const refuseMixin = (folder: string, owner: string): RequestError =>
  new RequestError(
    owner === STAND_IN
      ? `The data folder ${folder} belongs to test bots and their stand-in Mixin: choose another folder with --data.`
      : `The data folder ${folder} belongs to ${owner}: leave --mixin out to go on with it, or choose another folder with --data.`,
  );

/** Throws when the folder belongs to another Mixin than this one: its bots would be judged by a world they are not in. */
export const refuseOtherMixin = (folder: string, found: DataFolder | undefined, mixin: string): void => {
  if (found?.mixin !== undefined && found.mixin !== mixin) throw refuseMixin(folder, found.mixin);
};

/**
 * Makes the folder (0700) where there is none, and marks an empty one with the schema number and its Mixin. Throws, and
 * changes nothing, when the folder belongs to another schema or another Mixin.
 * @param mixin URL, or STAND_IN; undefined leaves it open
 */
export const prepareDataFolder = async (folder: string, mixin?: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await readDataFolder(folder);
  if (mixin !== undefined) refuseOtherMixin(folder, found, mixin);
  if (found && (mixin === undefined || found.mixin === mixin)) return;
  await write(folder, { ...found, schema: SCHEMA, ...(mixin !== undefined && { mixin }) });
};

/** Remembers a batch of a list, so that the next start can follow it without the list. */
export const rememberList = async (folder: string, batch_id: string, file: string): Promise<void> => {
  const found = await readDataFolder(folder);
  const lists = found?.lists ?? [];
  if (lists.some((list) => list.batch_id === batch_id)) return;
  await write(folder, { ...found, schema: SCHEMA, lists: [...lists, { batch_id, file }] });
};
