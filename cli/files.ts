/** Reads files that the command line names, and JSON. */
import { readFile } from 'node:fs/promises';
import { findErrorCode } from '../lib/model/error-code.ts';
import { UsageError } from './errors.ts';

const explanations: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you have no permission',
  EISDIR: 'it is a folder',
};

/** Returns what `read` returns. When that fails, throws a UsageError that says why the file cannot be read. */
export const explainFileErrors = async <T>(file: string, read: () => Promise<T>): Promise<T> => {
  try {
    return await read();
  } catch (error) {
    const code = findErrorCode(error);
    throw new UsageError(`${file} cannot be read: ${explanations[code] ?? code}.`);
  }
};

/** The value of a JSON text; undefined for a text that is not JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The bytes of a file. Throws UsageError. */
export const readBytes = (file: string): Promise<Uint8Array> => explainFileErrors(file, () => readFile(file));

/** The text of a file, without white space at both ends. Throws UsageError, also when nothing is left. */
export const readText = async (file: string): Promise<string> => {
  const text = Buffer.from(await readBytes(file))
    .toString('utf8')
    .trim();
  if (text === '') throw new UsageError(`${file} is empty.`);
  return text;
};
