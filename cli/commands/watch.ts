/** watch: follows a batch to its end and tells how its bots fared. */
import type { ApiClient } from '../api-client.ts';
import { batchArgument } from '../arguments.ts';
import type { Call, Command } from '../command.ts';
import { isAbort } from '../failure.ts';
import { codeOfEnd } from '../outcome.ts';
import { followBatch } from '../progress.ts';
import { summaryLines } from '../summary.ts';

/** Returns the exit code; `more` stands before the batch in JSON. */
export const watchBatch = async (
  { output, signal, terminal }: Call,
  api: ApiClient,
  batch_id: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<number> => {
  try {
    const batch = await followBatch(api, batch_id, terminal.stderr, signal);
    if (output.isJson) output.json({ ...more, ...batch });
    else for (const line of await summaryLines(api, batch)) output.line(line);
    return await codeOfEnd(api, batch);
  } catch (error) {
    if (isAbort(error))
      output.note(`The batch goes on by itself. Follow it again:  enlist watch ${batch_id}`);
    throw error;
  }
};

export const watch: Command = {
  usage: 'watch BATCH',
  summary: 'Follows a batch until its bots have come to rest, then tells where they are and what to do.',
  details: [
    'Progress goes to stderr: a bar in a terminal, lines elsewhere. Bots that wait for more than ten minutes',
    'are not waited for. Ctrl-C ends the watching only.',
    '--json prints the batch at its end, as the API answers GET /batches/{batch_id}.',
  ],
  options: {},
  run: async (call) => {
    const batch_id = batchArgument(call);
    return watchBatch(call, await call.api(), batch_id);
  },
};
