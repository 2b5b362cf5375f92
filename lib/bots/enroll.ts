/**
 * enroll: gets an account for a row that has none. The session key is stored and read back before the call that
 * binds it, the row notes the call before it leaves, and it is made at most once: a network user costs money, and
 * neither call can be repeated without harm. What Mixin answered goes to the row first, so that nothing of it is
 * lost when this is interrupted; then the account gets a secret and a row of its own.
 */

import type { Bot } from '../model/bot.ts';
import type {
  Enrolment,
  NetworkUserEnrolment,
  NewAccount,
  SignInEnrolment,
  SignInRequest,
} from '../model/enrolment.ts';
import type { SessionKey } from '../model/keystore.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services, SignInResult } from '../model/ports.ts';
import type { ReasonCode } from '../model/reasons.ts';
import { isoTimeAfter, isWaitOver } from '../model/timing.ts';
import { botMessage } from './check.ts';
import { buildKeystore } from './enrolment.ts';
import { generateSeed } from './key-forms.ts';
import { LeaseLost } from './lease.ts';
import { endWork, type LeasedWork, requireTime, withLease } from './leased-work.ts';
import { describeMixinError } from './mixin-failure.ts';
import { moveBot, sendAtEndOfWait, sendToStep } from './transition.ts';
import { upsertBot } from './upsert.ts';

const step = 'enroll';

/** The reason of a call whose answer never came. */
const lostAnswers: Readonly<Record<Enrolment['kind'], ReasonCode>> = {
  network_user: 'user_creation_unknown',
  sign_in: 'sign_in_unknown',
};

/** Each attempt of a busy table is some seconds of attempts already (lib/runtime/connect.ts). */
const RECORD_ATTEMPTS = 10;

/** Only this function knows the account, which may have cost money: it tries to write it for as long as there is time. */
const recordAccount = async ({ services, leased, deadlineMs }: LeasedWork, account: NewAccount) => {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await leased.write({ account });
    } catch (error) {
      const isOver = attempts === RECORD_ATTEMPTS || services.now() >= deadlineMs;
      // guard: retry-recording-account
      if (!isOver && !(error instanceof LeaseLost)) continue;
      const { user_id: bot_id, request_id } = account;
      const { batch_id } = leased.bot;
      services.log('error', 'account_not_recorded', { step, bot_id, batch_id, request_id });
      throw error;
    }
  }
};

/** Makes the call, once, and writes the account that it created to the row. */
const sendOnce = async (
  work: LeasedWork,
  kind: Enrolment['kind'],
  send: () => Promise<SignInResult>,
): Promise<SignInResult> => {
  const { services, leased } = work;
  // guard: require-time-before-note
  await requireTime(work);
  // guard: note-call-before-send
  await leased.write({ account_sent_at: isoTimeAfter(services.now(), 0) });
  // The write may have taken long, or this machine may have slept: nothing slow comes after this look at the clock.
  // guard: require-time-after-note
  await requireTime(work, { account_sent_at: undefined });
  try {
    const result = await send();
    // guard: record-account
    await recordAccount(work, result.account);
    return result;
  } catch (error) {
    if (!(error instanceof MixinError)) throw error;
    // guard: never-repeat-lost-call
    if (error.verdict === 'unsure') return endWork(work, 'mark_unsure', lostAnswers[kind], error.request_id);
    // Nothing happened, Mixin says.
    await leased.write({ account_sent_at: undefined });
    throw error;
  }
};

/** The session key that the vault has for this enrolment: this one, or one that another worker stored first. */
const storeSessionKey = async (work: LeasedWork, session_key: SessionKey): Promise<SessionKey> => {
  const stored = await work.services.vault.storeEnrolment(work.leased.bot.bot_id, { session_key });
  if (stored === 'pending_deletion') return endWork(work, 'block', 'secret_pending_deletion');
  // guard: send-stored-session-key
  return stored.stored.session_key;
};

/** What a call answered, and the private key of the account's session. */
interface EnrolmentResult extends SignInResult {
  readonly session_key: SessionKey;
}

const createUser = async (
  work: LeasedWork,
  { kind, owner, full_name }: NetworkUserEnrolment,
): Promise<EnrolmentResult> => {
  const { services } = work;
  const stored = await services.vault.readKeystore(owner);
  if (typeof stored !== 'object') return endWork(work, 'block', 'owner_missing');
  const session_key = await storeSessionKey(work, generateSeed(services));
  const result = await sendOnce(work, kind, async () => ({
    account: await services.accounts.createUser(stored.keystore, { full_name, session_key }),
    person: {},
  }));
  return { ...result, session_key };
};

const signIn = async (
  work: LeasedWork,
  { kind, verification_id }: SignInEnrolment,
  liveRequest: SignInRequest | undefined,
): Promise<EnrolmentResult> => {
  const { services, leased } = work;
  const secret = await services.vault.readEnrolment(leased.bot.bot_id);
  if (typeof secret !== 'object') return endWork(work, 'block', 'sign_in_missing');
  const { session_key } = secret;
  const request = liveRequest ?? secret.sign_in ?? (await endWork(work, 'block', 'sign_in_missing'));
  const send = () => services.accounts.signIn(verification_id, session_key, request);
  return { ...(await sendOnce(work, kind, send)), session_key };
};

/**
 * The account has a secret of its own, so the enrolment's is removed. A row that has ended is due until then: the
 * sweep sends its message again where this is interrupted.
 */
const removeSecret = async (services: Services, ended: Bot) => {
  // guard: remove-enrolment-secret
  await services.vault.removeEnrolment(ended.bot_id);
  if (ended.due_at !== undefined) await services.table.updateBot(ended, { due_at: undefined });
};

