/**
 * What a step may touch, as types only. The doors (functions/) receive the real ones from connect.ts;
 * lib/provision knows nothing else of the world.
 */

import type { Keystore } from './keystore.ts';
import type { Log } from './log.ts';
import type { Batch, Bot, BotChanges, Problem, RowError } from './provision/records.ts';
import type { BotState } from './provision/states.ts';
import type { QueueName } from './topology.ts';

/** A page of something; `cursor` is there when more follows. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** The rows. Every write of a bot is a compare-and-set on its `revision`. */
export interface Table {
  readBot(user_id: string): Promise<Bot | undefined>;
  /** Makes the row; undefined when the bot has one already. */
  createBot(bot: Bot): Promise<Bot | undefined>;
  /**
   * Writes the changes if the row is still as it was read (and, with `from`, in one of these states);
   * undefined when somebody else was first. A public key is written once and the PIN iterator only grows.
   */
  updateBot(bot: Bot, changes: BotChanges, from?: readonly BotState[]): Promise<Bot | undefined>;
  /** Bots that are due at `now` (ISO), soonest first, of one index partition. */
  dueBots(shard: number, now: string, limit: number): Promise<readonly string[]>;
  /** Bots of a batch, all or in one state; undefined when the cursor is not one of ours. */
  listBots(query: BotQuery): Promise<Page<Bot> | undefined>;
  /** How many bots of the batch are in each state. */
  countBots(batch_id: string): Promise<Partial<Record<BotState, number>>>;

  readBatch(batch_id: string): Promise<Batch | undefined>;
  /** Makes the batch; undefined when it is there already. */
  createBatch(batch: Batch): Promise<Batch | undefined>;
  /** Writes the result of reading the list, once; undefined when it was written before. */
  recordListRead(batch_id: string, read: ListRead): Promise<Batch | undefined>;
  /** Marks a chunk as taken in (any number of times) and returns the batch as it then is. */
  recordChunkDone(batch_id: string, chunk: number): Promise<Batch>;
  /** Notes on the batch that its list or a chunk of it crashed intake and lies with the dead letters. */
  recordStuck(batch_id: string, problem: Problem): Promise<void>;
  putRowErrors(batch_id: string, errors: readonly RowError[]): Promise<void>;
  /** Errors of a list by line; undefined when the cursor is not one of ours. */
  listRowErrors(batch_id: string, limit: number, cursor?: string): Promise<Page<RowError> | undefined>;
}

export interface BotQuery {
  readonly batch_id: string;
  readonly state?: BotState;
  readonly limit: number;
  readonly cursor?: string;
}

export type ListRead =
  | {
      readonly status: 'taking_in' | 'taken_in';
      readonly total: number;
      readonly invalid: number;
      readonly duplicates: number;
      readonly errors_left_out?: number;
      readonly chunks: number;
    }
  | { readonly status: 'rejected'; readonly problem: Problem };

/** A bot's keystore as the vault holds it, and the version that carries the key. */
export interface Kept {
  readonly keystore: Keystore;
  /** Present once the bot has its spend key: the id of the version that was labelled with it. */
  readonly key?: KeptKey;
}

export interface KeptKey {
  /** 32-byte Ed25519 seed. */
  readonly seed: Uint8Array;
  /** 64 hex characters. */
  readonly public_key: string;
  readonly secret_version: string;
}

/** The only place for private keys (Secrets Manager). */
export interface Vault {
  read(user_id: string): Promise<Kept | 'missing' | 'pending_deletion'>;
  /**
   * Stores a keystore that came in a list. A newer session replaces an older one; a spend key that is kept
   * already is never replaced. `same`: all of it was there already. `key_conflict`: the list brings another spend key than the kept one, and
   * nothing was written. `pending_deletion`: the secret's name is blocked by a deletion that waits.
   */
  keepKeystore(keystore: Keystore): Promise<'kept' | 'same' | 'key_conflict' | 'pending_deletion'>;
  /**
   * Makes sure the bot has one spend key, for ever: stores `candidate` beside the keystore unless a key is
   * kept already, reads it back, derives its public key and returns what is really there. Of two callers
   * one wins and both return the winner's key. Throws when the read-back does not show a whole key.
   */
  keepKey(keystore: Keystore, candidate: Uint8Array): Promise<KeptKey>;
}

/** Messages between the steps: ids only, never a secret. */
export interface Queues {
  send(queue: QueueName, messages: readonly Message[]): Promise<void>;
}

export interface Message {
  readonly body: Readonly<Record<string, string | number>>;
  /** Fair queues: a large batch does not keep the others waiting. */
  readonly batch_id?: string;
  readonly delaySeconds?: number;
}

/** Lists as they came in, and their chunks, until they are taken in. */
export interface Uploads {
  put(key: string, body: Uint8Array, contentType: string): Promise<void>;
  /** Undefined when the object is gone. */
  get(key: string): Promise<{ readonly body: Uint8Array; readonly contentType: string } | undefined>;
  remove(keys: readonly string[]): Promise<void>;
  /** A form (multipart/form-data) that lets its holder put one object of this key, type and size at most. */
  createForm(
    form: UploadForm,
  ): Promise<{ readonly url: string; readonly fields: Readonly<Record<string, string>> }>;
}

export interface UploadForm {
  readonly key: string;
  readonly contentType: string;
  readonly maxBytes: number;
  readonly expiresInSeconds: number;
}

/** What Mixin says of an account (GET /safe/me and the answers of the POSTs), as far as Enlist believes it. */
export interface Profile {
  readonly user_id: string;
  readonly has_pin: boolean;
  readonly has_safe: boolean;
  /** 64 hex characters, or empty when the account has no TIP PIN. */
  readonly tip_public_key: string;
  /** 64 hex characters; absent when Mixin does not tell. */
  readonly spend_public_key?: string;
  /** The X-Request-Id of the call that told this. */
  readonly request_id: string;
}

/** Calls of one bot to Mixin. Each throws MixinError and none is ever resent. */
export interface MixinSafe {
  /** GET /safe/me */
  readProfile(keystore: Keystore): Promise<Profile>;
  /** POST /pin/update: sets the TIP PIN of an account that has none. `iterator` must grow with each PIN call. */
  setTipPin(keystore: Keystore, tipSeed: Uint8Array, iterator: bigint): Promise<Profile>;
  /** POST /safe/users */
  registerSafe(
    keystore: Keystore,
    spendSeed: Uint8Array,
    tipSeed: Uint8Array,
    iterator: bigint,
  ): Promise<Profile>;
}

/** Ed25519, without IO. */
export interface Keys {
  /** 32-byte seed in, 64 hex characters out. */
  publicKeyOf(seed: Uint8Array): Promise<string>;
  /** Is this (64 hex characters) a point that PIN encryption can use? */
  isPublicKey(hex: string): boolean;
}

export interface Services {
  readonly keys: Keys;
  readonly table: Table;
  readonly vault: Vault;
  readonly queues: Queues;
  readonly uploads: Uploads;
  readonly mixin: MixinSafe;
  readonly log: Log;
  /** How long a bot at rest is left alone before it is looked at again. */
  readonly auditSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly randomId: () => string;
}
