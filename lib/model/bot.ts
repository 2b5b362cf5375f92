/** The records of the table: bots, batches and the errors of a list's rows. */
import type { BotState } from './states.ts';

/** Why a bot is where it is, and what to do about it. Never holds anything secret. */
export interface Reason {
  /** Stable, for scripts. */
  readonly code: string;
  /** What happened, one sentence. */
  readonly message: string;
  /** What the operator should do, one sentence. */
  readonly todo: string;
}

/** One line of a bot's history. */
export interface HistoryEntry {
  readonly at: string;
  readonly state: BotState;
  readonly step: string;
  readonly code?: string;
  /** X-Request-Id of the Mixin call behind it: what Mixin's support asks for. */
  readonly request_id?: string;
}

/** How a row that has no account yet gets one. */
export type Enrolment =
  | {
      /** A user that an owner bot creates: POST /users, which costs money. */
      readonly kind: 'network_user';
      /** User id of the bot that creates it. */
      readonly owner: string;
      readonly full_name: string;
    }
  | {
      /** Sign-in with a code: POST /verifications/:id. */
      readonly kind: 'sign_in';
      readonly verification_id: string;
    };

/** One bot. Times are ISO 8601 in UTC; nothing in here is secret. */
export interface Bot {
  /** Mixin's user id; on the row of an enrolment an id of our own (lib/bots/enrolment.ts). */
  readonly user_id: string;
  readonly session_id?: string;
  /** The batch that listed the bot last. */
  readonly batch_id: string;
  /** Its line in that list. */
  readonly line: number;
  /** Digest of the public halves of the listed keystore: tells a changed row from the same row again. */
  readonly listing: string;
  readonly state: BotState;
  readonly state_since: string;
  readonly reason?: Reason;
  /** Grows with every write: the compare-and-set of all of them. */
  readonly revision: number;
  /** The spend key. Only a key named here is ever sent to Mixin. */
  readonly public_key?: string;
  /** The secret's version that holds its private half. */
  readonly secret_version?: string;
  /** Tries since the bot last came forward; the pause grows with it. */
  readonly attempts: number;
  /** Times the sweep found the bot queued for too long, since it last moved. */
  readonly stalls?: number;
  /** Not before this time. */
  readonly wait_until?: string;
  /** When the sweep looks for the bot, whatever became of its messages. */
  readonly due_at?: string;
  /** One worker at a time makes PIN calls for a bot. */
  readonly lease_owner?: string;
  readonly lease_until?: string;
  /** Iterator of the last PIN call, reserved before it was sent; only grows. */
  readonly pin_iterator?: bigint;
  /** POST /pin/update was sent. */
  readonly pin_sent_at?: string;
  /** … and Mixin said yes: never send it again. */
  readonly pin_set_at?: string;
  /** POST /safe/users was sent. */
  readonly safe_sent_at?: string;
  /** … and Mixin said yes: never send it again. */
  readonly safe_set_at?: string;
  /** Mixin locked PIN calls of this account until then. */
  readonly pin_locked_until?: string;
  /** A six-digit PIN was wrong; no other is ever tried for this bot. */
  readonly wrong_pin_at?: string;
  /** Present on the row of an enrolment only. */
  readonly enrolment?: Enrolment;
  /** The call that makes the account was sent. */
  readonly account_sent_at?: string;
  /** … and this is the account it made. */
  readonly account?: NewAccount;
  readonly history: readonly HistoryEntry[];
}

/** An account that Mixin has just made or signed in: what a keystore needs beyond the session's private key. */
export interface NewAccount {
  readonly user_id: string;
  readonly session_id: string;
  /** 64 hex characters; of an Ed25519 session. */
  readonly server_public_key?: string;
  /** Base64 of the key that PINs are encrypted with, itself encrypted; of an RSA session. */
  readonly pin_token?: string;
  /** The X-Request-Id of the call that made it. */
  readonly request_id: string;
}

/** Written once, or only ever growing: these cannot be removed. */
type Lasting = 'public_key' | 'secret_version' | 'pin_iterator' | 'wrong_pin_at' | 'account';

/** Attributes to set; `undefined` removes one. Key, revision and index attributes are the table's business. */
export type BotChanges = {
  readonly [K in Exclude<keyof Bot, 'user_id' | 'revision' | Lasting>]?: Bot[K] | undefined;
} & { readonly [K in Lasting]?: NonNullable<Bot[K]> };

export type BatchStatus = 'received' | 'rejected' | 'planned' | 'taking_in' | 'taken_in' | 'stuck';

/** What is wrong with a whole list. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

/** One list. */
export interface Batch {
  readonly batch_id: string;
  readonly status: BatchStatus;
  readonly created_at: string;
  /** SHA-256 of the list as it came: an Idempotency-Key stands for one list only. */
  readonly list_digest?: string;
  /** Rows of the list, wrong and double ones included. */
  readonly total: number;
  readonly invalid: number;
  readonly duplicates: number;
  /** Errors that are counted but not kept: a list can have a great many. */
  readonly errors_left_out?: number;
  /** Rows that make a user which costs money. */
  readonly paid_rows?: number;
  readonly chunks: number;
  /** Numbers of the chunks that are taken in, from 1. */
  readonly chunks_done: readonly number[];
  readonly problem?: Problem;
}

/** What is wrong with a row of a list: line, field, and how to mend it. Never quotes a value. */
export interface RowError {
  /** The file of an archive that the row stands in. */
  readonly file?: string;
  /** Which row of the list, from 1. */
  readonly row: number;
  /** Where it begins in the file, from 1. */
  readonly line: number;
  readonly field: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}
