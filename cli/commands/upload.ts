/** upload: sends lists; each becomes a batch. */
import { type Command, Option } from 'commander';
import { limits } from '../../lib/model/limits.ts';
import type { Context, Run } from '../context.ts';
import { UsageError } from '../errors.ts';
import { exitCodes, findMostUrgent } from '../exit-codes.ts';
import { type List, listTypes, readList, sendList } from '../lists.ts';
import { formatExamples, joinParagraphs, watchOption } from '../options.ts';
import { formatNumber } from '../output.ts';
import { watchBatch } from './watch.ts';

interface Options {
  readonly watch?: true;
  readonly new?: true;
  readonly type?: string;
}

const readLists = async (files: readonly string[], { type }: Options, { terminal }: Context) => {
  const duplicate = files.find((file, i) => files.indexOf(file) !== i);
  if (duplicate !== undefined) throw new UsageError(`${duplicate} is given twice.`);
  const lists: List[] = [];
  for (const file of files) lists.push(await readList(file, type, terminal));
  return lists;
};

const upload = async (context: Context, files: readonly string[], options: Options) => {
  const { formatCommand, output } = context;
  const lists = await readLists(files, options, context);
  for (const { note } of lists) if (note !== undefined) output.writeNote(note);
  const api = await context.connect();
  const batches: { file: string; batch_id: string }[] = [];
  for (const list of lists) {
    const { batch_id, status } = await sendList(api, list, options.new);
    const { file } = list;
    batches.push({ file, batch_id });
    const note = status === 'received' ? '' : `  (this list was uploaded before: ${status})`;
    if (!options.watch) output.writeJson({ file, batch_id, status });
    else if (output.isJson) output.writeNote(`${batch_id}  ${file}`);
    output.writeLine(`${batch_id}  ${file}${note}`);
  }
  if (!options.watch) {
    output.writeLine();
    const [first, ...others] = batches;
    output.writeLine(
      first && others.length === 0
        ? `Follow it:  ${formatCommand('watch', first.batch_id)}`
        : `Follow each:  ${formatCommand('watch', 'BATCH')}`,
    );
    return exitCodes.done;
  }
  const codes: number[] = [];
  for (const { file, batch_id } of batches)
    codes.push(await watchBatch(context, api, batch_id, { file }, true));
  return findMostUrgent(codes);
};

export const addUpload = (program: Command, run: Run): void => {
  program
    .command('upload')
    .summary('Sends lists of bots; each FILE or folder becomes a batch.')
    .description(
      joinParagraphs(
        'Sends lists of bots. Each FILE or folder becomes a batch, whose id is printed. All FILEs are read before the first one is sent.',
        `A list can have ${formatNumber(limits.maxUploadBytes)} bytes. The same list again gives the same batch; a list of more than ${formatNumber(limits.maxInlineBytes)} bytes goes by an upload form and always makes a new one. That is harmless: no bot ever gets a second key.`,
        'The lists of a folder, and of the folders in it, are packed into one ZIP in memory. Hidden files are skipped, and symbolic links are not followed; other files that are skipped are named.',
        'If a list would create users, which costs money, its batch is only planned: see enlist confirm.',
        '--json prints one line per file: {"file", "batch_id", "status"}; with --watch one line per file at the end of its batch: "file" and the batch, as enlist watch prints it.',
      ),
    )
    .argument(
      '<FILE...>',
      'a list: .json, .jsonl, .ndjson, .csv, or a .zip of such files; a folder; - for stdin',
    )
    .addOption(watchOption('follow the batches to their end, one after the other'))
    .option('--new', 'make a new batch even if the list was uploaded before')
    .addOption(new Option('--type <TYPE>', 'type of the list, whatever its name is').choices(listTypes))
    .addHelpText(
      'after',
      formatExamples(
        'enlist upload team-a.csv team-b.jsonl',
        'enlist upload keystores/ export.zip --watch',
        'decrypt bots.jsonl.gpg | enlist upload - --type jsonl --watch',
      ),
    )
    .action(run(upload));
};
