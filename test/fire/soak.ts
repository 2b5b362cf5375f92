/**
 * The soak: thousands of bots of every fate, a Mixin that has trouble of every kind with one call in twenty, and a
 * power cut in the middle. Emulators and functions run in processes of their own, so that the memory that is
 * watched is the functions' alone.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { countKeys } from '../../infra/local/custody.ts';
import { createDemoList } from '../../infra/local/demo.ts';
import { type Growth, growthOf } from './soak/growth.ts';
import { botsOf, disowned, type Listed, misled, readLedger } from './soak/reckoning.ts';
import { type Batch, Stack } from './soak/stack.ts';

const post = 'POST';

/**
 * Every trouble that passes by itself. A Mixin that lies is for hostile-mixin.ts; one that answers 429 to a PIN has
 * locked the account for a day, and the world has such bots already.
 */
const troubles: readonly Fault[] = [
  { name: 'request_lost' },
  { name: 'rate_limited', method: 'GET' },
  { name: 'server_error' },
  { name: 'server_error', effect: true },
  { name: 'empty_body', effect: true },
  { name: 'html' },
  { name: 'redirect', effect: true },
  { name: 'answer_lost' },
  { name: 'slow_body', delayMs: 300 },
  { name: 'wrong_request_id' },
  { name: 'slow', delayMs: 1_000 },
  { name: 'clock_skew', delayMs: 600_000 },
  { name: 'lagging_reads', delayMs: 3_000, method: post },
  { name: 'spend_key_hidden' },
];

/** Each kind as often as the others, all of them together with this share of the calls. */
const troublesAt = (share: number): readonly Fault[] =>
  troubles.map((fault) => ({ ...fault, rate: share / troubles.length }));

/** More rows make a list that is too large for one request. */
const ROWS_OF_A_LIST = 5_000;

const makeLists = async (standIn: MixinStandIn, bots: number): Promise<readonly Listed[]> => {
  const lists: Listed[] = [];
  for (let rest = bots; rest > 0; rest -= ROWS_OF_A_LIST)
    lists.push(await createDemoList(standIn, Math.min(rest, ROWS_OF_A_LIST)));
  return lists;
};

/** One network user for so many bots. */
const BOTS_PER_USER = 100;

/** Network users with an owner each, so that the ledger tells who was paid for twice. */
const makeOwners = async (standIn: MixinStandIn, bots: number) => {
  const owners = [];
  for (let i = 0; i < bots; i += BOTS_PER_USER) owners.push((await standIn.createUser()).keystore);
  const users = owners.map(({ app_id }, i) => ({ owner: app_id, full_name: `Wallet ${i + 1}` }));
  return { owners, users };
};

export interface SoakFigures {
  readonly bots: number;
  readonly network_users: number;
  /** Until the last one was at rest; whose message was lost waits a quarter of an hour for the sweep. */
  readonly minutes: number;
  /** Until 99 of 100 were. */
  readonly minutes_to_99_percent: number;
  /** By then. */
  readonly bots_per_minute: number;
  /** Calls that Mixin saw, and how many of them met trouble. */
  readonly calls: number;
  readonly struck: number;
  /** Messages that the dead process had received. */
  readonly released: number;
  readonly keys_bound: number;
  readonly keys_lost: number;
  readonly double_keys: number;
  readonly double_paid_calls: number;
  readonly unexpected_5xx: number;
  /** Bots whose end is not their fate, a sentence each. */
  readonly misled: readonly string[];
  /** Error lines of the functions' log. */
  readonly errors: readonly string[];
  /** Memory of the functions' process over the second half of its life after the cut. */
  readonly growth: Growth;
}

