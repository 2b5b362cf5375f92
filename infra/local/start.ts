/** `npm start`: Enlist on one machine, with a stand-in for Mixin or with a Mixin API. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommanderError, InvalidArgumentError } from 'commander';
import { createApiClient } from '../../cli/api-client.ts';
import { followBatch } from '../../cli/progress.ts';
import { summarizeBatch } from '../../cli/summary.ts';
import { createCommand, parsePort } from '../../emulators/command-line.ts';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { findContentType, listEndings } from '../../lib/lists/formats.ts';
import { countKeys, fetchLedger, type KeyCounts, type Ledger } from './custody.ts';
import { DataFolderError, prepareDataFolder } from './data-folder.ts';
import { createDemoList } from './demo.ts';
import { type EmbeddedStack, startEmbeddedStack } from './embedded-stack.ts';

/** As those of `enlist`. */
const exitCodes = { usage: 1, failed: 1, refused: 2, planned: 6, interrupted: 130 } as const;

/** A wrong call: its sentence is all the user needs. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

const parseCount = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
};

const parseDollars = (text: string): number => {
  if (!/^\d{1,7}(\.\d{1,2})?$/.test(text))
    throw new InvalidArgumentError('It takes US dollars, such as 1.50.');
  return Number(text);
};

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
  .argument('[FILE]', 'list of bots: .json, .jsonl, .ndjson, .csv or .zip')
  .option('--mixin <URL>', 'Mixin API to use for FILE', parseUrl)
  .option('--data <DIR>', 'folder for rows, queues and private keys', 'data')
  .option('--once', 'stop when all bots are finished or have a long wait')
  .option('--json', 'print the summary as JSON on the last line')
  .option('--accept-cost <USD>', 'accept this price for the network users of the list', parseDollars)
  .option('--bots <N>', 'number of test bots', parseCount, 300)
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

interface List {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly path: string;
}

const readList = (path: string): List => {
  const contentType = findContentType(path);
  if (contentType === undefined) throw new UsageError(`Not a list: ${path}. Expected ${listEndings}.`);
  try {
    return { body: readFileSync(path), contentType, path };
  } catch {
    throw new UsageError(`Cannot read the list ${path}.`);
  }
};

/** The list of the test bots is a file, written whole or not at all; a later start uses the same file. */
const readDemoList = async (standIn: MixinStandIn, { data, bots }: Options): Promise<List> => {
  const path = join(data, 'list.json');
  if (!existsSync(path)) {
    const { list, outcomes } = await createDemoList(standIn, bots);
    writeFileSync(join(data, 'outcomes.json'), JSON.stringify(outcomes));
    writeFileSync(`${path}.new`, list, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return readList(path);
};

const introduce = ({ mixin, data }: Options, stack: EmbeddedStack, mixinUrl: string, list: List) => {
  say(`Enlist is running. HTTP API: ${stack.url}   Mixin: ${mixinUrl}${mixin ? '' : ' (stand-in)'}`);
  say(`List: ${list.path}`);
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

const describeKeys = ({ keys_stored, keys_bound, keys_lost }: KeyCounts) =>
  keys_bound === null
    ? `Keys: ${keys_stored} in the vault.`
    : `Keys: ${keys_stored} in the vault; ${keys_bound} set at Mixin, ${keys_lost} of them lost.`;

const waitForSignal = () =>
  new Promise<void>((end) => {
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });

/** Uploads the list, follows it to its end, and prints the summary. Returns the exit code. */
const runBatch = async (
  stack: EmbeddedStack,
  ledger: () => Promise<Ledger>,
  list: List,
  options: Options,
) => {
  const startedAt = performance.now();
  const api = createApiClient(stack.url);
  const idempotencyKey = createHash('sha256').update(list.body).digest('hex');
  const batch_id = await api.createBatch(list.body, list.contentType, idempotencyKey);
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
  for (const line of await summarizeBatch(api, batch)) say(line);
  if (isPlanned) say('Nothing was done. To accept the cost, start again with --accept-cost USD.');
  say(describeKeys(keys));
  say(
    `Keystores: ${join(options.data, 'secrets')}   Log: ${join(options.data, 'enlist.log')}   ${seconds} s`,
  );
  if (options.json) {
    const { total, invalid, duplicates, states } = batch;
    say(JSON.stringify({ batch_id, total, invalid, duplicates, states, seconds, ...keys }));
  }
  if (isPlanned) return exitCodes.planned;
  return batch.status === 'rejected' || (keys.keys_lost ?? 0) > 0 ? exitCodes.failed : 0;
};

/** The code that a deployment would upload, from the assembly in cdk.out. */
const synthesiseBundles = async () => {
  const { synthesiseCode } = await import('../aws/synth.ts');
  say('Synthesising the AWS stack into cdk.out.');
  return synthesiseCode(resolve('cdk.out'));
};

const main = async (): Promise<number> => {
  const options = readOptions();
  const ownList = options.file === undefined ? undefined : readList(resolve(options.file));
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

const chooseExitCode = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof Error && error.name === 'AbortError') return exitCodes.interrupted;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof DataFolderError ? exitCodes.refused : exitCodes.failed;
};

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = chooseExitCode(error);
}
