/** `npm start`: Enlist on one machine, with a stand-in for Mixin or with a Mixin API. */
import { appendFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommanderError, InvalidArgumentError } from 'commander';
import { createApiClient } from '../../cli/api-client.ts';
import { isAbort, UsageError } from '../../cli/errors.ts';
import { exitCodes } from '../../cli/exit-codes.ts';
import { createCommandFormat } from '../../cli/hint.ts';
import { type List, readList, sendList } from '../../cli/lists.ts';
import { acceptCostOption, parseWholeNumber } from '../../cli/options.ts';
import { followBatch } from '../../cli/progress.ts';
import { summarizeBatch } from '../../cli/summary.ts';
import { createCommand, parsePort } from '../../emulators/command-line.ts';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { prepareDataFolder } from './data-folder.ts';
import { createDemoList, minDemoBots } from './demo.ts';
import { type EmbeddedStack, startEmbeddedStack } from './embedded-stack.ts';
import { countKeys, fetchLedger, type KeyCounts, type Ledger } from './key-counts.ts';

const parseUrl = (text: string): string => {
  if (!URL.canParse(text)) throw new InvalidArgumentError('It takes a URL.');
  return text;
};

interface Options {
  readonly mixin?: string;
  readonly data: string;
  readonly once?: true;
  readonly json?: true;
  readonly acceptCost?: number;
  readonly bots: number;
  readonly port?: number;
  readonly bundled?: true;
}

const command = createCommand(
  'npm start --',
  'Runs Enlist on this machine and registers every bot of a list with Mixin Safe.',
)
  .argument('[FILE]', 'list of bots: .json, .jsonl, .ndjson, .csv or .zip; or a folder of lists')
  .option('--mixin <URL>', 'Mixin API to use for FILE', parseUrl)
  .option('--data <DIR>', 'folder for rows, queues and private keys', 'data')
  .option('--once', 'stop when all bots are finished or have a long wait')
  .option('--json', 'print the summary as JSON on the last line')
  .addOption(acceptCostOption('the most that the network users of the list may cost, in US dollars'))
  .option('--bots <N>', 'number of test bots', parseWholeNumber('--bots', minDemoBots, 999_999), 300)
  .option('--port <N>', 'port of the HTTP API on 127.0.0.1 (default: any free port)', parsePort)
  .option('--bundled', 'run the bundles for AWS Lambda in place of the sources')
  .addHelpText(
    'after',
    `
Without FILE and --mixin it creates test bots in a stand-in Mixin server.

Examples:
  npm start
  npm start -- bots.csv --mixin https://api.mixin.one --data mybots`,
  );

const readOptions = () => {
  command.parse();
  const [file] = command.processedArgs as [string | undefined];
  const options = command.opts<Options>();
  if ((file === undefined) !== (options.mixin === undefined))
    throw new UsageError(
      'Give both FILE and --mixin URL, or neither: without them Enlist creates test bots.',
    );
  return { ...options, file, data: resolve(options.data) };
};

const say = (line = '') => process.stdout.write(`${line}\n`);

