/**
 * The soak: thousands of bots of every fate, a Mixin that has trouble of every kind with one call in twenty, and a
 * power cut in the middle. Emulators and functions run in processes of their own, so that
 * the memory that is watched is the functions' alone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { countCustody } from '../../infra/local/custody.ts';
import { type Fault, type MixinStandIn, startMixinStandIn } from '../../infra/local/mixin/server.ts';
import { type Fate, makeWorld } from '../../infra/local/world.ts';
import type { Environment } from '../../lib/config.ts';
import {
  type Child,
  type Sample,
  startEmulatorsApart,
  startFunctionsApart,
  type Told,
} from './soak/children.ts';
import { type Growth, growthOf } from './soak/growth.ts';

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

interface Listed {
  readonly list: string;
  readonly fates: readonly { readonly app_id: string; readonly ends: Fate }[];
}

const makeWorlds = async (standIn: MixinStandIn, bots: number): Promise<readonly Listed[]> => {
  const lists: Listed[] = [];
  for (let rest = bots; rest > 0; rest -= ROWS_OF_A_LIST)
    lists.push(await makeWorld(standIn, Math.min(rest, ROWS_OF_A_LIST)));
  return lists;
};

/** An owner each, so that the ledger tells whose user was paid for. */
const makeOwners = async (standIn: MixinStandIn, count: number) => {
  const owners = [];
  for (let i = 0; i < count; i += 1) owners.push((await standIn.createUser()).keystore);
  const users = owners.map(({ app_id }, i) => ({ owner: app_id, full_name: `Wallet ${i + 1}` }));
  return { owners, users };
};

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Batch {
  readonly status: string;
  readonly states: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly elsewhere: number;
  readonly at_rest: number;
  readonly invalid: number;
  readonly duplicates: number;
}

interface Bot {
  readonly user_id: string;
  readonly state: string;
  readonly enrolment?: unknown;
  readonly reason?: { readonly code: string };
}

/** The embedded stack in two processes, which can be cut off and started again. */
class Stack {
  readonly samples: Sample[] = [];
  readonly errors: string[] = [];
  answers5xx = 0;
  released = 0;
  environment: Environment = {};
  readonly #dataDir: string;
  readonly #mixinUrl: string;
  #url = '';
  #children: Child[] = [];

  constructor(dataDir: string, mixinUrl: string) {
    this.#dataDir = dataDir;
    this.#mixinUrl = mixinUrl;
  }

  async start(): Promise<void> {
    const emulators = await startEmulatorsApart(this.#dataDir);
    this.released += emulators.first.released;
    this.environment = { ...emulators.first.environment, MIXIN_URL: this.#mixinUrl };
    const functions = await startFunctionsApart(this.environment, (told) => this.#hear(told));
    this.#url = functions.first.url;
    this.#children = [functions, emulators];
  }

  #hear(told: Told): void {
    if (told.kind === 'sample') this.samples.push(told);
    if (told.kind === 'line') this.errors.push(told.line);
  }

  /** SIGKILL, both at once. */
  async cutPower(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()));
  }

  /** The functions end as asked; the emulators can still be looked into. */
  async rest(): Promise<void> {
    await this.#children[0]?.stop();
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await child.stop();
  }

  async ask(method: string, path: string, body?: string): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(this.#url + path, { method, ...(body !== undefined && { headers, body }) });
    if (answer.status >= 500) this.answers5xx += 1;
    return { status: answer.status, body: await answer.json() };
  }

  async upload(list: string): Promise<string> {
    const { status, body } = await this.ask(post, '/batches', list);
    if (status !== 202) throw new Error(`POST /batches answered ${status}`);
    return (body as { batch_id: string }).batch_id;
  }

  async readBatch(batch_id: string): Promise<Batch> {
    return (await this.ask('GET', `/batches/${batch_id}`)).body as Batch;
  }

