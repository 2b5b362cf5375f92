/**
 * Smoke: an empty event makes a function try what it depends on and say what fails. Nothing is written, sent
 * or read out: only probe keys that no bot has are asked for.
 */

import type { FunctionName, QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';

export interface SmokeCheck {
  /** `table`, `vault`, `uploads`, `mixin` or `queue <name>`. */
  readonly what: string;
  readonly ok: boolean;
  /** Name and code of the error, never its text. */
  readonly error?: string;
  readonly hint?: string;
}

export interface SmokeAnswer {
  readonly function: FunctionName;
  readonly ok: boolean;
  readonly checks: readonly SmokeCheck[];
}

/**
 * Only an event without anything in it: whatever SQS, API Gateway or a schedule sends has fields, and an event
 * of an unknown kind must fail loudly rather than pass for a question.
 */
export const isEmptyEvent = (event: unknown): boolean => {
  if (event === null || event === undefined) return true;
  return typeof event === 'object' && !Array.isArray(event) && Object.keys(event).length === 0;
};

type Need = 'table' | 'by_batch' | 'by_due' | 'vault' | 'lists' | 'bucket' | 'mixin' | `queue ${QueueName}`;

/** What each function cannot do without. */
const needs: Readonly<Record<FunctionName, readonly Need[]>> = {
  api: ['by_batch', 'bucket', 'queue intake', 'queue enroll', 'queue check'],
  accounts: ['table', 'vault', 'mixin', 'queue enroll', 'queue check'],
  intake: ['table', 'vault', 'lists', 'queue intake', 'queue enroll', 'queue check'],
  enroll: ['table', 'vault', 'mixin', 'queue enroll', 'queue check'],
  check: ['table', 'vault', 'mixin', 'queue enroll', 'queue check', 'queue register'],
  register: ['table', 'vault', 'mixin', 'queue check', 'queue register'],
  recheck: ['by_due', 'queue enroll', 'queue check'],
};

/** No bot and no batch has this id. */
const PROBE_ID = '00000000-0000-0000-0000-000000000000';
const PROBE_KEY = `smoke/${PROBE_ID}`;
const PATIENCE_MS = 5_000;

/** What is tried out: a function's own services, and the ways to its queues and to Mixin. */
export interface SmokeWorld {
  readonly services: Services;
  readonly mixinUrl: string;
  readonly tryQueue: (queue: QueueName) => Promise<void>;
  /** A check without an answer fails after this time; they run side by side. @default 5 s */
  readonly patienceMs?: number;
}

type World = Required<SmokeWorld>;

/** A door that says "you may not read this" is there; the api may store lists but never read them. */
const unlessRefused = (error: unknown): void => {
  if (!(error instanceof Error && error.name === 'AccessDenied')) throw error;
};

const askMixin = async ({ mixinUrl, patienceMs }: World): Promise<void> => {
  const signal = AbortSignal.timeout(patienceMs);
  const answer = await fetch(`${mixinUrl}/`, { redirect: 'manual', signal });
  await answer.body?.cancel();
};

interface Probe {
  readonly what: string;
  readonly hint: string;
  readonly run: (world: World) => Promise<unknown>;
}

const tableHint = (actions: string) => `Check ENLIST_TABLE, and that the role may ${actions} it.`;

const queueProbe = (name: QueueName): Probe => ({
  what: `queue ${name}`,
  hint: `Check ENLIST_${name.toUpperCase()}_QUEUE_URL, and that the role may sqs:GetQueueAttributes on it.`,
  run: ({ tryQueue }) => tryQueue(name),
});

const probes: Readonly<Record<Need, Probe>> = {
  table: {
    what: 'table',
    hint: tableHint('dynamodb:GetItem'),
    run: ({ services }) => services.table.readBot(PROBE_ID),
  },
  by_batch: {
    what: 'table',
    hint: tableHint('dynamodb:GetItem, and dynamodb:Query its index by_batch, of'),
    run: async ({ services }) => {
      await services.table.readBot(PROBE_ID);
      await services.table.countBots(PROBE_ID);
    },
  },
  by_due: {
    what: 'table',
    hint: tableHint('dynamodb:GetItem, and dynamodb:Query its index by_due, of'),
    run: async ({ services }) => {
      await services.table.readBot(PROBE_ID);
      await services.table.listDueBots(0, new Date(0).toISOString(), 1);
    },
  },
  vault: {
    what: 'vault',
    hint: 'Check that the role may secretsmanager:GetSecretValue under ENLIST_SECRET_PREFIX.',
    run: ({ services }) => services.vault.readKeystore(PROBE_ID),
  },
  lists: {
    what: 'uploads',
    hint: 'Check ENLIST_UPLOADS_BUCKET, and that the role may s3:GetObject in it and s3:ListBucket it.',
    run: ({ services }) => services.uploads.get(PROBE_KEY),
  },
  bucket: {
    what: 'uploads',
    hint: 'Check ENLIST_UPLOADS_BUCKET, and that the bucket is there.',
    run: ({ services }) => services.uploads.get(PROBE_KEY).catch(unlessRefused),
  },
  mixin: {
    what: 'mixin',
    hint: 'Check MIXIN_URL, and that the function has a way to the internet.',
    run: askMixin,
  },
  'queue intake': queueProbe('intake'),
  'queue enroll': queueProbe('enroll'),
  'queue check': queueProbe('check'),
  'queue register': queueProbe('register'),
};

class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

const within = async <T>(timeoutMs: number, work: Promise<T>): Promise<T> => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError('no answer in time')), timeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** Name and code; fetch hides the code one level down. */
const nameError = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error;
  const codes = [error, error.cause].map((it) => (it as { code?: unknown } | undefined)?.code);
  const code = codes.find((it) => typeof it === 'string' && /^\w{1,60}$/.test(it) && it !== error.name);
  return [error.name, code].filter((it) => it !== undefined).join(' ');
};

const tryOut = async ({ what, hint, run }: Probe, world: World): Promise<SmokeCheck> => {
  try {
    await within(world.patienceMs, run(world));
    return { what, ok: true };
  } catch (error) {
    return { what, ok: false, error: nameError(error), hint };
  }
};

/** Tries all that the function needs; never throws. */
export const smoke = async (name: FunctionName, world: SmokeWorld): Promise<SmokeAnswer> => {
  const whole = { patienceMs: PATIENCE_MS, ...world };
  const checks = await Promise.all(needs[name].map((need) => tryOut(probes[need], whole)));
  return { function: name, ok: checks.every(({ ok }) => ok), checks };
};
