/** Reads lists and uploads them. Their contents are sent and never shown. */
import { createHash, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { BatchReferenceView } from '../lib/api/contract.ts';
import { findContentType, listEndings } from '../lib/lists/formats.ts';
import { limits } from '../lib/model/limits.ts';
import type { ApiClient } from './api-client.ts';
import type { Terminal } from './context.ts';
import { RequestError, UsageError } from './errors.ts';
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

/** Its stdin is read only for the list `-`. */
type Stdin = Pick<Terminal, 'stdin'>;

/** @param type one of `listTypes`, or undefined: the name of the file then says it */
const chooseContentType = (file: string, type: string | undefined): string => {
  if (type === undefined && file === '-') throw new UsageError('A list from stdin needs --type.');
  const contentType = findContentType(type === undefined ? file : `.${type}`);
  if (contentType !== undefined) return contentType;
  throw new UsageError(`${file} is not a list: expected ${listEndings}.`);
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

const readFile = async (file: string, type: string | undefined, terminal: Stdin): Promise<List> => {
  const contentType = chooseContentType(file, type);
  const body = await (file === '-'
    ? explainFileErrors(file, () => readStream(terminal.stdin))
    : readBytes(file));
  if (body.length === 0) throw new UsageError(`${file} is empty.`);
  return { file, body, contentType };
};

/** Reads a file, or packs a folder. Throws UsageError when it cannot be a list. */
export const readList = async (file: string, type: string | undefined, terminal: Stdin): Promise<List> => {
  const isPacked = file !== '-' && (await isFolder(file));
  const list = await (isPacked ? readFolder(file, type) : readFile(file, type, terminal));
  if (list.body.length > limits.maxUploadBytes) {
    throw new UsageError(
      `${file} has ${formatNumber(list.body.length)} bytes${isPacked ? ' when packed' : ''}, and a list can have ${formatNumber(limits.maxUploadBytes)}. Split it into several lists; one upload takes several FILEs.`,
    );
  }
  return list;
};

/** The same list gives the same key, and so the same batch. */
const createIdempotencyKey = ({ body, contentType }: List): string =>
  createHash('sha256').update(`${contentType}\n`).update(body).digest('hex');

/**
 * Uploads the list: one that is too large for a request goes by an upload form, and always makes a new batch. Throws
 * RequestError, which names the list.
 * @param isNew whether to make a new batch even if the list was uploaded before
 */
export const sendList = async (api: ApiClient, list: List, isNew = false): Promise<BatchReferenceView> => {
  const { file, body, contentType } = list;
  try {
    if (body.length > limits.maxInlineBytes) return await api.uploadLarge(body, contentType);
    return await api.sendList(body, contentType, isNew ? randomUUID() : createIdempotencyKey(list));
  } catch (error) {
    if (error instanceof RequestError) throw new RequestError(`${file} was not uploaded. ${error.message}`);
    throw error;
  }
};