export interface SoakOptions {
  readonly bots: number;
  /** Which part of the calls to Mixin meets trouble. @default 0.05 */
  readonly share?: number;
  readonly say?: (line: string) => void;
  /** Everything must have come to rest after so many minutes. @default 240 */
  readonly patienceMinutes?: number;
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
const minutesSince = (startedMs: number) => (Date.now() - startedMs) / 60_000;
const round = (value: number) => Math.round(value * 10) / 10;

interface Watch {
  readonly stack: Stack;
  readonly batches: readonly string[];
  readonly say: (line: string) => void;
  readonly deadlineMs: number;
}

const LOOK_MS = 3_000;
/** Whoever waits is retried so often, as an operator would who cannot wait; a locked PIN stays as it is. */
const RETRY_MS = 60_000;

const readAll = ({ stack, batches }: Watch): Promise<readonly Batch[]> =>
  Promise.all(batches.map((batch_id) => stack.readBatch(batch_id)));

const retryAll = async ({ stack, batches }: Watch, ...states: readonly string[]): Promise<void> => {
  for (const batch_id of batches) await stack.retry(batch_id, states);
};

/** Looks on until so many bots are at rest. */
const untilAtRest = async (watch: Watch, goal: number): Promise<void> => {
  let retriedMs = Date.now();
  for (let told = -1; ; await sleep(LOOK_MS)) {
    const batches = await readAll(watch);
    const resting = sum(batches.map(({ finished }) => finished));
    if (resting !== told) watch.say(`${resting} of ${goal} at rest`);
    told = resting;
    if (resting >= goal) return;
    if (Date.now() > watch.deadlineMs)
      throw new Error(`only ${resting} of ${goal} bots came to rest in time`);
    if (Date.now() - retriedMs < RETRY_MS || batches.some(({ status }) => status !== 'imported')) continue;
    await retryAll(watch, 'waiting');
    retriedMs = Date.now();
  }
};

/** Waits until the list is read and its cost can be accepted. */
const untilPlanned = async ({ stack }: Watch, batch_id: string): Promise<void> => {
  while ((await stack.readBatch(batch_id)).status !== 'planned') await sleep(500);
};

/** The power is cut when half of the bots are at rest, and comes back at once. */
const cutInTheMiddle = async (watch: Watch, bots: number): Promise<number> => {
  const { stack, say } = watch;
  await untilAtRest(watch, Math.floor(bots / 2));
  await stack.cutPower();
  say('The power is cut.');
  const cutMs = Date.now();
  await stack.start();
  say(`It runs again; the dead process had received ${stack.released} messages.`);
  return cutMs;
};

/** The owners are listed with their users, and the cost is accepted. */
const createUsers = async (watch: Watch, made: Awaited<ReturnType<typeof makeOwners>>): Promise<void> => {
  const { stack, say } = watch;
  const { owners, users } = made;
  say(`${owners.length} owners list a user each.`);
  const batch_id = await stack.upload(JSON.stringify([...owners, ...users]));
  await untilPlanned(watch, batch_id);
  await stack.ask('POST', `/batches/${batch_id}/confirm`, JSON.stringify({ accept_cost_usd: users.length }));
  await untilAtRest({ ...watch, batches: [batch_id] }, owners.length + users.length);
};

/** In memory where that can be: a killed process loses nothing there either, and nobody waits for the disk. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A stand-in with all accounts, and the stack over it. */
const open = async (bots: number, into: AsyncDisposableStack) => {
  const folder = mkdtempSync(join(ROOT, 'enlist-soak-'));
  into.defer(() => rmSync(folder, { recursive: true, force: true }));
  const standIn = await startMixinStandIn({ dataDir: join(folder, 'mixin') });
  into.defer(() => standIn.stop());
  const lists = await makeLists(standIn, bots);
  const made = await makeOwners(standIn, bots);
  const stack = new Stack(join(folder, 'stack'), standIn.url);
  await stack.start();
  into.defer(() => stack.stop());
  return { standIn, lists, made, stack };
};

/** Runs the soak to its end. */
export const soak = async (options: SoakOptions): Promise<SoakFigures> => {
  const { bots, share = 0.05, say = () => undefined, patienceMinutes = 240 } = options;
  await using opened = new AsyncDisposableStack();
  const { standIn, lists, made, stack } = await open(bots, opened);
  standIn.setFaults(troublesAt(share));

  const startedMs = Date.now();
  const batches: string[] = [];
  const watch = { stack, batches, say, deadlineMs: startedMs + patienceMinutes * 60_000 };
  for (const { list } of lists) batches.push(await stack.upload(list));
  const all = lists.flatMap(botsOf);
  // A locked PIN is waited for longer than this lasts.
  const restful = all.filter(({ outcome }) => outcome !== 'waiting').length;
  const cutMs = await cutInTheMiddle(watch, restful);
  await untilAtRest(watch, Math.floor(restful * 0.99));
  const most = minutesSince(startedMs);
  await untilAtRest(watch, restful);
  const minutes = minutesSince(startedMs);
  await createUsers(watch, made);

  const wronged = await disowned(stack, lists, batches, standIn.ledger());
  say('All trouble ends, and an operator retries what is not registered.');
  standIn.setFaults([]);
  // Where Mixin once did not tell a key, a bot that was in Safe before is external (docs/decisions/0010).
  await retryAll(watch, 'blocked', 'failed', 'external');
  await untilAtRest(watch, restful);
  const wrong = [...wronged, ...(await misled(stack, lists, batches))];
  await stack.rest();
  const ledger = standIn.ledger();
  const { keys_bound, keys_lost } = await countKeys(stack.environment, ledger);
  return {
    bots,
    network_users: made.users.length,
    minutes: round(minutes),
    minutes_to_99_percent: round(most),
    bots_per_minute: Math.round((restful * 0.99) / most),
    ...readLedger(ledger),
    released: stack.released,
    keys_bound: keys_bound ?? 0,
    keys_lost: keys_lost ?? 0,
    unexpected_5xx: stack.answers5xx,
    misled: wrong,
    errors: stack.errors,
    growth: growthOf(stack.samples.filter(({ atMs }) => atMs > cutMs)),
  };
};