/**
 * A new user cannot have a row, unless an earlier worker made it for this enrolment: whatever else this is, it is not
 * what was asked for. The account is on the enrolment's row by then, so nothing is lost when this read fails.
 */
const requireNewUser = async (work: LeasedWork, { user_id, request_id }: NewAccount, row_digest: string) => {
  if (work.leased.bot.enrolment?.kind !== 'network_user') return;
  const known = await work.services.table.readBot(user_id);
  // guard: new-user-is-new
  if (known && known.row_digest !== row_digest) await endWork(work, 'block', 'user_not_new', request_id);
};

/** The account gets a secret and a row of its own, and this row ends. It may run any number of times. */
const conclude = async (work: LeasedWork, account: NewAccount, session_key: SessionKey) => {
  const { services, leased } = work;
  const { bot_id: enrolment_id, batch_id, row, line, enrolment } = leased.bot;
  const { user_id: bot_id, session_id } = account;
  const row_digest = `${enrolment?.kind} ${enrolment_id}`;
  await requireNewUser(work, account, row_digest);
  const stored = await services.vault.storeKeystore(buildKeystore(account, session_key));
  if (stored === 'pending_deletion') await endWork(work, 'block', 'secret_pending_deletion');
  const readBack = await services.vault.readKeystore(bot_id);
  if (typeof readBack !== 'object') throw new Error(`the keystore of ${bot_id} could not be read back`);
  const entry = { bot_id, session_id, batch_id, ...(row !== undefined && { row }), line, row_digest };
  const bot = await upsertBot(services, step, entry, stored === 'stored');
  if (bot?.state === 'queued') await sendToStep(services, 'check', bot);
  const ended = await moveBot(services, leased.bot, 'conclude', { step, request_id: account.request_id });
  if (ended) await removeSecret(services, ended);
};

/**
 * Who answers HTTP may not touch the secrets of bots: the account is on the row, and a message has enroll conclude. The
 * row is due soon, so the sweep sends the message again where this one is lost.
 */
const handOver = async ({ services, leased }: LeasedWork, result: SignInResult): Promise<SignInResult> => {
  const { bot } = leased;
  await leased.release();
  await sendToStep(services, step, bot);
  return result;
};

const enrollLeased = async (
  work: LeasedWork,
  enrolment: Enrolment,
  liveRequest: SignInRequest | undefined,
): Promise<SignInResult> => {
  const { services, leased } = work;
  const { account, account_sent_at, bot_id } = leased.bot;
  if (account && liveRequest) return handOver(work, { account, person: {} });
  if (account) {
    const secret = await services.vault.readEnrolment(bot_id);
    if (typeof secret !== 'object') return endWork(work, 'block', 'secret_pending_deletion');
    await conclude(work, account, secret.session_key);
    return { account, person: {} };
  }
  // guard: never-repeat-noted-call
  if (account_sent_at !== undefined) return endWork(work, 'mark_unsure', lostAnswers[enrolment.kind]);
  const result =
    enrolment.kind === 'network_user'
      ? await createUser(work, enrolment)
      : await signIn(work, enrolment, liveRequest);
  if (liveRequest) return handOver(work, result);
  await conclude(work, result.account, result.session_key);
  return result;
};

/** A person waits for the answer of this sign-in, so any refusal blocks the row at once. */
const blockRefused = async ({ services, leased }: LeasedWork, error: MixinError) => {
  const { request_id } = error;
  await moveBot(services, leased.bot, 'block', { step, reason: describeMixinError(error), request_id });
};

/**
 * Gets the account of one row.
 * @param liveRequest the sign-in of an operator who waits for the answer: then a refusal by Mixin blocks the row at
 * once, and is thrown on as the MixinError it is; the account is not concluded here, but by a message to enroll
 * Returns what Mixin answered about the account; undefined when there is no account yet: the row then says why, or
 * another worker was first.
 */
export const enrollRow = async (
  services: Services,
  row: Bot,
  deadlineMs: number,
  liveRequest?: SignInRequest,
): Promise<SignInResult | undefined> => {
  const enrolling = row.state === 'enrolling' ? row : await moveBot(services, row, 'enroll', { step });
  if (!enrolling?.enrolment) return undefined;
  const { enrolment } = enrolling;
  const result = await withLease(services, step, enrolling, deadlineMs, async (work) => {
    try {
      return await enrollLeased(work, enrolment, liveRequest);
    } catch (error) {
      if (!liveRequest || !(error instanceof MixinError)) throw error;
      await blockRefused(work, error);
      return error;
    }
  });
  if (result instanceof MixinError) throw result;
  return result;
};

const isDue = (bot: Bot, nowMs: number): boolean =>
  bot.state === 'queued' || bot.state === 'enrolling' || (bot.state === 'waiting' && isWaitOver(bot, nowMs));

/**
 * Handles one message `{ bot_id }` of an enrolment. Any number of deliveries are harmless: the call is made once.
 * @param deadlineMs when the invocation ends; the lease ends with it
 * Throws only on the unexpected (then SQS delivers the message again).
 */
export const enroll = async (services: Services, body: unknown, deadlineMs: number): Promise<void> => {
  const { bot_id } = botMessage.parse(body);
  const row = await services.table.readBot(bot_id);
  if (!row?.enrolment) return services.log('warn', 'bot_unknown', { bot_id });
  if (row.state === 'enrolled') return removeSecret(services, row);
  if (isDue(row, services.now())) await enrollRow(services, row, deadlineMs);
  else await sendAtEndOfWait(services, row);
};
