/**
 * What the steps and the API may use, as types only. lib/aws and lib/mixin implement them, and
 * lib/runtime/connect.ts puts them together; lib/api, lib/batches and lib/bots import nothing of lib/aws and lib/mixin.
 */

import type { Batch } from './batch.ts';
import type { Bot, BotChanges } from './bot.ts';
import type { QueueName } from './deployment.ts';
import type { NewAccount, SignInRequest } from './enrolment.ts';
import type { Keystore, PrivateKey, SessionKey } from './keystore.ts';
import type { Log } from './log.ts';
import type { Problem, RowError } from './problem.ts';
import type { BotState } from './states.ts';

/** One page of a list. `cursor` leads to the next page and is absent on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/**
 * The rows of bots and batches. Every write of a bot is a compare-and-set on its `revision`. A row that another
 * version of Enlist wrote is never read or written: every method throws for it.
 */
export interface Table {
  readBot(bot_id: string): Promise<Bot | undefined>;
  /** Which of these bots have a row. */
  findKnownBots(bot_ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Creates the row; undefined when the bot has one already. */
  createBot(bot: Bot): Promise<Bot | undefined>;
  /**
   * Writes the changes if the row still has the revision that was read (and, with `from`, is in one of these
   * states); undefined when another worker was first. A public key is written once, and the PIN iterator only grows.
   */
  updateBot(bot: Bot, changes: BotChanges, from?: readonly BotState[]): Promise<Bot | undefined>;
  /** Ids of the bots of one index partition that are due at `now` (ISO time), the one due first at the start. */
  listDueBots(shard: number, now: string, limit: number): Promise<readonly string[]>;
  /**
   * The bots of a batch in the order of its list; undefined for a cursor that this query did not return. A page may be
   * short, or empty, and have a cursor all the same.
   */
  listBots(query: BotQuery): Promise<Page<Bot> | undefined>;
  /** Notes for the bot's batch that another batch follows the bot from now on. Any number of calls are harmless. */
  recordFollowed(bot: Bot, by: string): Promise<void>;
  /** Counts the bots of a batch by state, and those that are enrolments once more by kind. */
  countBots(batch_id: string): Promise<BotCounts>;

  readBatch(batch_id: string): Promise<Batch | undefined>;
  /** Creates the batch; undefined when it exists already. */
  createBatch(batch: Batch): Promise<Batch | undefined>;
  /** Writes what one reading found in the list, once; undefined when another reading was written before. */
  recordListSummary(batch_id: string, summary: ListSummary): Promise<Batch | undefined>;
  /** Makes a planned batch `importing`, for an operator accepted its cost; undefined when it is not planned. */
  confirmBatch(batch_id: string): Promise<Batch | undefined>;
  /**
   * Records that a chunk is imported; the last one makes the batch `imported`. May be called any number of times for
   * one chunk. Returns the batch as it then is; throws when there is no such batch.
   */
  recordChunkDone(batch_id: string, chunk: number): Promise<Batch>;
  /**
   * Makes the batch `stuck`: its list, or a chunk of it, crashed intake and is in the dead-letter queue. Does nothing
   * to a batch that waits for no import.
   */
  recordStuck(batch_id: string, problem: Problem): Promise<void>;
  putRowErrors(batch_id: string, errors: readonly RowError[]): Promise<void>;
  /** The errors of a list, by row; undefined for a cursor that this method did not return. */
  listRowErrors(batch_id: string, limit: number, cursor?: string): Promise<Page<RowError> | undefined>;

  /** Records Mixin's answer to the request for a code. Does nothing when it is recorded already. */
  createVerification(verification: VerificationRecord): Promise<void>;
  readVerification(verification_id: string): Promise<VerificationRecord | undefined>;
}

export type StateCounts = Partial<Record<BotState, number>>;

export interface BotCounts {
  readonly states: StateCounts;
  /** Those of `states` that are enrolments, by kind. */
  readonly network_users: StateCounts;
  readonly sign_ins: StateCounts;
  /** How many bots of the batch another batch follows now, by batch. They are in none of the numbers above. */
  readonly followed_by: Readonly<Record<string, number>>;
}

/** A code that was requested through Enlist. The phone number is not stored. */
export interface VerificationRecord {
  readonly verification_id: string;
  /** The Mixin-Device-Id of the request. */
  readonly device_id: string;
  /** ISO time at which Mixin will delete the account; signing in cancels the deletion. */
  readonly deactivation_effective_at?: string;
}

export interface BotQuery {
  readonly batch_id: string;
  readonly state?: BotState;
  /** Only bots with this reason code. */
  readonly reason?: string;
  /** Also the bots that another batch follows now; without a state only. */
  readonly withFollowed?: boolean;
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
      readonly new_secrets?: number;
      readonly reading: string;
      readonly chunks: number;
    }
  | { readonly status: 'rejected'; readonly problem: Problem };

/** A bot's keystore in the vault, and its spend key. */
export interface StoredKeystore {
  readonly keystore: Keystore;
  /** Present once the bot has a spend key whose version is labelled. */
  readonly key?: StoredKey;
  /** The current version does not hold the key: programs that read only that version do not find it. */
  readonly isKeyHidden?: boolean;
}

/** What is known of a bot when a list brings its keystore. */
export interface ListedFor {
  /** The spend key that the bot's row names: no other is stored. */
  readonly public_key?: string;
  /** ISO time of the list: a session of a later list stays. */
  readonly listed_at?: string;
  /** Has Mixin shown that the stored TIP key is not the account's? Only then another one replaces it. */
  readonly isTipRefuted?: boolean;
}

export interface StoredKey {
  readonly private_key: PrivateKey;
  /** 64 hex characters. */
  readonly public_key: string;
  /** The version id of the secret that holds the private key. */
  readonly secret_version: string;
}

/** The only place where private keys are stored (Secrets Manager). */
export interface Vault {
  /** `pending_deletion`: the secret is scheduled for deletion, and cannot be read or replaced until then. */
  readKeystore(user_id: string): Promise<StoredKeystore | 'missing' | 'pending_deletion' | 'unreadable'>;
  /**
   * Stores a keystore of a list. A newer session replaces an older one; a stored spend key is never replaced.
   * `unchanged`: all of it was stored already. `key_conflict`: another spend key is stored, and nothing was written.
   * `tip_key_conflict`: the same of the TIP key. `superseded`: a later list has brought a session, which stays.
   * `pending_deletion`: the secret is scheduled for deletion, which blocks its name. `unreadable`: the secret holds
   * something else than this bot's keystore.
   */
  storeKeystore(
    keystore: Keystore,
    more?: ListedFor,
  ): Promise<
    | 'stored'
    | 'unchanged'
    | 'superseded'
    | 'key_conflict'
    | 'tip_key_conflict'
    | 'pending_deletion'
    | 'unreadable'
  >;
  /**
   * Makes sure that the bot has one spend key, and never another: stores `candidate` beside the keystore unless a
   * key is stored already, reads the key back, derives its public key and returns what was read. Of two callers at
   * the same time one wins, and both return the winner's key. Throws when the whole key cannot be read back.
   * @param named the public key that the bot's row names. `key_missing`: no key is stored and this is not the
   * candidate's; nothing was written.
   */
  storeKey(
    keystore: Keystore,
    candidate: PrivateKey,
    named?: string,
  ): Promise<StoredKey | 'key_missing' | 'pending_deletion' | 'unreadable'>;
  /** Writes the key, and the session of the latest list, into the current version where it lacks them. */
  restoreCurrent(user_id: string): Promise<void>;

