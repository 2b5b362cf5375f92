/** Reads the lists to upload. What is in them is only ever sent, never shown. */
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { uploads as limits } from '../lib/topology.ts';
import { causeOf, UsageError } from './failure.ts';

const contentTypes: Readonly<Record<string, string>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
};
const typeNames = 'json, jsonl or csv';

export interface List {
  /** As the user calls it; `-` for stdin. */
  readonly file: string;
  readonly body: Uint8Array;
  readonly contentType: string;
}

const contentTypeOf = (file: string, type: string | undefined): string => {
  const name = type ?? extname(file).slice(1).toLowerCase();
  const contentType = Object.hasOwn(contentTypes, name) ? contentTypes[name] : undefined;
  if (contentType !== undefined) return contentType;
  if (type !== undefined) throw new UsageError(`--type takes ${typeNames}, not ${type}.`);
  if (file === '-') throw new UsageError(`A list from stdin needs --type: ${typeNames}.`);
  throw new UsageError(`The name of ${file} does not end in .json, .jsonl or .csv; say --type ${typeNames}.`);
};

const readStdin = async (): Promise<Uint8Array> => {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const why: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
};

const readBytes = async (file: string): Promise<Uint8Array> => {
  try {
    return await (file === '-' ? readStdin() : readFile(file));
  } catch (error) {
    const code = causeOf(error);
    throw new UsageError(`${file} cannot be read: ${why[code] ?? code}.`);
  }
};

/** Throws UsageError when it cannot be a list. */
export const readList = async (file: string, type: string | undefined): Promise<List> => {
  const contentType = contentTypeOf(file, type);
  const body = await readBytes(file);
  if (body.length === 0) throw new UsageError(`${file} is empty.`);
  if (body.length > limits.maxUploadBytes) {
    throw new UsageError(
      `${file} has ${body.length} bytes and a list may have ${limits.maxUploadBytes}. Cut it into several; one upload takes several FILEs.`,
    );
  }
  return { file, body, contentType };
};

/** Too large for one request: it goes by an upload form. */
export const isLarge = ({ body }: List): boolean => body.length > limits.maxInlineBytes;

/** The same list gives the same key, and so the same batch; `isNew` gives one that was never used. */
export const idempotencyKey = ({ body, contentType }: List, isNew: boolean): string =>
  isNew ? randomUUID() : createHash('sha256').update(`${contentType}\n`).update(body).digest('hex');