  /** Every bot of a batch, or those in one state. */
  async *bots(batch_id: string, state?: string): AsyncGenerator<Bot> {
    for (let cursor = ''; ; ) {
      const query = new URLSearchParams({ ...(state && { state }), ...(cursor && { cursor }) });
      const { body } = await this.ask('GET', `/batches/${batch_id}/bots?${query}`);
      const page = body as { bots: readonly Bot[]; cursor?: string };
      yield* page.bots;
      if (page.cursor === undefined) return;
      cursor = page.cursor;
    }
  }

  /** Tries again what is in these states, and not because its PIN is locked; how many that were. */
  async retry(batch_id: string, states: readonly string[]): Promise<number> {
    let retried = 0;
    for (let cursor: string | undefined; ; ) {
      const options = JSON.stringify({ states, ...(cursor !== undefined && { cursor }) });
      const { body } = await this.ask(post, `/batches/${batch_id}/retry`, options);
      const page = body as { retried: number; cursor?: string };
      retried += page.retried;
      if (page.cursor === undefined) return retried;
      cursor = page.cursor;
    }
  }
}

const LOOK_MS = 3_000;
/** Who waits longer than the slowest bot needs is retried, as an operator would. */
const RETRY_MS = 60_000;

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

const atRest = (batches: readonly Batch[]) => sum(batches.map((batch) => batch.at_rest));
const wanted = (batches: readonly Batch[]) =>
  sum(batches.map(({ accepted, elsewhere }) => accepted - elsewhere));
const lockedIn = (lists: readonly Listed[]) =>
  sum(lists.map(({ fates }) => fates.filter(({ ends }) => ends === 'waiting').length));

interface Watch {
  readonly stack: Stack;
  readonly batches: readonly string[];
  readonly say: (line: string) => void;
}

/** Looks on until so many bots are at rest. Waiting ones are retried from time to time. */
const untilAtRest = async ({ stack, batches, say }: Watch, goal: number, deadlineMs: number) => {
  let retriedMs = Date.now();
  for (;;) {
    const seen = await Promise.all(batches.map((batch_id) => stack.readBatch(batch_id)));
    const taken = seen.every(({ status }) => status === 'taken_in');
    const resting = atRest(seen);
    say(`${resting} of ${wanted(seen)} at rest`);
    if (resting >= goal && (taken || goal < wanted(seen))) return;
    if (Date.now() > deadlineMs) throw new Error(`only ${resting} of ${goal} bots came to rest in time`);
    if (taken && Date.now() - retriedMs > RETRY_MS) {
      for (const batch_id of batches) await stack.retry(batch_id, ['waiting']);
      retriedMs = Date.now();
    }
    await sleep(LOOK_MS);
  }
};

/** Bots that are not where their fate is, by what they should be and are. */
const misled = async (stack: Stack, lists: readonly Listed[], batches: readonly string[]) => {
  const ends = new Map(
    lists.flatMap(({ fates }) =>
      fates
        .filter(({ ends: end }) => end !== 'invalid' && end !== 'duplicate')
        .map(({ app_id, ends: end }) => [app_id, end as string]),
    ),
  );
  const wrong: string[] = [];
  for (const batch_id of batches)
    for await (const bot of stack.bots(batch_id)) {
      const end = ends.get(bot.user_id);
      ends.delete(bot.user_id);
      if (end !== undefined && end !== bot.state)
        wrong.push(`${bot.user_id} should be ${end} and is ${bot.state} (${bot.reason?.code})`);
    }
  return [...wrong, ...[...ends.keys()].map((user_id) => `${user_id} has no row`)];
};

const mostOf = (counts: ReadonlyMap<string, number>, limit: number): number =>
  [...counts.values()].filter((count) => count > limit).length;

/** From the ledger alone: bots with two keys, and owners who paid twice for one user. */
const readLedger = (standIn: MixinStandIn) => {
  const keys = new Map<string, Set<string>>();
  const paid = new Map<string, number>();
  let calls = 0;
  let struck = 0;
  for (const { user_id = '', bound, path, outcome, fault } of standIn.ledger()) {
    calls += 1;
    if (fault !== undefined) struck += 1;
    if (bound) keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
    if (path === '/users' && outcome === 'accepted') paid.set(user_id, (paid.get(user_id) ?? 0) + 1);
  }
  const sizes = new Map([...keys].map(([user_id, bound]) => [user_id, bound.size]));
  return { calls, struck, double_keys: mostOf(sizes, 1), double_paid_calls: mostOf(paid, 1) };
};

