/** A list of every kind of bot, brought to rest by the real house while AWS throttles it. */
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { clientConfig } from '../../infra/local/client-config.ts';
import { countKeys } from '../../infra/local/custody.ts';
import { createDemoList, type DemoList } from '../../infra/local/demo.ts';
import { recheck } from '../../lib/bots/recheck.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { nameDeadLetterQueue, queueNames } from '../../lib/model/deployment.ts';
import { timing } from '../../lib/model/timing.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { sendOpenly } from '../emulators/mixin/client.ts';
import { type LivedInHouse, openHouse } from '../flow/lived-in.ts';
import { type Rates, type ThrottledAws, throttleAws } from './throttled-aws.ts';

export interface ThrottledHouse extends AsyncDisposable {
  readonly lived: LivedInHouse;
  readonly aws: ThrottledAws;
}

export const openThrottledHouse = async (rates: Rates): Promise<ThrottledHouse> => {
  let aws: ThrottledAws | undefined;
  const lived = await openHouse({
    wrapEndpoints: async (environment) => {
      aws = await throttleAws(environment, rates);
      return aws.environment;
    },
  });
  if (!aws) throw new Error('the house never asked for its AWS');
  const proxies = aws;
  return {
    lived,
    aws,
    [Symbol.asyncDispose]: async () => {
      await lived[Symbol.asyncDispose]();
      await proxies[Symbol.asyncDispose]();
    },
  };
};

export interface Listed {
  readonly rows: readonly unknown[];
  readonly outcomes: Outcomes;
  /** Verification ids of the sign-ins. */
  readonly signIns: readonly string[];
  readonly owner: string;
  readonly users: number;
}

/** How many bots there are in the stand-in world, of plain fresh ones, and of network users. */
export interface Size {
  readonly world: number;
  readonly fresh: number;
  readonly users: number;
}

type Outcomes = DemoList['outcomes'];

const askForCode = async ({ standIn }: LivedInHouse) => {
  const phone = '+8613800000042';
  standIn.preparePhone({ phone });
  await sendOpenly(standIn, '/verifications', { phone, purpose: 'SESSION', platform: 'Android' });
  const sent = standIn.verifications().find((it) => it.phone === phone);
  if (!sent) throw new Error('no code was sent');
  return sent;
};

