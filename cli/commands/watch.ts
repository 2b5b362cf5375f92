/** watch: follows a batch to its end and shows how it ended. */
import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { isAbort } from '../errors.ts';
import { chooseFinalExitCode } from '../exit-codes.ts';
import { batchArgument, joinParagraphs } from '../options.ts';
import { followBatch } from '../progress.ts';
import { summarizeBatch } from '../summary.ts';

/**
 * Returns the exit code.
 * @param extraFields for the JSON, before the batch
 * @param hasAnswered whether the API has answered this command before
 */
export const watchBatch = async (
  { formatCommand, output, signal, terminal }: Context,
  api: ApiClient,
  batch_id: string,
  extraFields: Readonly<Record<string, unknown>> = {},
  hasAnswered = false,
): Promise<number> => {
  try {
    const batch = await followBatch(api, batch_id, terminal.stderr, signal, { hasAnswered });
    if (output.isJson) output.writeJson({ ...extraFields, ...batch });
    else output.writeLines(await summarizeBatch(api, batch, formatCommand));
    return await chooseFinalExitCode(api, batch);
  } catch (error) {
    if (isAbort(error))
      output.writeNote(
        `Enlist goes on with the batch. Follow it again:  ${formatCommand('watch', batch_id)}`,
      );
    throw error;
  }
};

const watch = async (context: Context, batch_id: string) =>
  watchBatch(context, await context.connect(), batch_id);

export const addWatch = (program: Command, run: Run): void => {
  program
    .command('watch')
    .summary('Follows a batch to its end and shows the result.')
    .description(
      joinParagraphs(
        'Follows a batch until its bots are finished, then shows their states, the reasons, and what to do. Bots that wait longer than ten minutes are not waited for. Ctrl-C stops watching; the batch goes on.',
        'Progress is printed on stderr: a bar in a terminal, lines elsewhere.',
        '--json prints the batch at its end, as the API answers.',
      ),
    )
    .addArgument(batchArgument())
    .action(run(watch));
};
