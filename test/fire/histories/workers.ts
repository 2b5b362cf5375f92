/** Workers of a history: they take turns call by call, may die at any of them, and may fall asleep. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Keys, Services } from '../../../lib/model/ports.ts';
import type { Death, Turn } from './story.ts';

/** What a dead worker's calls throw. */
export class Died extends Error {
  override readonly name = 'Died';
}

/** Lets a call begin when it is the worker's turn. */
export type Gate = <T>(call: () => Promise<T>) => Promise<T>;

export interface Sleep {
  readonly nth: number;
  /** Told when the worker has fallen asleep. */
  readonly asleep: () => void;
  /** When it wakes up. */
  readonly woken: Promise<void>;
}

export interface Manners {
  readonly death?: Death | undefined;
  readonly gate?: Gate;
  readonly sleep?: Sleep;
  /** How far the worker's clock is ahead. */
  readonly aheadMs?: number;
  /** Told before each call. */
  readonly onCall?: () => void;
}

export interface Worker {
  readonly services: Services;
  /** Every call it began, as `part.method`. */
  readonly calls: readonly string[];
  isDead(): boolean;
}

/** Nothing slow can come between the last look at the clock and these: docs/flow.md, the order of register. */
const unslept: ReadonlySet<string> = new Set([
  'mixin.setTipPin',
  'mixin.registerSafe',
  'accounts.createUser',
  'accounts.signIn',
]);

const parts = ['table', 'vault', 'queues', 'uploads', 'mixin', 'accounts'] as const;

/** Services of one worker. Once it is dead nothing it does happens any more. */
export const hire = (whole: Services, manners: Manners = {}): Worker => {
  const { death, gate = (call) => call(), sleep, aheadMs = 0, onCall } = manners;
  const calls: string[] = [];
  let isDead = false;
  let hasSlept = false;

  const begin = async (name: string, run: () => Promise<unknown>): Promise<unknown> => {
    if (isDead) throw new Died();
    calls.push(name);
    const isLast = calls.length === death?.nth;
    if (sleep && !hasSlept && calls.length >= sleep.nth && !unslept.has(name)) {
      hasSlept = true;
      sleep.asleep();
      await sleep.woken;
    }
    return gate(async () => {
      onCall?.();
      if (isDead) throw new Died();
      if (isLast) isDead = true;
      if (isLast && death?.when === 'before') throw new Died();
      const result = await run();
      if (isDead) throw new Died();
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

/** Work that goes on inside workers and is no call: turns wait for it. */
let computing = 0;

/** The same keys, derived once each, and counted while they are derived. */
export const countedKeys = (keys: Keys): Keys => {
  const known = new Map<string, Promise<string>>();
  const derive = async (key: string) => {
    computing += 1;
    try {
      return await keys.derivePublicKey(key);
    } finally {
      computing -= 1;
    }
  };
  const publicKeyOf = (key: string) => {
    const derived = known.get(key) ?? derive(key);
    known.set(key, derived);
    return derived;
  };
  return { ...keys, derivePublicKey: publicKeyOf };
};

/** Everything that can go on without a turn has done so. */
const quiet = async () => {
  do await nextTurn();
  while (computing > 0);
};

interface Parked {
  readonly who: number;
  run(): Promise<void>;
}

/** Every call of the turns in order, again and again. */
function* inTurns(turns: readonly Turn[]): Generator<number, never> {
  for (;;) for (const { who, calls } of turns) for (let call = 0; call < calls; call += 1) yield who;
}

/**
 * Runs workers at the same time, one call at a time: `turns` says who of those that wait is next, and for how many
 * calls. The same turns give the same order, however fast the machine is.
 */
export const takeTurns = async (
  works: readonly ((gate: Gate) => Promise<void>)[],
  turns: readonly Turn[],
): Promise<void> => {
  const parked: Parked[] = [];
  const order = inTurns(turns);
  let running = works.length;
  const gateOf =
    (who: number): Gate =>
    (call) =>
      new Promise((resolve, reject) => {
        parked.push({ who, run: () => call().then(resolve, reject) });
      });
  const all = works.map((work, who) =>
    work(gateOf(who)).finally(() => {
      running -= 1;
    }),
  );
  while (running > 0) {
    await quiet();
    const next = takeNext(parked, order);
    await next?.run();
  }
  await Promise.all(all);
};

/** Takes out the call whose turn it is: of the worker that is meant, or of the one after it that waits. */
const takeNext = (parked: Parked[], order: Generator<number, never>): Parked | undefined => {
  if (parked.length === 0) return undefined;
  parked.sort((a, b) => a.who - b.who);
  const meant = order.next().value % (Math.max(...parked.map(({ who }) => who)) + 1);
  const at = parked.findIndex(({ who }) => who >= meant);
  return parked.splice(at, 1)[0];
};
