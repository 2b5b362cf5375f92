/** Reads the lists to upload. Their contents are sent and never shown. */
import { createHash, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { findContentType, listEndings } from '../lib/lists/formats.ts';
import { limits } from '../lib/model/limits.ts';
import type { Terminal } from './context.ts';
import { UsageError } from './errors.ts';
import { explainFileErrors, readBytes } from './files.ts';
import { packFolder } from './folder.ts';
import { formatNumber } from './output.ts';

export const listTypes = ['json', 'jsonl', 'ndjson', 'csv', 'zip'] as const;

export interface List {
  /** As the user calls it; `-` for stdin. */
  readonly file: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** What the user should know about it. */
  readonly note?: string;
}

/** @param type one of `listTypes`, or undefined: the name of the file then says it */
const chooseContentType = (file: string, type: string | undefined): string => {
  if (type === undefined && file === '-') throw new UsageError('A list from stdin needs --type.');
  const contentType = findContentType(type === undefined ? file : `.${type}`);
  if (contentType !== undefined) return contentType;
  throw new UsageError(`${file} is not a list: expected ${listEndings}. If it is one, give its --type.`);
};

const readStream = async (stream: NodeJS.ReadableStream): Promise<Uint8Array> => {
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

const readFile = async (file: string, type: string | undefined, { stdin }: Terminal): Promise<List> => {
  const contentType = chooseContentType(file, type);
  const body = await (file === '-' ? explainFileErrors(file, () => readStream(stdin)) : readBytes(file));
  if (body.length === 0) throw new UsageError(`${file} is empty.`);
  return { file, body, contentType };
};

/** Reads a file, or packs a folder. Throws UsageError when it cannot be a list. */
export const readList = async (file: string, type: string | undefined, terminal: Terminal): Promise<List> => {
  const isPacked = file !== '-' && (await isFolder(file));
  const list = await (isPacked ? readFolder(file, type) : readFile(file, type, terminal));
  if (list.body.length > limits.maxUploadBytes) {
    throw new UsageError(
      `${file} has ${formatNumber(list.body.length)} bytes${isPacked ? ' when packed' : ''}, and a list can have ${formatNumber(limits.maxUploadBytes)}. Split it into several lists; one upload takes several FILEs.`,
    );
  }
  return list;
};

/** Too large for one request: it goes by an upload form. */
export const isLarge = ({ body }: List): boolean => body.length > limits.maxInlineBytes;

/** The same list gives the same key, and so the same batch; `isNew` gives one that was never used. */
export const createIdempotencyKey = ({ body, contentType }: List, isNew: boolean): string =>
  isNew ? randomUUID() : createHash('sha256').update(`${contentType}\n`).update(body).digest('hex');
