/**
 * What a step may touch, as types only. The doors (functions/) receive the real ones from connect.ts;
 * lib/provision knows nothing else of the world.
 */

import type { Batch } from './batch.ts';
import type { Bot, BotChanges } from './bot.ts';
import type { QueueName } from './deployment.ts';
import type { NewAccount, SignInRequest } from './enrolment.ts';
import type { Keystore, PrivateKey, SessionKey } from './keystore.ts';
import type { Log } from './log.ts';
import type { Problem, RowError } from './problem.ts';
import type { BotState } from './states.ts';

/** A page of something; `cursor` is there when more follows. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** The rows. Every write of a bot is a compare-and-set on its `revision`. */
export interface Table {
  readBot(bot_id: string): Promise<Bot | undefined>;
  /** Makes the row; undefined when the bot has one already. */
  createBot(bot: Bot): Promise<Bot | undefined>;
  /**
   * Writes the changes if the row is still as it was read (and, with `from`, in one of these states);
   * undefined when somebody else was first. A public key is written once and the PIN iterator only grows.
   */
  updateBot(bot: Bot, changes: BotChanges, from?: readonly BotState[]): Promise<Bot | undefined>;
  /** Bots that are due at `now` (ISO), soonest first, of one index partition. */
  listDueBots(shard: number, now: string, limit: number): Promise<readonly string[]>;
  /** Bots of a batch, all or in one state; undefined when the cursor is not one of ours. */
  listBots(query: BotQuery): Promise<Page<Bot> | undefined>;
  /** How many bots of the batch are in each state, and how many of them are rows of enrolments. */
  countBots(batch_id: string): Promise<BotCounts>;

  readBatch(batch_id: string): Promise<Batch | undefined>;
  /** Makes the batch; undefined when it is there already. */
  createBatch(batch: Batch): Promise<Batch | undefined>;
  /** Writes the result of reading the list, once; undefined when it was written before. */
  recordListSummary(batch_id: string, read: ListSummary): Promise<Batch | undefined>;
  /** An operator accepted the cost: a planned batch is taken in; undefined when it is not planned. */
  confirmBatch(batch_id: string): Promise<Batch | undefined>;
  /** Marks a chunk as taken in (any number of times) and returns the batch as it then is. */
  recordChunkDone(batch_id: string, chunk: number): Promise<Batch>;
  /** Notes on the batch that its list or a chunk of it crashed intake and lies with the dead letters. */
  recordStuck(batch_id: string, problem: Problem): Promise<void>;
  putRowErrors(batch_id: string, errors: readonly RowError[]): Promise<void>;
  /** Errors of a list by line; undefined when the cursor is not one of ours. */
  listRowErrors(batch_id: string, limit: number, cursor?: string): Promise<Page<RowError> | undefined>;

  /** Notes what Mixin said when a code was asked for. */
  createVerification(verification: VerificationRecord): Promise<void>;
  readVerification(verification_id: string): Promise<VerificationRecord | undefined>;
}

export type StateCounts = Partial<Record<BotState, number>>;

export interface BotCounts {
  readonly states: StateCounts;
  /** Those of `states` that are rows of enrolments, by what is done for them. */
  readonly network_users: StateCounts;
  readonly sign_ins: StateCounts;
}

/** A code that was asked for through Enlist. No phone number is kept. */
export interface VerificationRecord {
  readonly verification_id: string;
  /** The Mixin-Device-Id it was asked with. */
  readonly device_id: string;
  /** ISO time; the account is to be deleted then, and signing in calls that off. */
  readonly deactivation_effective_at?: string;
}

export interface BotQuery {
  readonly batch_id: string;
  readonly state?: BotState;
  readonly limit: number;
  readonly cursor?: string;
}

export type ListSummary =
  | {
      readonly status: 'planned' | 'importing' | 'imported';
      readonly total: number;
      readonly invalid: number;
      readonly duplicates: number;
      readonly errors_left_out?: number;
      readonly paid_rows?: number;
      readonly chunks: number;
    }
  | { readonly status: 'rejected'; readonly problem: Problem };

/** A bot's keystore as the vault holds it, and the version that carries the key. */
export interface StoredKeystore {
  readonly keystore: Keystore;
  /** Present once the bot has its spend key: the id of the version that was labelled with it. */
  readonly key?: StoredKey;
}

export interface StoredKey {
  readonly private_key: PrivateKey;
  /** 64 hex characters. */
  readonly public_key: string;
  readonly secret_version: string;
}

/** The only place for private keys (Secrets Manager). */
export interface Vault {
  readKeystore(user_id: string): Promise<StoredKeystore | 'missing' | 'pending_deletion'>;
  /**
   * Stores a keystore that came in a list. A newer session replaces an older one; a spend key that is kept
   * already is never replaced. `unchanged`: all of it was there already. `key_conflict`: the list brings another spend key than the kept one, and
   * nothing was written. `pending_deletion`: the secret's name is blocked by a deletion that waits.
   */
  storeKeystore(keystore: Keystore): Promise<'stored' | 'unchanged' | 'key_conflict' | 'pending_deletion'>;
  /**
   * Makes sure the bot has one spend key, for ever: stores `candidate` beside the keystore unless a key is
   * kept already, reads it back, derives its public key and returns what is really there. Of two callers
   * one wins and both return the winner's key. Throws when the read-back does not show a whole key.
   */
  storeKey(keystore: Keystore, candidate: PrivateKey): Promise<StoredKey>;

