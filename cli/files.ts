/** Reads files that the command line names. */
import { readFile } from 'node:fs/promises';
import { findErrorCode } from '../lib/model/error-code.ts';
import { UsageError } from './failure.ts';

const why: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
};

/** What `work` returns; where it fails, a UsageError that says why the file cannot be read. */
export const readable = async <T>(file: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    const code = findErrorCode(error);
    throw new UsageError(`${file} cannot be read: ${why[code] ?? code}.`);
  }
};

/** The bytes of a file. Throws UsageError. */
export const readBytes = (file: string): Promise<Uint8Array> => readable(file, () => readFile(file));

/** The text of a file, without the white space around it. Throws UsageError, also when nothing is left. */
export const readText = async (file: string): Promise<string> => {
  const text = Buffer.from(await readBytes(file))
    .toString('utf8')
    .trim();
  if (text === '') throw new UsageError(`${file} is empty.`);
  return text;
};
