/** A list of every kind of bot, run to its end by the embedded stack while AWS throttles it or is in trouble. */
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { clientConfig } from '../../infra/local/client-config.ts';
import { createDemoList, type DemoList } from '../../infra/local/demo.ts';
import { countKeys } from '../../infra/local/key-counts.ts';
import { recheck } from '../../lib/bots/recheck.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { nameDeadLetterQueue, queueNames } from '../../lib/model/deployment.ts';
import { timing } from '../../lib/model/timing.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { sendOpenly } from '../emulators/mixin/client.ts';
import { startStack, type TestStack, waitFor } from '../helpers/stack.ts';
import { type Rates, type ThrottledAws, type TroubleKind, throttleAws } from './throttled-aws.ts';

export interface ThrottledStack extends AsyncDisposable {
  readonly stack: TestStack;
  readonly aws: ThrottledAws;
}

export const startThrottledStack = async (rates: Rates, stopsPoller = false): Promise<ThrottledStack> => {
  let aws: ThrottledAws | undefined;
  const stack = await startStack({
    wrapEndpoints: async (environment) => {
      aws = await throttleAws(environment, rates, stopsPoller);
      return aws.environment;
    },
  });
  if (!aws) throw new Error('the stack never asked for its AWS');
  const proxies = aws;
  return {
    stack,
    aws,
    [Symbol.asyncDispose]: async () => {
      await stack[Symbol.asyncDispose]();
      await proxies[Symbol.asyncDispose]();
    },
  };
};

export interface ExpectedList {
  readonly rows: readonly unknown[];
  readonly outcomes: Outcomes;
  /** Verification ids of the sign-ins. */
  readonly signIns: readonly string[];
  readonly owner: string;
  readonly users: number;
}

/** How many bots: of the demonstration, new ones, and network users. */
export interface Size {
  readonly world: number;
  readonly fresh: number;
  readonly users: number;
}

type Outcomes = DemoList['outcomes'];

const askForCode = async ({ standIn }: TestStack) => {
  const phone = '+8613800000042';
  standIn.preparePhone({ phone });
  await sendOpenly(standIn, '/verifications', { phone, purpose: 'SESSION', platform: 'Android' });
  const sent = standIn.verifications().find((it) => it.phone === phone);
  if (!sent) throw new Error('no code was sent');
  return sent;
};

/** The demonstration's bots, and what it does not have: RSA sessions, known six digits, sign-ins, network users. */
export const makeList = async (stack: TestStack, size: Size): Promise<ExpectedList> => {
  const { standIn } = stack;
  const world = size.world > 0 ? await createDemoList(standIn, size.world) : { list: '[]', outcomes: [] };
  const keystores: Record<string, unknown>[] = [];
  for (let i = 0; i < size.fresh; i += 1) keystores.push({ ...(await standIn.createUser()).keystore });
  const digits = await standIn.createUser({ six_digit_pin: '271828' });
  const rsa = await standIn.createUser({ session_key: 'rsa' });
  const owner = await standIn.createUser();
  keystores.push({ ...digits.keystore, pin: '271828' }, { ...rsa.keystore }, { ...owner.keystore });
  const code = await askForCode(stack);
  const { app_id } = owner.keystore;
  const rows = [
    ...(JSON.parse(world.list) as unknown[]),
    ...keystores,
    { verification_id: code.id, code: code.code },
    ...Array.from({ length: size.users }, (_, i) => ({ owner: app_id, full_name: `User ${i + 1}` })),
  ];
  const registered = keystores.map((it) => ({
    app_id: String(it.app_id ?? it.client_id),
    outcome: 'registered' as const,
  }));
  const outcomes = [...world.outcomes, ...registered];
  return { rows, outcomes, signIns: [code.id], owner: app_id, users: size.users };
};

interface BatchBody {
  readonly status: string;
  readonly states: Readonly<Record<string, number>>;
}

const activeStates = ['queued', 'enrolling', 'registering'];

