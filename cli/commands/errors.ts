/** errors: the rows of a list that were not taken, and how to mend them. */
import { batchArgument } from '../arguments.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../failure.ts';
import { errorLine } from '../summary.ts';

export const errors: Command = {
  usage: 'errors BATCH',
  summary: 'Lists the rows of a batch that were not taken, with row, line, field and how to mend them.',
  details: [
    'All of them, page by page. No value of a list is ever shown.',
    '--json prints one error a line: {"row", "line", "field", "code", "message", "fix"}, and "file" of an archive.',
  ],
  options: {},
  run: async (call) => {
    const batch_id = batchArgument(call);
    const api = await call.api();
    let count = 0;
    for await (const error of api.listErrors(batch_id)) {
      count += 1;
      call.output.json(error);
      call.output.line(errorLine(error));
    }
    if (count === 0) call.output.line('No row has an error.');
    return exitCodes.done;
  },
};