  /**
   * Stores the session key of an account that is yet to be made, and what its sign-in needs, and reads it back.
   * A session key that is kept already is never replaced; what was listed with it is. Throws when the
   * read-back does not show it whole.
   */
  storeEnrolment(
    enrolment_id: string,
    listed: EnrolmentSecret,
  ): Promise<{ readonly stored: EnrolmentSecret; readonly isNew: boolean } | 'pending_deletion'>;
  readEnrolment(enrolment_id: string): Promise<EnrolmentSecret | 'missing' | 'pending_deletion'>;
  /** The account's own secret holds the key now; this one can be restored for some days. */
  removeEnrolment(enrolment_id: string): Promise<void>;
}

/** What the vault holds for an account that is yet to be made. */
export interface EnrolmentSecret {
  readonly session_key: SessionKey;
  readonly sign_in?: SignInRequest;
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
  /** GET /logs: when wrong PINs were noted, ISO times, newest first, five at most. */
  readPinErrors(keystore: Keystore): Promise<readonly string[]>;
  /**
   * POST /pin/update: sets the TIP PIN of an account that has none, or a six-digit one (`oldPin`).
   * `iterator` must grow with each PIN call; with `oldPin` the one after it is used as well.
   */
  setTipPin(keystore: Keystore, tipKey: PrivateKey, iterator: bigint, oldPin?: string): Promise<Profile>;
  /** POST /safe/users */
  registerSafe(
    keystore: Keystore,
    spendKey: PrivateKey,
    tipKey: PrivateKey,
    iterator: bigint,
  ): Promise<Profile>;
}

/** Asks for a code to be sent to a phone. The phone number goes to Mixin and nowhere else. */
export interface CodeRequest {
  /** E.164. */
  readonly phone: string;
  readonly purpose: 'SESSION';
  readonly device_id: string;
  readonly platform: string;
  readonly platform_version: string;
  readonly app_version: string;
  readonly package_name: string;
  /** What a person answered to a captcha, under Mixin's own field names. */
  readonly captcha: Readonly<Record<string, string>>;
}

/** What Mixin says when it has sent a code. */
export interface Verification {
  readonly verification_id: string;
  readonly has_emergency_contact: boolean;
  readonly contact_id?: string;
  /** ISO times; present where the account is scheduled for deletion. */
  readonly deactivation_requested_at?: string;
  readonly deactivation_effective_at?: string;
  readonly request_id: string;
}

/** A signed-in account, and what Mixin tells of its person: everything of the answer but its keys. */
export interface SignInResult {
  readonly account: NewAccount;
  readonly person: Readonly<Record<string, unknown>>;
}

/** Calls that make accounts. Each throws MixinError and none is ever resent. */
export interface MixinAccounts {
  /** POST /users, signed by an owner bot: makes a network user, and costs money. */
  createUser(
    owner: Keystore,
    user: { readonly full_name: string; readonly session_key: SessionKey },
  ): Promise<NewAccount>;
  /** POST /verifications */
  requestCode(request: CodeRequest): Promise<Verification>;
  /** POST /verifications/:id */
  signIn(verification_id: string, session_key: SessionKey, request: SignInRequest): Promise<SignInResult>;
}

/** Ed25519 and RSA, without IO. */
export interface Keys {
  /** 64 hex characters out. Throws MixinError `bad_keystore`. */
  derivePublicKey(key: PrivateKey): Promise<string>;
  /** Could this (64 hex characters) be a reduced scalar? Of random seeds one in sixteen could. */
  isScalar(hex: string): boolean;
  /** Is this (64 hex characters) a point that PIN encryption can use? */
  isPublicKey(hex: string): boolean;
  /** X25519 public key → an Ed25519 point with that image and sign bit 0, both 64 hex characters; undefined when there is none. */
  ed25519FromX25519(hex: string): string | undefined;
  /** An RSA private key in PEM, in its normal form (PKCS#1, LF) and with its public half; undefined when it is none. */
  readRsaKey(
    pem: string,
  ): { readonly pem: string; readonly public_key: string; readonly bits: number } | undefined;
  /** Does this key open this pin_token (base64) of that session? */
  canDecryptPinToken(pem: string, pin_token: string, session_id: string): boolean;
  /** A new RSA session key in PEM. */
  generateRsaKey(): Promise<string>;
}

export interface Services {
  readonly keys: Keys;
  readonly table: Table;
  readonly vault: Vault;
  readonly queues: Queues;
  readonly uploads: Uploads;
  readonly mixin: MixinSafe;
  readonly accounts: MixinAccounts;
  readonly log: Log;
  /** How long a bot at rest is left alone before it is looked at again. */
  readonly auditSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly randomId: () => string;
}
