/** `npm start`: Enlist on one machine, with a stand-in of Mixin or against a real one. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createApiClient } from '../../cli/api-client.ts';
import { followBatch } from '../../cli/progress.ts';
import { summaryLines } from '../../cli/summary.ts';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { findContentType, listEndings } from '../../lib/lists/formats.ts';
import { type Custody, countCustody, fetchLedger, type Ledger } from './custody.ts';
import { makeWorld } from './demo.ts';
import { type House, startHouse } from './embedded-stack.ts';

const help = `Enlist on this machine: brings every bot of a list into Mixin Safe.

  npm start                                a stand-in Mixin with 300 bots of every fate
  npm start -- FILE --mixin URL            a list of your own (.json, .jsonl, .csv or .zip) against a Mixin endpoint

  --data DIR    where everything is kept: rows, queues, keystores    (default: data)
  --once        end when all bots have come to rest
  --json        end with the summary as one JSON object on the last line
  --accept-cost USD   accepts that the network users of the list cost so much; without it such a list waits
  --bots N      size of the stand-in world                           (default: 300)
  --port N      port of the HTTP API on 127.0.0.1                    (default: any)
  --bundled     synthesise the AWS stack and run its bundles in place of the sources
`;

/** A wrong call: its sentence is all the user needs. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

const wholeNumber = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`--${name} takes a whole number`);
  return Number(text);
};

const dollars = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  if (!/^\d{1,7}(\.\d{1,2})?$/.test(text))
    throw new UsageError('--accept-cost takes US dollars, such as 1.50');
  return Number(text);
};

const readOptions = (args: readonly string[]) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      data: { type: 'string', default: 'data' },
      mixin: { type: 'string' },
      bots: { type: 'string' },
      'accept-cost': { type: 'string' },
      port: { type: 'string' },
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      bundled: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [file, ...more] = positionals;
  if (more.length > 0) throw new UsageError('only one FILE can be given');
  if (values.mixin !== undefined && !URL.canParse(values.mixin)) throw new UsageError('--mixin takes a URL');
  if ((file === undefined) !== (values.mixin === undefined)) {
    throw new UsageError('FILE and --mixin URL go together; without both a stand-in world is made');
  }
  return {
    ...values,
    file,
    data: resolve(values.data),
    bots: wholeNumber('bots', values.bots) ?? 300,
    acceptCostUsd: dollars(values['accept-cost']),
    port: wholeNumber('port', values.port),
  };
};
type Options = ReturnType<typeof readOptions>;

const say = (line = '') => process.stdout.write(`${line}\n`);

interface List {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly path: string;
}

const readList = (path: string): List => {
  const contentType = findContentType(path);
  if (contentType === undefined) throw new UsageError(`the list must end in ${listEndings}`);
  try {
    return { body: readFileSync(path), contentType, path };
  } catch {
    throw new UsageError(`the list ${path} cannot be read`);
  }
};

/** The world's list lies in a file, whole or not at all; a later start goes on with the same. */
const worldList = async (standIn: MixinStandIn, { data, bots }: Options): Promise<List> => {
  const path = join(data, 'list.json');
  if (!existsSync(path)) {
    const world = await makeWorld(standIn, bots);
    writeFileSync(join(data, 'fates.json'), JSON.stringify(world.fates));
    writeFileSync(`${path}.new`, world.list, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return readList(path);
};

const introduce = (options: Options, house: House, mixinUrl: string, list: List) => {
  say(`Enlist is running. HTTP API: ${house.url}   Mixin: ${mixinUrl}${options.mixin ? '' : ' (stand-in)'}`);
  say(`List: ${list.path}`);
  if (options.mixin) {
    say(`Mind: private keys will lie as plain files (mode 0600) in ${join(options.data, 'secrets')}.`);
    say('Keep that folder safe and backed up: a key that is lost cannot be replaced.');
  }
};

/** What Mixin has bound, where a stand-in can tell: our own, or one that runs on this machine. */
const readLedger = async (standIn: MixinStandIn | undefined, mixinUrl: string): Promise<Ledger> => {
  if (standIn) return standIn.ledger();
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(new URL(mixinUrl).hostname)) return undefined;
  return fetchLedger(mixinUrl);
};

const custodyLine = ({ keys_stored, keys_bound, keys_lost }: Custody) =>
  keys_bound === null
    ? `Keys: ${keys_stored} in the vault.`
    : `Keys: ${keys_stored} in the vault, ${keys_bound} bound by Mixin, ${keys_lost} lost.`;

const untilInterrupted = () =>
  new Promise<void>((end) => {
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });

/** Uploads the list, follows it, and tells how it ended; the exit code. */
const runBatch = async (house: House, ledger: () => Promise<Ledger>, list: List, options: Options) => {
  const startedAt = performance.now();
  const api = createApiClient(house.url);
  const idempotencyKey = createHash('sha256').update(list.body).digest('hex');
  const batch_id = await api.createBatch(list.body, list.contentType, idempotencyKey);
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once('SIGINT', interrupt);
  const follow = () => followBatch(api, batch_id, process.stderr, abort.signal);
  let batch = await follow();
  if (batch.status === 'planned' && options.acceptCostUsd !== undefined) {
    await api.confirmBatch(batch_id, options.acceptCostUsd);
    batch = await follow();
  }
  process.off('SIGINT', interrupt);
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const custody = await countCustody(house.environment, await ledger());
  say();
  for (const line of await summaryLines(api, batch)) say(line);
  if (batch.status === 'planned' && options.once) say('Nothing was done. Start again with --accept-cost.');
  say(custodyLine(custody));
  say(
    `Keystores: ${join(options.data, 'secrets')}   Log: ${join(options.data, 'enlist.log')}   ${seconds} s`,
  );
  if (options.json) {
    const { total, invalid, duplicates, states } = batch;
    say(JSON.stringify({ batch_id, total, invalid, duplicates, states, seconds, ...custody }));
  }
  if (batch.status === 'planned' && options.once) return 6;
  return batch.status === 'rejected' || (custody.keys_lost ?? 0) > 0 ? 1 : 0;
};

/** The code that a deployment would upload, from the assembly in cdk.out. */
const synthesiseBundles = async () => {
  const { synthesiseCode } = await import('../aws/synth.ts');
  say('Synthesising the AWS stack into cdk.out.');
  return synthesiseCode(resolve('cdk.out'));
};

const main = async (): Promise<number> => {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const given = options.file === undefined ? undefined : readList(resolve(options.file));
  // Lists and keystores lie in this folder: nobody else's eyes.
  process.umask(0o077);
  mkdirSync(options.data, { recursive: true, mode: 0o700 });
  await using running = new AsyncDisposableStack();
  const standIn =
    options.mixin === undefined
      ? running.adopt(await startMixinStandIn({ dataDir: join(options.data, 'mixin') }), (it) => it.stop())
      : undefined;
  const mixinUrl = options.mixin ?? standIn?.url ?? '';
  const logFile = join(options.data, 'enlist.log');
  const bundles = options.bundled ? await synthesiseBundles() : undefined;
  const house = running.adopt(
    await startHouse({
      dataDir: options.data,
      mixinUrl,
      log: (line) => appendFileSync(logFile, `${line}\n`),
      ...(bundles && { bundles }),
      ...(options.port !== undefined && { port: options.port }),
    }),
    (it) => it.stop(),
  );
  const list = given ?? (await worldList(standIn as MixinStandIn, options));
  introduce(options, house, mixinUrl, list);
  const code = await runBatch(house, () => readLedger(standIn, mixinUrl), list, options);
  if (!options.once) {
    say('Waiting bots are looked at again as long as this runs. Ctrl-C ends it; the next start goes on.');
    await untilInterrupted();
  }
  return code;
};

try {
  process.exitCode = await main();
} catch (error) {
  const misspelt =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const interrupted = error instanceof Error && error.name === 'AbortError';
  if (!interrupted) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (misspelt) process.stderr.write(`\n${help}`);
  process.exitCode = interrupted ? 130 : 1;
}