/** A client of the API that counts how it answers. */
export const createApiClient = ({ embedded }: TestStack) => {
  const problems: { status: number; code: unknown; retry_after: string | null }[] = [];
  let unexpected_5xx = 0;
  const ask = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    for (;;) {
      const answer = await fetch(embedded.url + path, init);
      const text = await answer.text();
      if (answer.status < 500) return JSON.parse(text) as T;
      const isProblem = answer.headers.get('content-type') === 'application/problem+json';
      const code = isProblem ? (JSON.parse(text) as { code: unknown }).code : undefined;
      problems.push({ status: answer.status, code, retry_after: answer.headers.get('retry-after') });
      if (answer.status !== 503 || code !== 'aws_unavailable') unexpected_5xx += 1;
      await new Promise((wake) => setTimeout(wake, 500));
    }
  };
  const post = <T>(path: string, body: unknown, more: Record<string, string> = {}) =>
    ask<T>(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...more },
    });
  return { ask, post, problems, unexpected_5xx: () => unexpected_5xx };
};

const SWEEP_AFTER_MS = 30_000;

/** Runs the sweep of 15 minutes from now: it finds bots whose message could not be sent. */
const sweepEarly = ({ services }: TestStack) => {
  const now = () => Date.now() + 1_000 * (timing.graceSeconds + 60);
  return recheck({ ...services, now }, now() + SWEEP_AFTER_MS);
};

/** Unsure enrolments are finished; other unsure bots are checked again. */
const areAllEnrolments = async (
  api: ReturnType<typeof createApiClient>,
  batch_id: string,
): Promise<boolean> => {
  const page = await api.ask<{ bots: Bot[] }>(`/batches/${batch_id}/bots?state=unsure`);
  return page.bots.every(({ enrolment }) => enrolment !== undefined);
};

/**
 * Uploads the list, confirms its cost and waits until all bots are finished.
 * @param sweeps false: no sweep comes early, so that only messages bring bots back
 */
export const runToEnd = async (
  stack: TestStack,
  api: ReturnType<typeof createApiClient>,
  { rows, users, outcomes }: ExpectedList,
  timeoutMs: number,
  sweeps = true,
): Promise<string> => {
  const key = { 'idempotency-key': `throttled-${rows.length}-${Date.now()}` };
  const { batch_id } = await api.post<{ batch_id: string }>('/batches', rows, key);
  const waiting = outcomes.filter(({ outcome }) => outcome === 'waiting').length;
  const deadline = Date.now() + timeoutMs;
  let before = '';
  let changedAt = Date.now();
  for (;;) {
    const { status, states } = await api.ask<BatchBody>(`/batches/${batch_id}`);
    if (status === 'planned') await api.post(`/batches/${batch_id}/confirm`, { accept_cost_usd: users });
    const isMoving = activeStates.some((state) => (states[state] ?? 0) > 0);
    const isWaiting = isMoving || (states.waiting ?? 0) !== waiting;
    if (status === 'imported' && !isWaiting && (await areAllEnrolments(api, batch_id))) return batch_id;
    if (before !== JSON.stringify(states)) changedAt = Date.now();
    before = JSON.stringify(states);
    if (sweeps && Date.now() > changedAt + SWEEP_AFTER_MS) {
      await sweepEarly(stack);
      changedAt = Date.now();
    }
    if (Date.now() > deadline) throw new Error(`not finished: ${status} ${JSON.stringify(states)}`);
    await new Promise((wake) => setTimeout(wake, 300));
  }
};

const countDeadLetters = async ({ direct }: ThrottledAws): Promise<number> => {
  const { queueUrls, aws } = readConfig({ ...direct, MIXIN_URL: 'http://127.0.0.1:9' });
  const sqs = new SQSClient(clientConfig(aws.endpoints.sqs ?? ''));
  let count = 0;
  for (const name of queueNames) {
    const QueueUrl = queueUrls[name].replace(/[^/]+$/, nameDeadLetterQueue(name));
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    count += Messages.length;
  }
  sqs.destroy();
  return count;
};

/** The call that creates the account was sent, and the row does not say how it ended. */
const isUnsureEnrolment = (bot: Bot | undefined): boolean =>
  bot?.state === 'unsure' && bot.enrolment !== undefined;

