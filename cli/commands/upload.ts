/** upload: sends lists, each as a batch of its own. */

import type { BatchReferenceView } from '../../lib/api/contract.ts';
import { limits } from '../../lib/model/limits.ts';
import type { ApiClient } from '../api-client.ts';
import type { Call, Command } from '../command.ts';
import { exitCodes, Refusal, UsageError } from '../failure.ts';
import { idempotencyKey, isLarge, type List, readList, typeNames } from '../lists.ts';
import { worstOf } from '../outcome.ts';
import { bytes } from '../output.ts';
import { watchBatch } from './watch.ts';

const readLists = async (call: Call): Promise<List[]> => {
  const { args } = call;
  if (args.length === 0) throw new UsageError('FILE is missing.');
  const twice = args.find((file, i) => args.indexOf(file) !== i);
  if (twice !== undefined) throw new UsageError(`${twice} is named twice.`);
  const lists: List[] = [];
  for (const file of args) lists.push(await readList(file, call.text('type'), call.terminal));
  return lists;
};

const sendList = async (api: ApiClient, list: List, isNew: boolean): Promise<BatchReferenceView> => {
  try {
    if (isLarge(list)) return await api.uploadLarge(list.body, list.contentType);
    return await api.sendList(list.body, list.contentType, idempotencyKey(list, isNew));
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${list.file} was not uploaded. ${error.message}`);
    throw error;
  }
};

const run = async (call: Call): Promise<number> => {
  const { output } = call;
  const isWatched = call.flag('watch');
  const lists = await readLists(call);
  for (const { note } of lists) if (note !== undefined) output.note(note);
  const api = await call.api();
  const batches: { file: string; batch_id: string }[] = [];
  for (const list of lists) {
    const { batch_id, status } = await sendList(api, list, call.flag('new'));
    const { file } = list;
    batches.push({ file, batch_id });
    const again = status === 'received' ? '' : `  (this list was uploaded before: ${status})`;
    if (!isWatched) output.json({ file, batch_id, status });
    else if (output.isJson) output.note(`${batch_id}  ${file}`);
    output.line(`${batch_id}  ${file}${again}`);
  }
  if (!isWatched) {
    output.line();
    output.line(`Follow it:  enlist watch ${batches.length === 1 ? batches[0]?.batch_id : 'BATCH'}`);
    return exitCodes.done;
  }
  const codes: number[] = [];
  for (const { file, batch_id } of batches) codes.push(await watchBatch(call, api, batch_id, { file }));
  return worstOf(codes);
};

export const upload: Command = {
  usage: 'upload FILE…',
  summary: 'Sends lists of bots; each FILE or folder becomes a batch, whose id is printed.',
  details: [
    'FILE is a list of keystores that ends in .json, .jsonl (or .ndjson) or .csv, or a .zip of such lists; - reads',
    'stdin and needs --type. Of a folder all lists are packed into one ZIP, those of its folders too; hidden files',
    'are passed over, symbolic links are not followed, and what else is left out is told.',
    'All FILEs are read before the first is sent. The same list again answers the same batch, unless it',
    `is larger than ${bytes(limits.maxInlineBytes)} bytes; a list may have ${bytes(limits.maxUploadBytes)}.`,
    'Where a list has Enlist create users, which costs money, its batch is planned only: see enlist confirm.',
    '--json prints one line a file: {"file", "batch_id", "status"}; with --watch one line a file once its batch',
    'has ended: the batch as watch prints it, and "file".',
  ],
  options: {
    watch: { type: 'boolean', help: 'follow the batches, one after the other, and tell how they ended' },
    new: { type: 'boolean', help: 'make a new batch even of a list that was uploaded before' },
    type: { type: 'string', value: 'TYPE', help: `${typeNames}, whatever the name says` },
  },
  run,
};
