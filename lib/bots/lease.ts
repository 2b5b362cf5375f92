/**
 * Two PIN operations of one bot must never overlap, its PIN iterator only grows, and no account is created twice: a
 * worker makes such calls only while it holds the row's lease, and reserves each iterator on the row before it uses it.
 */

import type { Bot, BotChanges } from '../model/bot.ts';
import type { Services } from '../model/ports.ts';
import type { BotState } from '../model/states.ts';

/** Another worker has the lease, or moved the bot. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/**
 * Takes the lease, in the state the bot is in, until `untilMs`.
 * Returns the row under its lease; `busyMs`, how long another worker may hold it; undefined where another worker
 * changed the row first.
 */
export const takeLease = async (
  services: Services,
  bot: Bot,
  untilMs: number,
): Promise<{ readonly held: LeasedBot } | { readonly busyMs: number } | undefined> => {
  const nowMs = services.now();
  const busyMs = bot.lease_until === undefined ? 0 : Date.parse(bot.lease_until) - nowMs;
  // guard: respect-held-lease
  if (busyMs > 0) return { busyMs };
  const lease_owner = services.randomId();
  const lease = { lease_owner, lease_until: new Date(untilMs).toISOString() };
  const leased = await services.table.updateBot(bot, lease, [bot.state]);
  return leased && { held: new LeasedBot(services, leased, lease_owner) };
};

/** The row of a bot whose lease we hold. */
export class LeasedBot {
  #bot: Bot;
  readonly #services: Services;
  readonly #owner: string;
  readonly #state: BotState;

  constructor(services: Services, bot: Bot, owner: string) {
    this.#services = services;
    this.#bot = bot;
    this.#owner = owner;
    this.#state = bot.state;
  }

  get bot(): Bot {
    return this.#bot;
  }

  /**
   * Writes to the row. Another worker may have changed it meanwhile (a list that names the bot again): as long as the
   * lease is ours the write is made on the fresh row. Throws LeaseLost otherwise.
   */
  async write(changes: BotChanges): Promise<void> {
    for (;;) {
      const written = await this.#services.table.updateBot(this.#bot, changes, [this.#state]);
      if (written) {
        this.#bot = written;
        return;
      }
      const { revision } = this.#bot;
      await this.refresh();
      if (this.#bot.revision === revision) throw new Error('the row does not allow this write');
    }
  }

  /** Reads the row again. Throws LeaseLost when the lease is no longer ours. */
  async refresh(): Promise<void> {
    const fresh = await this.#services.table.readBot(this.#bot.bot_id);
    if (fresh?.state !== this.#state) throw new LeaseLost('lease lost');
    // guard: write-under-own-lease
    if (fresh.lease_owner !== this.#owner) throw new LeaseLost('lease lost');
    this.#bot = fresh;
  }

  /**
   * Reserves the iterator of the next PIN call on the row, or as many in a row as it needs, together with
   * `changes`. Each is greater than any before; they count nanoseconds, like the SDKs', so that an SDK can go on using
   * the session. Returns the first.
   */
  async reserveIterators(count: bigint, changes: BotChanges): Promise<bigint> {
    const last = this.#bot.pin_iterator ?? 0n;
    let first = BigInt(this.#services.now()) * 1_000_000n;
    // guard: grow-iterator
    if (last >= first) first = last + 1n;
    await this.write({
      ...changes,
      // guard: reserve-iterator
      pin_iterator: first + count - 1n,
    });
    return first;
  }

  /** Gives the lease back without a move, together with `changes`. */
  async release(changes: BotChanges = {}): Promise<void> {
    await this.write({ ...changes, lease_owner: undefined, lease_until: undefined });
  }
}