  /**
   * Stores the session key of an account that does not exist yet, and what its sign-in needs, and reads both back.
   * A stored session key is never replaced; a newer `sign_in` replaces the older one. `isNew`: something was written.
   * Throws when the session key cannot be read back.
   */
  storeEnrolment(
    enrolment_id: string,
    secret: EnrolmentSecret,
  ): Promise<{ readonly stored: EnrolmentSecret; readonly isNew: boolean } | 'pending_deletion'>;
  readEnrolment(enrolment_id: string): Promise<EnrolmentSecret | 'missing' | 'pending_deletion'>;
  /** For when the account's own secret holds the key. The enrolment's secret can be restored for some days. */
  removeEnrolment(enrolment_id: string): Promise<void>;
}

/** What the vault stores for an account that does not exist yet. */
export interface EnrolmentSecret {
  readonly session_key: SessionKey;
  readonly sign_in?: SignInRequest;
}

/** The queues between the steps. Messages carry ids only, never a secret. */
export interface Queues {
  /** Throws when SQS goes on refusing some of the messages; others may have been sent. */
  send(queue: QueueName, messages: readonly Message[]): Promise<void>;
}

export interface Message {
  readonly body: Readonly<Record<string, string | number>>;
  /** For SQS's fair queues: a large batch does not delay the others. */
  readonly batch_id?: string;
  readonly delaySeconds?: number;
}

/** Uploaded lists, and their chunks, until they are imported. */
export interface Uploads {
  put(key: string, body: Uint8Array, contentType: string): Promise<void>;
  /** Undefined when there is no such object. */
  get(key: string): Promise<StoredUpload | undefined>;
  /**
   * Removes the object if its content is still this version; false when another has replaced it, which then stays.
   * A key without an object is fine.
   */
  removeVersion(key: string, version: string): Promise<boolean>;
  /** Keys without an object are fine. */
  remove(keys: readonly string[]): Promise<void>;
  /** A form (multipart/form-data) with which anybody can upload one object of this key and type, until it expires. */
  createForm(
    form: UploadForm,
  ): Promise<{ readonly url: string; readonly fields: Readonly<Record<string, string>> }>;
}

export interface StoredUpload {
  readonly body: Uint8Array;
  readonly contentType: string;
  /** Names this content of the key (S3's ETag). */
  readonly version: string;
}

export interface UploadForm {
  readonly key: string;
  readonly contentType: string;
  readonly maxBytes: number;
  readonly expiresInSeconds: number;
}

/** What Mixin shows of an account, in GET /safe/me and in the answers to the POSTs. */
export interface Profile {
  readonly user_id: string;
  readonly has_pin: boolean;
  readonly has_safe: boolean;
  /** 64 hex characters, or empty when the account has no TIP PIN. */
  readonly tip_public_key: string;
  /** 64 hex characters; absent when Mixin does not show it. */
  readonly spend_public_key?: string;
  /** The X-Request-Id of the call. */
  readonly request_id: string;
}

/** What a call that carries a PIN needs of the lease it is made under. */
export interface PinCall {
  /** Grows with each PIN call. */
  readonly iterator: bigint;
  /** Mixin refuses the call after this: the end of the lease. Milliseconds since 1970. */
  readonly validUntilMs: number;
}

/** Calls of one bot to Mixin. Each throws MixinError, and none is ever sent twice. */
export interface MixinSafe {
  /** GET /safe/me */
  readProfile(keystore: Keystore): Promise<Profile>;
  /** GET /logs: ISO times of the wrong PINs that Mixin recorded, newest first, five at most. */
  readPinErrors(keystore: Keystore): Promise<readonly string[]>;
  /**
   * POST /pin/update: sets the TIP PIN of an account that has none, or a six-digit one (`oldPin`).
   * With `oldPin` the number after the iterator is used as well.
   */
  setTipPin(keystore: Keystore, tipKey: PrivateKey, call: PinCall, oldPin?: string): Promise<Profile>;
  /** POST /safe/users */
  registerSafe(keystore: Keystore, spendKey: PrivateKey, tipKey: PrivateKey, call: PinCall): Promise<Profile>;
}

/** A request to send a code to a phone. The phone number goes to Mixin and nowhere else. */
export interface CodeRequest
  extends Pick<
    SignInRequest,
    'purpose' | 'device_id' | 'platform' | 'platform_version' | 'app_version' | 'package_name'
  > {
  /** E.164. */
  readonly phone: string;
  /** A person's answer to a captcha, under Mixin's own field names. */
  readonly captcha: Readonly<Record<string, string>>;
}

/** Mixin's answer when it has sent a code. */
export interface Verification {
  readonly verification_id: string;
  readonly has_emergency_contact: boolean;
  readonly contact_id?: string;
  /** ISO times; present where the account is scheduled for deletion. */
  readonly deactivation_requested_at?: string;
  readonly deactivation_effective_at?: string;
  readonly request_id: string;
}

/** A signed-in account, and what Mixin's answer shows of its person: all of it but the keys. */
export interface SignInResult {
  readonly account: NewAccount;
  readonly person: Readonly<Record<string, unknown>>;
}

/** Calls that create or sign in accounts. Each throws MixinError, and none is ever sent twice. */
export interface MixinAccounts {
  /** POST /users, signed by an owner bot: creates a network user, which costs money. */
  createUser(
    owner: Keystore,
    user: { readonly full_name: string; readonly session_key: SessionKey },
  ): Promise<NewAccount>;
  /** POST /verifications */
  requestCode(request: CodeRequest): Promise<Verification>;
  /** POST /verifications/:id */
  signIn(verification_id: string, session_key: SessionKey, request: SignInRequest): Promise<SignInResult>;
}

/** Ed25519 and RSA. No method reads or sends anything. */
export interface Keys {
  /** The public key, 64 hex characters. Throws MixinError `bad_keystore`. */
  derivePublicKey(key: PrivateKey): Promise<string>;
  /** Could this (64 hex characters) be a reduced scalar? One in sixteen random seeds could. */
  isScalar(hex: string): boolean;
  /** Is this (64 hex characters) a point that PIN encryption can use? */
  isPublicKey(hex: string): boolean;
  /**
   * The Ed25519 point with sign bit 0 that maps to an X25519 public key, both 64 hex characters; undefined when no
   * point does.
   */
  ed25519FromX25519(hex: string): string | undefined;
  /**
   * Reads an RSA private key in PEM. `pem` is its normal form (PKCS#1, LF line ends). Undefined when it is not such a
   * key.
   */
  readRsaKey(
    pem: string,
  ): Promise<{ readonly pem: string; readonly public_key: string; readonly bits: number } | undefined>;
  /** Can this key decrypt this pin_token (base64) of that session? */
  canDecryptPinToken(pem: string, pin_token: string, session_id: string): Promise<boolean>;
  /** A new RSA session key in PEM. */
  generateRsaKey(): Promise<string>;
}

/** What a ZIP archive needs. */
export interface Compression {
  /** Raw deflate data (RFC 1951) → its bytes; undefined when the data is damaged or holds more than `maxBytes`. */
  inflate(data: Uint8Array, maxBytes: number): Promise<Uint8Array | undefined>;
  /** CRC-32 as ZIP has it, an unsigned number of 32 bits. */
  crc32(bytes: Uint8Array): number;
}

export interface Services {
  readonly keys: Keys;
  readonly compression: Compression;
  readonly table: Table;
  readonly vault: Vault;
  readonly queues: Queues;
  readonly uploads: Uploads;
  readonly mixin: MixinSafe;
  readonly accounts: MixinAccounts;
  readonly log: Log;
  /** Seconds between two audits of a finished bot. */
  readonly auditSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly randomId: () => string;
}
