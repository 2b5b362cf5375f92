/** The row of a bot. */
import type { Enrolment, NewAccount } from './enrolment.ts';
import type { Problem } from './problem.ts';
import type { BotState } from './states.ts';

/** One line of a bot's history. */
export interface HistoryEntry {
  readonly at: string;
  readonly state: BotState;
  readonly step: string;
  readonly code?: string;
  /** X-Request-Id of the Mixin call behind it: what Mixin's support asks for. */
  readonly request_id?: string;
}

/** One bot. Times are ISO 8601 in UTC; nothing in here is secret. */
export interface Bot {
  /** Mixin's user id; on the row of an enrolment an id of our own (lib/bots/enrolment.ts). */
  readonly bot_id: string;
  readonly session_id?: string;
  /** The batch that listed the bot last. */
  readonly batch_id: string;
  /** Its row in that list, from 1: the order in which bots are listed. Absent in a batch of one. */
  readonly row?: number;
  /** Its line in that list. */
  readonly line: number;
  /** What people call it: never a key (lib/lists/label.ts). */
  readonly label?: string;
  /** Digest of the public parts of the list's row: it shows whether a later list brings something new. */
  readonly row_digest: string;
  readonly state: BotState;
  readonly state_since: string;
  /** Why the bot is in its state, and what to do. Never holds anything secret. */
  readonly reason?: Problem;
  /** Grows with every write: the compare-and-set of all of them. */
  readonly revision: number;
  /** The spend key. Only a key named here is ever sent to Mixin. */
  readonly public_key?: string;
  /** The secret's version that holds its private half. */
  readonly secret_version?: string;
  /** Failed attempts in a row; the pause grows with them. */
  readonly attempts: number;
  /** Times the sweep found the bot queued for too long, since it last moved. */
  readonly stalls?: number;
  /** Not before this time. */
  readonly wait_until?: string;
  /** When the sweep queues the bot, whatever became of its messages. */
  readonly due_at?: string;
  /** One worker at a time makes PIN calls for a bot. */
  readonly lease_owner?: string;
  readonly lease_until?: string;
  /** Iterator of the last PIN call, reserved before it was sent; it only grows. */
  readonly pin_iterator?: bigint;
  /** POST /pin/update was sent. */
  readonly pin_sent_at?: string;
  /** … and Mixin accepted it: never send it again. */
  readonly pin_set_at?: string;
  /** POST /safe/users was sent. */
  readonly safe_sent_at?: string;
  /** … and Mixin accepted it: never send it again. */
  readonly safe_set_at?: string;
  /** Mixin locked the PIN of this account until then. */
  readonly pin_locked_until?: string;
  /** A six-digit PIN was wrong; no other is ever tried for this bot. */
  readonly wrong_pin_at?: string;
  /** Present on the row of an enrolment only. */
  readonly enrolment?: Enrolment;
  /** The call that creates the account was sent. */
  readonly account_sent_at?: string;
  /** … and this is the account that it created. */
  readonly account?: NewAccount;
  readonly history: readonly HistoryEntry[];
}

/** Written once, or only ever growing: these cannot be removed. */
type WriteOnceAttribute = 'public_key' | 'secret_version' | 'pin_iterator' | 'wrong_pin_at' | 'account';

/** Attributes to set; `undefined` removes one. The table itself writes the key, the revision and the index attributes. */
export type BotChanges = {
  readonly [K in Exclude<keyof Bot, 'bot_id' | 'revision' | WriteOnceAttribute>]?: Bot[K] | undefined;
} & { readonly [K in WriteOnceAttribute]?: NonNullable<Bot[K]> };
