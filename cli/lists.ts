/** Reads the lists to upload. What is in them is only ever sent, never shown. */
import { createHash, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { findContentType } from '../lib/lists/formats.ts';
import { limits } from '../lib/model/limits.ts';
import { UsageError } from './failure.ts';
import { readable, readBytes } from './files.ts';
import { packFolder } from './folder.ts';
import type { Terminal } from './terminal.ts';

export const typeNames = 'json, jsonl, csv or zip';

export interface List {
  /** As the user calls it; `-` for stdin. */
  readonly file: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** What the user should know about it. */
  readonly note?: string;
}

const contentTypeOf = (file: string, type: string | undefined): string => {
  const contentType = findContentType(type === undefined ? file : `.${type}`);
  if (contentType !== undefined) return contentType;
  if (type !== undefined) throw new UsageError(`--type takes ${typeNames}, not ${type}.`);
  if (file === '-') throw new UsageError(`A list from stdin needs --type: ${typeNames}.`);
  throw new UsageError(
    `The name of ${file} does not end in .json, .jsonl, .csv or .zip; say --type ${typeNames}.`,
  );
};

const readAll = async (stream: NodeJS.ReadableStream): Promise<Uint8Array> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const isFolder = (file: string): Promise<boolean> =>
  stat(file).then(
    (it) => it.isDirectory(),
    () => false,
  );

const readFolder = async (file: string, type: string | undefined): Promise<List> => {
  if (type !== undefined) throw new UsageError(`${file} is a folder; --type is for files.`);
  return { file, contentType: 'application/zip', ...(await packFolder(file)) };
};

const readFile = async (file: string, type: string | undefined, terminal: Terminal): Promise<List> => {
  const contentType = contentTypeOf(file, type);
  const body = await (file === '-' ? readable(file, () => readAll(terminal.stdin)) : readBytes(file));
  if (body.length === 0) throw new UsageError(`${file} is empty.`);
  return { file, body, contentType };
};

/** A file as it is, or a folder packed. Throws UsageError when it cannot be a list. */
export const readList = async (file: string, type: string | undefined, terminal: Terminal): Promise<List> => {
  const isPacked = file !== '-' && (await isFolder(file));
  const list = await (isPacked ? readFolder(file, type) : readFile(file, type, terminal));
  if (list.body.length > limits.maxUploadBytes) {
    throw new UsageError(
      `${file} has ${list.body.length} bytes${isPacked ? ' when packed' : ''} and a list may have ${limits.maxUploadBytes}. Cut it into several; one upload takes several FILEs.`,
    );
  }
  return list;
};

/** Too large for one request: it goes by an upload form. */
export const isLarge = ({ body }: List): boolean => body.length > limits.maxInlineBytes;

/** The same list gives the same key, and so the same batch; `isNew` gives one that was never used. */
export const idempotencyKey = ({ body, contentType }: List, isNew: boolean): string =>
  isNew ? randomUUID() : createHash('sha256').update(`${contentType}\n`).update(body).digest('hex');