/** Compares where all bots are with where they should be, and counts the harm. */
export const countResults = async (
  { stack, aws }: ThrottledStack,
  { outcomes, signIns, owner, users }: ExpectedList,
  bots: readonly Bot[],
) => {
  const botsById = new Map(
    bots.map((bot) => [bot.enrolment?.kind === 'sign_in' ? bot.enrolment.verification_id : bot.bot_id, bot]),
  );
  const misplaced = [
    ...outcomes.filter(({ outcome }) => outcome !== 'invalid' && outcome !== 'duplicate'),
    ...signIns.map((app_id) => ({ app_id, outcome: 'enrolled' })),
  ].flatMap(({ app_id, outcome }) => {
    const bot = botsById.get(app_id);
    return bot?.state === outcome || isUnsureEnrolment(bot)
      ? []
      : [{ app_id, outcome, is: bot?.state, reason: bot?.reason?.code }];
  });
  const ledger = stack.standIn.ledger();
  const { keys_lost } = await countKeys({ ...aws.direct, MIXIN_URL: stack.standIn.url }, ledger);
  const bound = new Map<string, Set<string>>();
  for (const { user_id = '', bound: key } of ledger)
    if (key) bound.set(user_id, (bound.get(user_id) ?? new Set()).add(key.public_key));
  const created = ledger.filter((entry) => entry.created?.kind === 'network');
  const unsure = bots.filter(isUnsureEnrolment);
  const enrolled = bots.filter(
    (bot) => bot.enrolment?.kind === 'network_user' && (bot.state === 'enrolled' || isUnsureEnrolment(bot)),
  );
  return {
    misplaced,
    keys_lost: keys_lost ?? 0,
    double_keys: [...bound.values()].filter((keys) => keys.size > 1).length,
    /** Users that were paid for beyond those in the list. */
    double_paid_calls: created.filter(({ user_id }) => user_id === owner).length - users,
    users_missing: users - enrolled.length,
    /** Accounts that were created while the table refused every write until their workers ended. */
    unsure: unsure.length,
    dead_letters: await countDeadLetters(aws),
  };
};

/** What the results must be. */
export const noHarm = {
  misplaced: [],
  keys_lost: 0,
  double_keys: 0,
  double_paid_calls: 0,
  users_missing: 0,
  unsure: 0,
  dead_letters: 0,
};

/** All rows of the batch, from the API. */
export const allBots = async (api: ReturnType<typeof createApiClient>, batch_id: string): Promise<Bot[]> => {
  const found: Bot[] = [];
  for (let query = ''; ; ) {
    const page = await api.ask<{ bots: Bot[]; cursor?: string }>(`/batches/${batch_id}/bots${query}`);
    found.push(...page.bots);
    if (page.cursor === undefined) return found;
    query = `?cursor=${encodeURIComponent(page.cursor)}`;
  }
};

/** The same rate for every kind of call. */
export const sameRates = (all: number): Rates => ({
  secretWrites: all,
  secretReads: all,
  tableWrites: all,
  tableReads: all,
  queues: all,
  uploads: all,
});

/**
 * Runs the list, puts AWS into trouble once some bots have moved, and ends the trouble after `troubleMs`. No sweep comes
 * early. Returns the batch and how long after the trouble all bots were finished.
 */
export const runThroughTrouble = async (
  { stack, aws }: ThrottledStack,
  api: ReturnType<typeof createApiClient>,
  list: ExpectedList,
  kind: TroubleKind,
  troubleMs: number,
): Promise<{ readonly batch_id: string; readonly healedAfterMs: number }> => {
  const run = runToEnd(stack, api, list, troubleMs + 10 * 60_000, false);
  await waitFor(async () => stack.logs.filter((line) => line.includes('"bot_moved"')).length > 5);
  aws.trouble.kind = kind;
  await new Promise((wake) => setTimeout(wake, troubleMs));
  aws.trouble.kind = 'none';
  const endedAt = performance.now();
  const batch_id = await run;
  return { batch_id, healedAfterMs: performance.now() - endedAt };
};