/** The list of the test bots is a file, written whole or not at all; a later start uses the same file. */
const readDemoList = async (standIn: MixinStandIn, { data, bots }: Options): Promise<List> => {
  const path = join(data, 'list.json');
  if (!existsSync(path)) {
    const { list, outcomes } = await createDemoList(standIn, bots);
    writeFileSync(join(data, 'outcomes.json'), JSON.stringify(outcomes));
    writeFileSync(`${path}.new`, list, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return readList(path, undefined, process);
};

const introduce = ({ mixin, data }: Options, stack: EmbeddedStack, mixinUrl: string, list: List) => {
  say(`Enlist is running. HTTP API: ${stack.url}   Mixin: ${mixinUrl}${mixin ? '' : ' (stand-in)'}`);
  say(`List: ${list.file}`);
  if (list.note !== undefined) say(list.note);
  if (mixin) {
    say(`Private keys are stored as plain files (mode 0600) in ${join(data, 'secrets')}.`);
    say('Keep that folder safe and make backups: a lost key cannot be replaced.');
  }
};

/** The requests that Mixin has seen, where a stand-in can report them: our own, or one that runs on this machine. */
const readLedger = async (standIn: MixinStandIn | undefined, mixinUrl: string): Promise<Ledger> => {
  if (standIn) return standIn.ledger();
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(new URL(mixinUrl).hostname)) return undefined;
  return fetchLedger(mixinUrl);
};

const describeKeys = ({ keys_stored, keys_bound, keys_lost }: KeyCounts) => {
  const stored = `Keys: ${keys_stored} in the vault.`;
  if (keys_bound === null || keys_lost === null) return stored;
  const set = keys_bound - keys_lost;
  return `${stored} Enlist set ${set} of them at Mixin; the other ${keys_stored - set} were set before, or are not set yet. Lost keys: ${keys_lost}.`;
};

const waitForSignal = () =>
  new Promise<void>((end) => {
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });

/**
 * Uploads the list, follows it to its end, and prints the summary. Returns the exit code, which does not depend on how
 * its bots ended: `enlist watch` has one that does.
 */
const runBatch = async (
  stack: EmbeddedStack,
  ledger: () => Promise<Ledger>,
  list: List,
  options: Options,
) => {
  const startedAt = performance.now();
  const api = createApiClient(stack.url);
  const { batch_id } = await sendList(api, list);
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once('SIGINT', interrupt);
  const follow = () => followBatch(api, batch_id, process.stderr, abort.signal);
  let batch = await follow();
  if (batch.status === 'planned' && options.acceptCost !== undefined) {
    await api.confirmBatch(batch_id, options.acceptCost);
    batch = await follow();
  }
  process.off('SIGINT', interrupt);
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const keys = await countKeys(stack.environment, await ledger());
  const isPlanned = batch.status === 'planned' && options.once;
  say();
  for (const line of await summarizeBatch(api, batch, createCommandFormat({ environment: process.env })))
    say(line);
  if (isPlanned) say('Nothing was done. To accept the cost, start again with --accept-cost USD.');
  say(describeKeys(keys));
  say(
    `Keystores: ${join(options.data, 'secrets')}   Log: ${join(options.data, 'enlist.log')}   Time: ${seconds} s`,
  );
  if (options.json) {
    const { total, invalid, duplicates, states } = batch;
    say(JSON.stringify({ batch_id, total, invalid, duplicates, states, seconds, ...keys }));
  }
  if (isPlanned) return exitCodes.planned;
  return batch.status === 'rejected' || (keys.keys_lost ?? 0) > 0 ? exitCodes.actionNeeded : exitCodes.done;
};

/** The code that a deployment would upload, from the assembly in cdk.out. */
const synthesiseBundles = async () => {
  const { synthesiseCode } = await import('../aws/synth.ts');
  say('Synthesising the AWS stack into cdk.out.');
  return synthesiseCode(resolve('cdk.out'));
};

const main = async (): Promise<number> => {
  const options = readOptions();
  const ownList =
    options.file === undefined ? undefined : await readList(resolve(options.file), undefined, process);
  // Lists and keystores are stored in this folder: nobody else may read them.
  process.umask(0o077);
  await prepareDataFolder(options.data);
  await using running = new AsyncDisposableStack();
  const standIn =
    options.mixin === undefined
      ? running.adopt(await startMixinStandIn({ dataDir: join(options.data, 'mixin') }), (it) => it.stop())
      : undefined;
  const mixinUrl = options.mixin ?? standIn?.url ?? '';
  const logFile = join(options.data, 'enlist.log');
  const bundles = options.bundled ? await synthesiseBundles() : undefined;
  const stack = running.adopt(
    await startEmbeddedStack({
      dataDir: options.data,
      mixinUrl,
      log: (line) => appendFileSync(logFile, `${line}\n`),
      ...(bundles && { bundles }),
      ...(options.port !== undefined && { port: options.port }),
    }),
    (it) => it.stop(),
  );
  const list = ownList ?? (await readDemoList(standIn as MixinStandIn, options));
  introduce(options, stack, mixinUrl, list);
  const code = await runBatch(stack, () => readLedger(standIn, mixinUrl), list, options);
  if (!options.once) {
    say('Enlist keeps running and tries waiting bots again. Press Ctrl-C to stop; the next start continues.');
    await waitForSignal();
  }
  return code;
};

const reportError = (thrown: unknown): number => {
  // What failed first counts, and not what then failed while everything was stopped.
  const error: unknown = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
  // Commander has printed its own errors, and the help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (isAbort(error)) return exitCodes.interrupted;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof UsageError ? exitCodes.usage : exitCodes.refused;
};

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = reportError(error);
}