/** A world of every fate, and what it does not have: RSA sessions, six digits that are known, sign-ins, network users. */
export const makeList = async (lived: LivedInHouse, size: Size): Promise<Listed> => {
  const { standIn } = lived;
  const world = size.world > 0 ? await createDemoList(standIn, size.world) : { list: '[]', outcomes: [] };
  const keystores: Record<string, unknown>[] = [];
  for (let i = 0; i < size.fresh; i += 1) keystores.push({ ...(await standIn.createUser()).keystore });
  const digits = await standIn.createUser({ six_digit_pin: '271828' });
  const rsa = await standIn.createUser({ session_key: 'rsa' });
  const owner = await standIn.createUser();
  keystores.push({ ...digits.keystore, pin: '271828' }, { ...rsa.keystore }, { ...owner.keystore });
  const code = await askForCode(lived);
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

const moving = ['queued', 'enrolling', 'registering'];

/** Asks the API as a client does, and keeps count of how it answers. */
export const askApi = ({ house }: LivedInHouse) => {
  const problems: { status: number; code: unknown; retry_after: string | null }[] = [];
  let unexpected_5xx = 0;
  const ask = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    for (;;) {
      const answer = await fetch(house.url + path, init);
      const text = await answer.text();
      if (answer.status < 500) return JSON.parse(text) as T;
      const isProblem = answer.headers.get('content-type') === 'application/problem+json';
      const code = isProblem ? (JSON.parse(text) as { code: unknown }).code : undefined;
      problems.push({ status: answer.status, code, retry_after: answer.headers.get('retry-after') });
      if (answer.status !== 503 || code !== 'throttled') unexpected_5xx += 1;
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

/** What the sweep does some 15 minutes from now: it looks for bots whose message could not be sent. */
const sweepEarly = ({ services }: LivedInHouse) => {
  const now = () => Date.now() + 1_000 * (timing.graceSeconds + 60);
  return recheck({ ...services, now }, now() + SWEEP_AFTER_MS);
};

/** Enrolments in doubt rest; other bots in doubt are looked at again. */
const isOfEnrolments = async (api: ReturnType<typeof askApi>, batch_id: string): Promise<boolean> => {
  const page = await api.ask<{ bots: Bot[] }>(`/batches/${batch_id}/bots?state=unsure`);
  return page.bots.every(({ enrolment }) => enrolment !== undefined);
};

/** Uploads the list, accepts its cost and follows it until nothing moves any more. */
export const bringToRest = async (
  lived: LivedInHouse,
  api: ReturnType<typeof askApi>,
  { rows, users, outcomes }: Listed,
  timeoutMs: number,
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
    const isMoving = moving.some((state) => (states[state] ?? 0) > 0);
    const isWaiting = isMoving || (states.waiting ?? 0) !== waiting;
    if (status === 'imported' && !isWaiting && (await isOfEnrolments(api, batch_id))) return batch_id;
    if (before !== JSON.stringify(states)) changedAt = Date.now();
    before = JSON.stringify(states);
    if (Date.now() > changedAt + SWEEP_AFTER_MS) {
      await sweepEarly(lived);
      changedAt = Date.now();
    }
    if (Date.now() > deadline) throw new Error(`not at rest: ${status} ${JSON.stringify(states)}`);
    await new Promise((wake) => setTimeout(wake, 300));
  }
};

const deadLetters = async ({ direct }: ThrottledAws): Promise<number> => {
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

/** The call that makes the account was sent, and the row does not say what came of it. */
const isInDoubt = (bot: Bot | undefined): boolean => bot?.state === 'unsure' && bot.enrolment !== undefined;

/** Where everybody is, and what was lost on the way. */
export const takeStock = async (
  { lived, aws }: ThrottledHouse,
  { outcomes, signIns, owner, users }: Listed,
  bots: readonly Bot[],
) => {
  const stateOf = new Map(
    bots.map((bot) => [bot.enrolment?.kind === 'sign_in' ? bot.enrolment.verification_id : bot.bot_id, bot]),
  );
  const astray = [
    ...outcomes.filter(({ outcome }) => outcome !== 'invalid' && outcome !== 'duplicate'),
    ...signIns.map((app_id) => ({ app_id, outcome: 'enrolled' })),
  ].flatMap(({ app_id, outcome }) => {
    const bot = stateOf.get(app_id);
    return bot?.state === outcome || isInDoubt(bot)
      ? []
      : [{ app_id, outcome, is: bot?.state, reason: bot?.reason?.code }];
  });
  const ledger = lived.standIn.ledger();
  const { keys_lost } = await countKeys({ ...aws.direct, MIXIN_URL: lived.standIn.url }, ledger);
  const bound = new Map<string, Set<string>>();
  for (const { user_id = '', bound: key } of ledger)
    if (key) bound.set(user_id, (bound.get(user_id) ?? new Set()).add(key.public_key));
  const created = ledger.filter((entry) => entry.created?.kind === 'network');
  const doubtful = bots.filter(isInDoubt);
  const enrolled = bots.filter(
    (bot) => bot.enrolment?.kind === 'network_user' && (bot.state === 'enrolled' || isInDoubt(bot)),
  );
  return {
    astray,
    keys_lost: keys_lost ?? 0,
    double_keys: [...bound.values()].filter((keys) => keys.size > 1).length,
    /** Users that were paid for, beyond those that were asked for. */
    double_paid_calls: created.filter(({ user_id }) => user_id === owner).length - users,
    users_missing: users - enrolled.length,
    /** Accounts that were made while the table took nothing, for longer than their workers lived. */
    in_doubt: doubtful.length,
    dead_letters: await deadLetters(aws),
  };
};

/** What a stock must be. */
export const clean = {
  astray: [],
  keys_lost: 0,
  double_keys: 0,
  double_paid_calls: 0,
  users_missing: 0,
  in_doubt: 0,
  dead_letters: 0,
};

/** All rows of the batch, from the API. */
export const allBots = async (api: ReturnType<typeof askApi>, batch_id: string): Promise<Bot[]> => {
  const found: Bot[] = [];
  for (let query = ''; ; ) {
    const page = await api.ask<{ bots: Bot[]; cursor?: string }>(`/batches/${batch_id}/bots${query}`);
    found.push(...page.bots);
    if (page.cursor === undefined) return found;
    query = `?cursor=${encodeURIComponent(page.cursor)}`;
  }
};
