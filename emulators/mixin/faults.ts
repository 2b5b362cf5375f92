/**
 * Named faults: what a network and a busy server do to a client. They are part of the server's state, so a kill
 * does not reset them. Which requests a `rate` picks depends on the seed and on how many requests of that user
 * the fault has seen, never on the order in which different users' requests arrive.
 */
import { createHash } from 'node:crypto';
import type { Store } from './store.ts';

/**
 * Every fault, and when it acts: `before` the request is looked at, so that the request has no effect; `after` it had
 * its effect; `beside` the others: these can be combined with each other and with one of the first two.
 * With `effect: true` a request that is hit before is handled all the same.
 */
const moments = {
  /** The connection breaks, nothing happened. */
  request_lost: 'before',
  /** 429 in a 202, of a PIN call too: its PIN is not looked at, and no wrong one is recorded. */
  rate_limited: 'before',
  /** An HTML page with `status` (500). */
  server_error: 'before',
  /** 200 and not one byte. */
  empty_body: 'before',
  /** The error `code` in a 202 (500, 7000, 7001 in a 500). */
  code: 'before',
  /** A page with 200. */
  html: 'before',
  /** JSON with 200, of more than 2 MiB. */
  huge_body: 'before',
  /** 302 (or `status`) to `location`, by default a path of this server without an endpoint. */
  redirect: 'before',
  /** Handled, then the connection breaks. */
  answer_lost: 'after',
  /** Handled, answered after `delayMs`. */
  answer_held: 'after',
  /** Handled, the head of the answer comes at once and its body in pieces over `delayMs`. */
  slow_body: 'after',
  /** Handled, answered with the X-Request-Id of another request. */
  wrong_request_id: 'after',
  /** Handled `delayMs` later. */
  slow: 'beside',
  /** The server's clock is off by `delayMs` (may be negative) for this request. */
  clock_skew: 'beside',
  /**
   * For `delayMs` after a successful POST /pin/update or /safe/users, reads and /safe/users see the account as it
   * was before.
   */
  lagging_reads: 'beside',
  /** The account object has no `spend_public_key`. */
  spend_key_hidden: 'beside',
  /** A six-digit PIN cannot become a TIP PIN (20118). */
  upgrade_suspended: 'beside',
  /** Handled, answered with the account object of another account. */
  wrong_user: 'beside',
  /** Handled, the account object has other keys in `tip_key_base64` and `spend_public_key`. */
  wrong_key: 'beside',
  /** Handled, the account object says `has_safe: false`. */
  safe_flips_back: 'beside',
} as const;

export type FaultName = keyof typeof moments;
export const faultNames = Object.keys(moments) as readonly FaultName[];

/** Calls without a token count as those of one user who has no id: a fault with a `user_id` never hits them. */
export interface Fault {
  readonly name: FaultName;
  readonly method?: string;
  /** Exact, without query; or a route: `/verifications/:id` is any verification. */
  readonly path?: string;
  readonly user_id?: string;
  /** Share of the matching requests, 0 to 1. @default 1 */
  readonly rate?: number;
  /** How often it hits each user. @default without end */
  readonly times?: number;
  readonly delayMs?: number;
  readonly code?: number;
  readonly status?: number;
  readonly location?: string;
  /** @default false */
  readonly effect?: boolean;
}

/** The faults of one request. */
export interface FaultPlan {
  readonly faults: readonly Fault[];
  readonly before: Fault | undefined;
  readonly after: Fault | undefined;
  readonly slowMs: number;
  readonly skewMs: number;
  readonly lagMs: number;
  has(name: FaultName): boolean;
}

