/** `enlist start`, which is `npm start`: Enlist on one machine, with a stand-in for Mixin or with a Mixin API. */
import { appendFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '../../cli/api-client.ts';
import type { Context } from '../../cli/context.ts';
import { isAbort, RequestError, UsageError } from '../../cli/errors.ts';
import { chooseFinalExitCode, exitCodes, findMostUrgent } from '../../cli/exit-codes.ts';
import { defaultFolders } from '../../cli/folder-target.ts';
import { createCommandFormat, quoteWord } from '../../cli/hint.ts';
import { type List, readList, sendList } from '../../cli/lists.ts';
import { formatNumber } from '../../cli/output.ts';
import { followBatch } from '../../cli/progress.ts';
import { summarizeBatch } from '../../cli/summary.ts';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import type { BatchView } from '../../lib/api/contract.ts';
import {
  type DataFolder,
  prepareDataFolder,
  readDataFolder,
  refuseOtherMixin,
  rememberList,
  STAND_IN,
} from './data-folder.ts';
import { createDemoList } from './demo.ts';
import { type EmbeddedStack, startEmbeddedStack } from './embedded-stack.ts';
import { explainFolderError } from './folder-errors.ts';
import { refuseIfLocked } from './folder-lock.ts';
import { countKeys, type KeyCounts } from './key-counts.ts';
import { checkMixin } from './mixin-check.ts';

export interface StartOptions {
  readonly file?: string | undefined;
  readonly mixin?: string;
  readonly data?: string;
  readonly once?: true;
  readonly acceptCost?: number;
  readonly bots: number;
  readonly port?: number;
  readonly bundled?: true;
}

const [DEFAULT_FOLDER, DEMO_FOLDER] = defaultFolders;

/** What a start is to do. */
interface Plan {
  readonly folder: string;
  /** URL of Mixin, or STAND_IN. */
  readonly mixin: string;
  /** As the user called it. Without one, the lists that the folder names are followed. */
  readonly file: string | undefined;
  /** The folder was used with this Mixin before. */
  readonly isResumed: boolean;
  readonly found: DataFolder | undefined;
}

const normaliseUrl = (text: string): string => new URL(text).href.replace(/\/+$/, '');

/** Changes nothing. Throws UsageError, and RequestError when the folder belongs to another Mixin. */
const makePlan = async ({ file, mixin: given, data }: StartOptions): Promise<Plan> => {
  const isDemo = file === undefined && given === undefined;
  const folder = resolve(data ?? (isDemo ? DEMO_FOLDER : DEFAULT_FOLDER));
  const found = await readDataFolder(folder);
  const mixin = given === undefined ? (found?.mixin ?? STAND_IN) : normaliseUrl(given);
  refuseOtherMixin(folder, found, mixin);
  if (file !== undefined && mixin === STAND_IN) {
    if (found?.mixin === undefined)
      throw new UsageError('Give --mixin URL with FILE, such as https://api.mixin.one.');
    refuseOtherMixin(folder, found, 'the Mixin of FILE');
  }
  if (file === undefined && mixin !== STAND_IN && found?.mixin === undefined)
    throw new UsageError(`Give FILE with --mixin: ${folder} has no list to go on with.`);
  // Rows without a Mixin come from a version that did not name it.
  if (isDemo && found && found.mixin === undefined)
    throw new UsageError(
      `${folder} does not say which Mixin it belongs to: give --mixin URL and FILE once more.`,
    );
  return { folder, mixin, file, isResumed: found?.mixin === mixin, found };
};

/** Throws when something else than Mixin answers, or nothing at the first start. Says so when nothing answers later. */
const askMixin = async ({ folder, mixin, isResumed }: Plan, say: Say): Promise<void> => {
  if (mixin === STAND_IN) return;
  const finding = await checkMixin(mixin);
  if (!finding) return;
  if (finding.code === 'not_mixin' || !isResumed)
    throw new RequestError(`${finding.message} Nothing was uploaded, and ${folder} is unchanged.`);
  say(`${finding.message} The bots of ${folder} wait until it answers.`);
};

type Say = (line?: string) => void;

/** The list of the test bots is a file, written whole or not at all; a later start uses the same file. */
const readDemoList = async (standIn: MixinStandIn, folder: string, bots: number): Promise<List> => {
  const path = join(folder, 'list.json');
  if (!existsSync(path)) {
    const { list, outcomes } = await createDemoList(standIn, bots);
    writeFileSync(join(folder, 'outcomes.json'), JSON.stringify(outcomes));
    writeFileSync(`${path}.new`, list, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return readList(path, undefined, process);
};

const describeStart = ({ data }: StartOptions, { mixin }: Plan): string =>
  data === undefined && mixin === STAND_IN
    ? 'npm start'
    : `npm start -- --data ${quoteWord(data ?? DEFAULT_FOLDER)}`;

const introduce = ({ folder, mixin }: Plan, stack: EmbeddedStack, mixinUrl: string, say: Say) => {
  say(
    `Enlist is running. HTTP API: ${stack.url}   Mixin: ${mixinUrl}${mixin === STAND_IN ? ' (stand-in)' : ''}`,
  );
  if (mixin === STAND_IN) return;
  say(`Private keys are stored as plain files (mode 0600) in ${join(folder, 'secrets')}.`);
  say('Keep that folder safe and make backups: a lost key cannot be replaced.');
};

/** Reading a folder of many bots takes a while, in which the API answers already. */
const MANY_BOTS = 1_000;

const announceReading = async (folder: string, url: string, say: Say): Promise<void> => {
  const names = await readdir(join(folder, 'secrets')).catch(() => []);
  if (names.length < MANY_BOTS) return;
  say(`Reading ${formatNumber(names.length)} bots from ${folder}. The API answers already: ${url}`);
};

/** Uploads the list, where there is one, and names the batches to follow. */
const uploadList = async (api: ApiClient, { folder, found }: Plan, list: List | undefined, say: Say) => {
  const remembered = found?.lists ?? [];
  if (!list) {
    for (const { file } of remembered) say(`Going on with the list: ${file}`);
    return remembered.map(({ batch_id }) => batch_id);
  }
  say(`List: ${list.file}`);
  if (list.note !== undefined) say(list.note);
  const { batch_id } = await sendList(api, list);
  await rememberList(folder, batch_id, list.file);
  return [batch_id];
};

/** In one sentence that adds up, for as long as the vault has no keys of other lists. */
const describeKeys = ({ keys_stored, keys_bound, keys_lost }: KeyCounts, registered: number): string => {
  const others = keys_stored - registered;
  const parts =
    others < 0 ? '' : `: ${registered} of registered bots, ${others} of bots that are not registered yet`;
  const stored = `Keys: ${keys_stored} in the vault${parts}.`;
  if (keys_bound === null || keys_lost === null) return stored;
  return `${stored} Enlist set ${keys_bound - keys_lost} of them at Mixin. Lost keys: ${keys_lost}.`;
};

interface Run {
  readonly options: StartOptions;
  readonly plan: Plan;
  readonly stack: EmbeddedStack;
  readonly standIn: MixinStandIn | undefined;
  readonly context: Context;
  readonly signal: AbortSignal;
  readonly say: Say;
}

/** Follows the batch to its end; where its cost is accepted on the command line, through its plan too. */
const followToEnd = async ({ options, context, signal }: Run, api: ApiClient, batch_id: string) => {
  const follow = () => followBatch(api, batch_id, context.terminal.stderr, signal, { hasAnswered: true });
  const batch = await follow();
  if (batch.status !== 'planned' || options.acceptCost === undefined) return batch;
  await api.confirmBatch(batch_id, options.acceptCost);
  return follow();
};

/** Prints how the batches ended, and returns the exit code, as `enlist watch` does. */
const report = async (run: Run, api: ApiClient, batches: readonly BatchView[], seconds: number) => {
  const { options, plan, stack, standIn, context, say } = run;
  const data = options.data ?? (plan.mixin === STAND_IN ? DEMO_FOLDER : DEFAULT_FOLDER);
  const formatCommand = createCommandFormat(context.terminal, { data });
  if (batches.reduce((sum, { accepted }) => sum + accepted, 0) >= MANY_BOTS)
    say('All is done. Counting the keys in the vault for the summary.');
  const keys = await countKeys(stack.environment, standIn?.ledger());
  const codes: number[] = [];
  for (const batch of batches) {
    say();
    for (const line of await summarizeBatch(api, batch, formatCommand)) say(line);
    if (batch.status === 'planned' && options.once)
      say('Nothing was done. To accept the cost, start again with --accept-cost USD.');
    codes.push(await chooseFinalExitCode(api, batch));
    const { batch_id, total, invalid, duplicates, states } = batch;
    context.output.writeJson({ batch_id, total, invalid, duplicates, states, seconds, ...keys });
  }
  say(
    describeKeys(
      keys,
      batches.reduce((sum, { states }) => sum + states.registered, 0),
    ),
  );
  say(
    `Keystores: ${join(plan.folder, 'secrets')}   Log: ${join(plan.folder, 'enlist.log')}   Time: ${seconds} s`,
  );
  return (keys.keys_lost ?? 0) > 0 ? exitCodes.actionNeeded : findMostUrgent(codes);
};

/** Uploads and follows the list, or follows the lists that the folder names. Returns the exit code. */
const runLists = async (run: Run, list: List | undefined): Promise<number> => {
  const startedAt = performance.now();
  const api = createApiClient(run.stack.url, { signal: run.signal });
  const ids = await uploadList(api, run.plan, list, run.say);
  if (ids.length === 0) {
    run.say(
      'This folder names no list to follow; its bots go on all the same. To add a list, give its FILE.',
    );
    return exitCodes.done;
  }
  const batches: BatchView[] = [];
  for (const id of ids) batches.push(await followToEnd(run, api, id));
  return report(run, api, batches, Math.round((performance.now() - startedAt) / 100) / 10);
};

/** The code that a deployment would upload, from the assembly in cdk.out. */
const synthesiseBundles = async (say: Say) => {
  const { synthesiseCode } = await import('../aws/synth.ts');
  say('Synthesising the AWS stack into cdk.out.');
  return synthesiseCode(resolve('cdk.out'));
};

const waitForAbort = (signal: AbortSignal): Promise<void> =>
  new Promise((end) => {
    if (signal.aborted) end();
    else signal.addEventListener('abort', () => end(), { once: true });
  });

/** Ends the whole run with an error of the disk, wherever it is met first. */
const watchForFailure = (folder: string) => {
  const failure = new AbortController();
  const fail = (error: unknown) => failure.abort(explainFolderError(error, folder));
  process.on('uncaughtException', fail);
  const logFile = join(folder, 'enlist.log');
  return {
    signal: failure.signal,
    log: (line: string) => {
      try {
        appendFileSync(logFile, `${line}\n`);
      } catch (error) {
        fail(error);
      }
    },
    [Symbol.dispose]: () => void process.off('uncaughtException', fail),
  };
};

/** What is broken may not be able to stop. */
const STOP_AFTER_FAILURE_MS = 5_000;

const runPlan = async (
  options: StartOptions,
  plan: Plan,
  list: List | undefined,
  context: Context,
  say: Say,
) => {
  const { folder, mixin } = plan;
  await prepareDataFolder(folder, mixin);
  using failure = watchForFailure(folder);
  const running = new AsyncDisposableStack();
  const work = async (): Promise<number> => {
    const standIn =
      mixin === STAND_IN
        ? running.adopt(await startMixinStandIn({ dataDir: join(folder, 'mixin') }), (it) => it.stop())
        : undefined;
    const mixinUrl = standIn?.url ?? mixin;
    const bundles = options.bundled ? await synthesiseBundles(say) : undefined;
    const stack = running.adopt(
      await startEmbeddedStack({
        dataDir: folder,
        mixinUrl,
        log: failure.log,
        onListening: (url) => announceReading(folder, url, say),
        ...(bundles && { bundles }),
        ...(options.port !== undefined && { port: options.port }),
      }),
      (it) => it.stop(),
    );
    introduce(plan, stack, mixinUrl, say);
    const signal = AbortSignal.any([context.signal, failure.signal]);
    const used = standIn ? await readDemoList(standIn, folder, options.bots) : list;
    const code = await runLists({ options, plan, stack, standIn, context, signal, say }, used);
    if (options.once || signal.aborted) return code;
    say('Enlist keeps running and tries waiting bots again. Press Ctrl-C to stop; the next start continues.');
    await waitForAbort(signal);
    return code;
  };
  const failed = waitForAbort(failure.signal).then(() => Promise.reject(failure.signal.reason));
  try {
    return await Promise.race([work(), failed]);
  } finally {
    const stop = running.disposeAsync();
    await (failure.signal.aborted
      ? Promise.race([stop.catch(() => undefined), sleep(STOP_AFTER_FAILURE_MS)])
      : stop);
  }
};

/** Runs until the lists are finished (--once) or Ctrl-C, and returns the exit code. */
export const startLocally = async (options: StartOptions, context: Context): Promise<number> => {
  const { output, signal } = context;
  const say: Say = (line = '') => (output.isJson ? output.writeNote(line) : output.writeLine(line));
  const plan = await makePlan(options).catch((error: unknown) => {
    throw explainFolderError(error, resolve(options.data ?? DEFAULT_FOLDER));
  });
  const { folder, found } = plan;
  try {
    const list =
      options.file === undefined ? undefined : await readList(resolve(options.file), undefined, process);
    if (options.once && !list && plan.mixin !== STAND_IN && !found?.lists)
      throw new UsageError(`${folder} names no list to go on with: give FILE.`);
    await refuseIfLocked(folder);
    await askMixin(plan, say);
    // Lists and keystores are stored in this folder: nobody else may read them.
    process.umask(0o077);
    const code = await runPlan(options, plan, list, context, say);
    if (signal.aborted)
      output.writeNote(`Stopped; nothing is lost. Go on with:  ${describeStart(options, plan)}`);
    return code;
  } catch (thrown) {
    // What failed first counts, and not what then failed while everything was stopped.
    const error: unknown = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
    if (isAbort(error) && signal.aborted) {
      output.writeNote(`Stopped; nothing is lost. Go on with:  ${describeStart(options, plan)}`);
      return exitCodes.interrupted;
    }
    throw explainFolderError(error, folder);
  }
};
