/** start: runs Enlist on this machine. `npm start` is this command. */
import { type Command, InvalidArgumentError } from 'commander';
import { parsePort } from '../../emulators/command-line.ts';
import type { StartOptions } from '../../infra/local/start.ts';
import type { Context, Run } from '../context.ts';
import { acceptCostOption, formatExamples, joinParagraphs, parseWholeNumber } from '../options.ts';

const parseUrl = (text: string): string => {
  if (!URL.canParse(text)) throw new InvalidArgumentError('It takes a URL.');
  return text;
};

/** The smallest list of test bots that has every outcome: infra/local/demo.ts. */
const MIN_TEST_BOTS = 22;

const start = async (
  context: Context,
  file: string | undefined,
  options: Omit<StartOptions, 'file' | 'data'>,
) => {
  context.terminal.waitForCleanUp?.();
  // Loaded only here: no other command needs the emulators.
  const { startLocally } = await import('../../infra/local/start.ts');
  return startLocally(
    { ...options, file, ...(context.data !== undefined && { data: context.data }) },
    context,
  );
};

export const addStart = (program: Command, run: Run): void => {
  program
    .command('start')
    .summary('Runs Enlist on this machine; npm start is the same.')
    .description(
      joinParagraphs(
        'Runs Enlist on this machine and registers every bot of a list with Mixin Safe. npm start -- takes the same options.',
        'Without FILE and --mixin it goes on with the lists of the folder --data; where there is none, it creates test bots in a stand-in Mixin server. A folder belongs to one Mixin and refuses any other.',
        'It keeps running, and writes the address of its API into the folder, where the other commands find it. With --once it ends as enlist watch does.',
        '--json prints one line per list: {"batch_id", "total", "invalid", "duplicates", "states", "seconds", "keys_stored", "keys_bound", "keys_lost"}.',
      ),
    )
    .argument('[FILE]', 'list of bots: .json, .jsonl, .ndjson, .csv or .zip; or a folder of lists')
    .option('--mixin <URL>', 'Mixin API to use for FILE', parseUrl)
    .option('--once', 'stop when all bots are finished or have a long wait')
    .addOption(acceptCostOption('the most that the network users of the list may cost, in US dollars'))
    .option('--bots <N>', 'number of test bots', parseWholeNumber('--bots', MIN_TEST_BOTS, 999_999), 300)
    .option('--port <N>', 'port of the HTTP API on 127.0.0.1 (default: any free port)', parsePort)
    .option('--bundled', 'run the bundles for AWS Lambda in place of the sources')
    .addHelpText(
      'after',
      formatExamples(
        'npm start',
        'npm start -- bots.csv --mixin https://api.mixin.one --data mybots',
        'npm start -- --data mybots',
      ),
    )
    .action(run(start));
};