const check = (fault: Fault): void => {
  if (!faultNames.includes(fault.name)) throw new TypeError(`unknown fault: ${String(fault.name)}`);
  if (fault.rate !== undefined && !(fault.rate >= 0 && fault.rate <= 1))
    throw new TypeError('rate is not within 0 and 1');
  if (fault.times !== undefined && !(Number.isInteger(fault.times) && fault.times >= 0))
    throw new TypeError('times is not a whole number');
  if (fault.delayMs !== undefined && !Number.isFinite(fault.delayMs))
    throw new TypeError('delayMs is not a number');
  if (fault.name === 'redirect' && ((fault.status ?? 302) < 300 || (fault.status ?? 302) > 399))
    throw new TypeError('the status of a redirect is 3xx');
  if (fault.name === 'code' && !Number.isInteger(fault.code)) throw new TypeError('code is missing');
};

export interface Target {
  readonly method: string;
  readonly path: string;
  readonly route: string;
  readonly user_id: string | undefined;
}

const writes = ['/pin/update', '/safe/users'];

const matches = (fault: Fault, target: Target): boolean =>
  (fault.method === undefined || fault.method === target.method) &&
  (fault.path === undefined || fault.path === target.path || fault.path === target.route) &&
  (fault.user_id === undefined || fault.user_id === target.user_id) &&
  (fault.name !== 'lagging_reads' || (target.method === 'POST' && writes.includes(target.path)));

/** 0 ≤ chance < 1, the same for the same arguments. */
const computeChance = (...parts: readonly (string | number)[]): number =>
  createHash('sha256').update(parts.join('/')).digest().readUIntBE(0, 6) / 2 ** 48;

export interface Faults {
  set(faults: readonly Fault[]): void;
  list(): Fault[];
  plan(target: Target): FaultPlan;
}

export const openFaults = ({ database, query }: Store, seed: number): Faults => {
  const clear = database.prepare('DELETE FROM faults');
  const clearCounts = database.prepare('DELETE FROM fault_counts');
  const insert = database.prepare('INSERT INTO faults (position, document) VALUES (?, ?)');
  const select = query<Fault>('SELECT document FROM faults ORDER BY position');
  const selectCount = database.prepare(
    'SELECT seen, fired FROM fault_counts WHERE position = ? AND user_id = ?',
  );
  const upsertCount = database.prepare(
    'INSERT OR REPLACE INTO fault_counts (position, user_id, seen, fired) VALUES (?, ?, ?, ?)',
  );
  let faults = select.list();

  const decideHit = (fault: Fault, position: number, user: string): boolean => {
    const row = selectCount.get(position, user) as { seen: number; fired: number } | undefined;
    const { seen, fired } = row ?? { seen: 0, fired: 0 };
    const isHit =
      fired < (fault.times ?? Infinity) && computeChance(seed, position, user, seen) < (fault.rate ?? 1);
    upsertCount.run(position, user, seen + 1, fired + (isHit ? 1 : 0));
    return isHit;
  };

  return {
    set: (next) => {
      next.forEach(check);
      clear.run();
      clearCounts.run();
      next.forEach((fault, position) => {
        insert.run(position, JSON.stringify(fault));
      });
      faults = select.list();
    },
    list: () => faults,
    plan: (target) => {
      const active: Fault[] = [];
      faults.forEach((fault, position) => {
        // One fault can end a request: the first one that hits it. The others keep their `times`.
        const isEnding = ({ name }: Fault) => moments[name] !== 'beside';
        if (isEnding(fault) && active.some(isEnding)) return;
        if (matches(fault, target) && decideHit(fault, position, target.user_id ?? '')) active.push(fault);
      });
      const total = (name: FaultName): number =>
        active.reduce((sum, fault) => sum + (fault.name === name ? (fault.delayMs ?? 0) : 0), 0);
      return {
        faults: active,
        before: active.find(({ name }) => moments[name] === 'before'),
        after: active.find(({ name }) => moments[name] === 'after'),
        slowMs: total('slow'),
        skewMs: total('clock_skew'),
        lagMs: total('lagging_reads'),
        has: (name) => active.some((fault) => fault.name === name),
      };
    },
  };
};
