/** The data folder of the embedded stack says by which schema its rows, queues and keystores were written. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

/** To be raised when anything that is stored changes its name or shape. */
const SCHEMA = 1;
const FILE = 'enlist.json';

const description = z.object({ schema: z.number() });

/** Undefined when the file is missing, or is not whole. */
const readSchema = async (file: string): Promise<number | undefined> => {
  try {
    return description.parse(JSON.parse(await readFile(file, 'utf8'))).schema;
  } catch {
    return undefined;
  }
};

/**
 * Makes the folder (0700) where there is none, and marks an empty one with the schema number. Throws, and changes
 * nothing, when the folder holds anything that was written by another schema: its rows would be read as if nothing
 * had been sent.
 */
export const prepareDataFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, FILE);
  const schema = await readSchema(file);
  if (schema === SCHEMA) return;
  const isEmpty = (await readdir(folder)).every((name) => name === FILE);
  if (schema !== undefined || !isEmpty)
    throw new Error(
      `The folder ${folder} was not written by this version of Enlist: use the version that wrote it, or choose another folder with --data.`,
    );
  await writeFile(file, `${JSON.stringify({ schema: SCHEMA })}\n`, { mode: 0o600 });
};
