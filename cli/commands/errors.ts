/** errors: lists the rows that were refused. */
import type { Command } from 'commander';
import type { Context, Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { batchArgument, joinParagraphs } from '../options.ts';
import { formatRowError } from '../summary.ts';

const listErrors = async ({ connectToRead, output }: Context, batch_id: string) => {
  const api = await connectToRead();
  let count = 0;
  for await (const error of api.listErrors(batch_id)) {
    count += 1;
    output.writeJson(error);
    output.writeLine(formatRowError(error));
  }
  if (count === 0) output.writeLine('No row has an error.');
  return exitCodes.done;
};

export const addErrors = (program: Command, run: Run): void => {
  program
    .command('errors')
    .summary('Lists the rows that were refused, and how to fix them.')
    .description(
      joinParagraphs(
        'Lists the rows of a batch that were refused, with row, line, field, and how to fix them. No value of a list is ever shown.',
        '--json prints one error per line: {"row", "line", "field", "code", "message", "fix"}, and "file" for an archive.',
      ),
    )
    .addArgument(batchArgument())
    .action(run(listErrors));
};
