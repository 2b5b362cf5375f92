/** The workers of a history: they take turns call by call, and may die or be paused at any call. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Keys, Services } from '../../../lib/model/ports.ts';
import type { Death, Turn } from './scenario.ts';

/** What a dead worker's calls throw. */
export class WorkerDeath extends Error {
  override readonly name = 'WorkerDeath';
}

/** Lets a call begin when it is the worker's turn. */
export type Gate = <T>(call: () => Promise<T>) => Promise<T>;

export interface Sleep {
  readonly nth: number;
  /** Called when the worker is paused. */
  readonly asleep: () => void;
  /** Resolves when it may go on. */
  readonly woken: Promise<void>;
}

export interface WorkerOptions {
  readonly death?: Death | undefined;
  readonly gate?: Gate;
  readonly sleep?: Sleep;
  /** How far the worker's clock is ahead. */
  readonly aheadMs?: number;
  /** Called before each call. */
  readonly onCall?: () => void;
}

export interface Worker {
  readonly services: Services;
  /** Every call it began, as `part.method`. */
  readonly calls: readonly string[];
  isDead(): boolean;
}

/** Workers look at the clock just before these calls, so no pause fits in between: docs/flow.md. */
const neverPausedBefore: ReadonlySet<string> = new Set([
  'mixin.setTipPin',
  'mixin.registerSafe',
  'accounts.createUser',
  'accounts.signIn',
]);

const parts = ['table', 'vault', 'queues', 'uploads', 'mixin', 'accounts'] as const;

/** The services of one worker. Once it is dead its calls have no effect. */
export const createWorker = (whole: Services, options: WorkerOptions = {}): Worker => {
  const { death, gate = (call) => call(), sleep, aheadMs = 0, onCall } = options;
  const calls: string[] = [];
  let isDead = false;
  let hasSlept = false;

  const begin = async (name: string, run: () => Promise<unknown>): Promise<unknown> => {
    if (isDead) throw new WorkerDeath();
    calls.push(name);
    const isLast = calls.length === death?.nth;
    if (sleep && !hasSlept && calls.length >= sleep.nth && !neverPausedBefore.has(name)) {
      hasSlept = true;
      sleep.asleep();
      await sleep.woken;
    }
    return gate(async () => {
      onCall?.();
      if (isDead) throw new WorkerDeath();
      if (isLast) isDead = true;
      if (isLast && death?.when === 'before') throw new WorkerDeath();
      const result = await run();
      if (isDead) throw new WorkerDeath();
      return result;
    });
  };

  const wrap = <T extends object>(part: string, target: T): T =>
    new Proxy(target, {
      get: (inner, method, receiver) => {
        const call: unknown = Reflect.get(inner, method, receiver);
        if (typeof call !== 'function') return call;
        return (...args: unknown[]) =>
          begin(`${part}.${String(method)}`, () => call.apply(inner, args) as Promise<unknown>);
      },
    });

  const wrapped = Object.fromEntries(parts.map((part) => [part, wrap(part, whole[part])]));
  return {
    services: { ...whole, ...wrapped, now: () => whole.now() + aheadMs },
    calls,
    isDead: () => isDead,
  };
};

/** Computations inside workers that are no calls. Turns wait for them. */
let computing = 0;

/** The same keys, derived once each, and counted while they are derived. */
export const countKeyWork = (keys: Keys): Keys => {
  const known = new Map<string, Promise<string>>();
  const derive = async (key: string) => {
    computing += 1;
    try {
      return await keys.derivePublicKey(key);
    } finally {
      computing -= 1;
    }
  };
  const derivePublicKey = (key: string) => {
    const derived = known.get(key) ?? derive(key);
    known.set(key, derived);
    return derived;
  };
  return { ...keys, derivePublicKey: derivePublicKey };
};

/** Waits until no worker can go on without its turn. */
const waitUntilIdle = async () => {
  do await nextTurn();
  while (computing > 0);
};

interface WaitingCall {
  readonly who: number;
  run(): Promise<void>;
}

/** Every call of the turns in order, again and again. */
function* repeatTurns(turns: readonly Turn[]): Generator<number, never> {
  for (;;) for (const { who, calls } of turns) for (let call = 0; call < calls; call += 1) yield who;
}

/**
 * Runs workers at the same time, one call at a time: `turns` says which waiting worker is next, and for how many
 * calls. The same turns give the same order, however fast the machine is.
 */
export const takeTurns = async (
  works: readonly ((gate: Gate) => Promise<void>)[],
  turns: readonly Turn[],
): Promise<void> => {
  const waiting: WaitingCall[] = [];
  const order = repeatTurns(turns);
  let running = works.length;
  const createGate =
    (who: number): Gate =>
    (call) =>
      new Promise((resolve, reject) => {
        waiting.push({ who, run: () => call().then(resolve, reject) });
      });
  const all = works.map((work, who) =>
    work(createGate(who)).finally(() => {
      running -= 1;
    }),
  );
  while (running > 0) {
    await waitUntilIdle();
    const next = takeNext(waiting, order);
    await next?.run();
  }
  await Promise.all(all);
};

/** Takes out the call whose turn it is: of the worker that is meant, or of the one after it that waits. */
const takeNext = (waiting: WaitingCall[], order: Generator<number, never>): WaitingCall | undefined => {
  if (waiting.length === 0) return undefined;
  waiting.sort((a, b) => a.who - b.who);
  const meant = order.next().value % (Math.max(...waiting.map(({ who }) => who)) + 1);
  const at = waiting.findIndex(({ who }) => who >= meant);
  return waiting.splice(at, 1)[0];
};