export interface SoakFigures {
  readonly bots: number;
  readonly network_users: number;
  readonly minutes: number;
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
  /** Everything must have come to rest after so many minutes. @default 120 */
  readonly patienceMinutes?: number;
}

/** One network user for so many bots. */
const BOTS_PER_USER = 100;

/** Runs the soak to its end. */
export const soak = async (options: SoakOptions): Promise<SoakFigures> => {
  const { bots, share = 0.05, say = () => undefined, patienceMinutes = 120 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'enlist-soak-'));
  await using open = new AsyncDisposableStack();
  open.defer(() => rmSync(folder, { recursive: true, force: true }));
  const standIn = await startMixinStandIn({ dataDir: join(folder, 'mixin') });
  open.defer(() => standIn.stop());
  const lists = await makeWorlds(standIn, bots);
  const { owners, users } = await makeOwners(standIn, Math.ceil(bots / BOTS_PER_USER));
  standIn.setFaults(troublesAt(share));
  const stack = new Stack(join(folder, 'stack'), standIn.url);
  await stack.start();
  open.defer(() => stack.stop());

  const startedMs = Date.now();
  const deadlineMs = startedMs + patienceMinutes * 60_000;
  const batches: string[] = [];
  for (const { list } of lists) batches.push(await stack.upload(list));
  const watch = { stack, batches, say };
  await untilAtRest(watch, bots / 2, deadlineMs);
  say('the power is cut');
  await stack.cutPower();
  const cutMs = Date.now();
  await stack.start();
  say(`it runs again; ${stack.released} messages had been received`);
  const resting = sum(
    lists.map(({ fates }) => fates.filter(({ ends }) => ends !== 'invalid' && ends !== 'duplicate').length),
  );
  await untilAtRest(watch, resting - lockedIn(lists), deadlineMs);
  const minutes = (Date.now() - startedMs) / 60_000;

  say('the owners list their users');
  const ownerBatch = await stack.upload(JSON.stringify([...owners, ...users]));
  await planned(stack, ownerBatch, deadlineMs);
  await stack.ask(post, `/batches/${ownerBatch}/confirm`, JSON.stringify({ accept_cost_usd: users.length }));
  await untilAtRest({ ...watch, batches: [ownerBatch] }, owners.length + users.length, deadlineMs);

  say('an operator retries what is blocked');
  standIn.setFaults([]);
  for (const batch_id of batches) await stack.retry(batch_id, ['blocked', 'failed']);
  await untilAtRest(watch, resting - lockedIn(lists), deadlineMs);

  const wrong = await misled(stack, lists, batches);
  const growth = growthOf(stack.samples.filter(({ atMs }) => atMs > cutMs));
  await stack.rest();
  const { calls, struck, double_keys, double_paid_calls } = readLedger(standIn);
  const { keys_bound, keys_lost } = await countCustody(stack.environment, standIn.ledger());
  return {
    bots,
    network_users: users.length,
    minutes: Math.round(minutes * 10) / 10,
    bots_per_minute: Math.round(bots / minutes),
    calls,
    struck,
    released: stack.released,
    keys_bound: keys_bound ?? 0,
    keys_lost: keys_lost ?? 0,
    double_keys,
    double_paid_calls,
    unexpected_5xx: stack.answers5xx,
    misled: wrong,
    errors: stack.errors,
    growth,
  };
};

/** Waits until the list is read and its cost can be accepted. */
const planned = async (stack: Stack, batch_id: string, deadlineMs: number): Promise<void> => {
  while ((await stack.readBatch(batch_id)).status !== 'planned') {
    if (Date.now() > deadlineMs) throw new Error('the list of network users was never read');
    await sleep(500);
  }
};
