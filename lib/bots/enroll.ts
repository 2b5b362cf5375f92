/**
 * enroll: gets an account for a row that has none. The session key is stored and read back before the call that
 * binds it, the row notes the call before it leaves, and it is made at most once: a network user costs money, and
 * neither call can be repeated without harm. What Mixin answered goes to the row first, so that nothing of it is
 * lost when this is interrupted; then the account gets a secret and a row of its own.
 */

import type { Bot } from '../model/bot.ts';
import type { Enrolment, NewAccount, SignInRequest } from '../model/enrolment.ts';
import type { SessionKey } from '../model/keystore.ts';
import { mixin } from '../model/mixin.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services, SignInResult } from '../model/ports.ts';
import { type ReasonCode, reason } from '../model/reasons.ts';
import { after } from './backoff.ts';
import { botMessage } from './check.ts';
import { keystoreOf } from './enrolment.ts';
import { type LeasedBot, LeaseLost, takeLease } from './lease.ts';
import { reasonOf } from './mixin-failure.ts';
import { newSeed, settleTrouble } from './settle.ts';
import { moveBot, sendTo } from './transition.ts';
import { upsertBot } from './upsert.ts';

const step = 'enroll';

type Of<K extends Enrolment['kind']> = Extract<Enrolment, { kind: K }>;

/** One enrolment at work: its leased row, and when the invocation ends. */
interface Work {
  readonly services: Services;
  readonly leased: LeasedBot;
  readonly enrolment: Enrolment;
  readonly deadlineMs: number;
}

/** Thrown to end the work where the row was moved, or must come back, and nothing is wrong. */
class Done extends Error {
  override readonly name = 'Done';
}

const end = async (
  { services, leased }: Work,
  move: 'block' | 'mark_unsure',
  code: ReasonCode,
  request_id?: string,
): Promise<never> => {
  await moveBot(services, leased.bot, move, { step, reason: reason(code), request_id });
  throw new Done();
};

/** A call whose answer never came. */
const unknown: Readonly<Record<Enrolment['kind'], ReasonCode>> = {
  network_user: 'user_creation_unknown',
  sign_in: 'sign_in_unknown',
};

const needTime = async ({ services, leased, deadlineMs }: Work) => {
  if (services.now() + mixin.timeoutMs < deadlineMs) return;
  await leased.release({ account_sent_at: undefined });
  await sendTo(services, step, leased.bot);
  throw new Done();
};

/** Each try of a table that takes nothing is some seconds of tries already (lib/runtime/connect.ts). */
const NOTE_TRIES = 10;

/** What was made is known here alone, and may have cost money: its row is told for as long as there is time. */
const noteAccount = async ({ services, leased, deadlineMs }: Work, account: NewAccount) => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await leased.write({ account });
    } catch (error) {
      const isOver = tries === NOTE_TRIES || services.now() >= deadlineMs;
      if (!isOver && !(error instanceof LeaseLost)) continue;
      const { user_id: bot_id, request_id } = account;
      services.log('error', 'account_not_recorded', {
        step,
        bot_id,
        batch_id: leased.bot.batch_id,
        request_id,
      });
      throw error;
    }
  }
};

/** Makes the call, once, and notes the account it made. */
const sendOnce = async (work: Work, send: () => Promise<SignInResult>): Promise<SignInResult> => {
  const { services, leased, enrolment } = work;
  await needTime(work);
  await leased.write({ account_sent_at: after(services.now(), 0) });
  // The write may have taken long, or this machine may have slept: nothing slow comes after this look.
  await needTime(work);
  try {
    const made = await send();
    await noteAccount(work, made.account);
    return made;
  } catch (error) {
    if (!(error instanceof MixinError)) throw error;
    if (error.verdict === 'unsure')
      return end(work, 'mark_unsure', unknown[enrolment.kind], error.request_id);
    // Mixin says that nothing happened.
    await leased.write({ account_sent_at: undefined });
    throw error;
  }
};

const keptSession = async (work: Work, session_key: SessionKey): Promise<SessionKey> => {
  const stored = await work.services.vault.storeEnrolment(work.leased.bot.bot_id, { session_key });
  return stored === 'pending_deletion'
    ? end(work, 'block', 'secret_pending_deletion')
    : stored.stored.session_key;
};

interface Made extends SignInResult {
  readonly session_key: SessionKey;
}

const createUser = async (work: Work, { owner, full_name }: Of<'network_user'>): Promise<Made> => {
  const { services } = work;
  const owned = await services.vault.readKeystore(owner);
  if (typeof owned !== 'object') return end(work, 'block', 'owner_missing');
  const session_key = await keptSession(work, newSeed(services));
  const made = await sendOnce(work, async () => {
    const account = await services.accounts.createUser(owned.keystore, { full_name, session_key });
    // A new user cannot have a row: whatever this is, it is not what was asked for.
    const known = await services.table.readBot(account.user_id);
    return known ? end(work, 'block', 'user_not_new', account.request_id) : { account, person: {} };
  });
  return { ...made, session_key };
};

const signIn = async (
  work: Work,
  { verification_id }: Of<'sign_in'>,
  given: SignInRequest | undefined,
): Promise<Made> => {
  const { services, leased } = work;
  const secret = await services.vault.readEnrolment(leased.bot.bot_id);
  if (typeof secret !== 'object') return end(work, 'block', 'sign_in_missing');
  const { session_key } = secret;
  const request = given ?? secret.sign_in ?? (await end(work, 'block', 'sign_in_missing'));
  const made = await sendOnce(work, () => services.accounts.signIn(verification_id, session_key, request));
  return { ...made, session_key };
};

/**
 * The account has a secret of its own: the enrolment's goes. A row that has ended is due until then, so that the
 * sweep sees to it where this is interrupted.
 */
const removeSecret = async (services: Services, ended: Bot) => {
  await services.vault.removeEnrolment(ended.bot_id);
  if (ended.due_at !== undefined) await services.table.updateBot(ended, { due_at: undefined });
};

/** The account gets a secret and a row of its own, and this row ends. Any number of times is harmless. */
const conclude = async (work: Work, account: NewAccount, session_key: SessionKey) => {
  const { services, leased } = work;
  const { bot_id: enrolment_id, batch_id, line, enrolment } = leased.bot;
  const { user_id: bot_id, session_id } = account;
  const kept = await services.vault.storeKeystore(keystoreOf(account, session_key));
  if (kept === 'pending_deletion') await end(work, 'block', 'secret_pending_deletion');
  const row_digest = `${enrolment?.kind} ${enrolment_id}`;
  const listed = { bot_id, session_id, batch_id, line, row_digest };
  const bot = await upsertBot(services, step, listed, kept === 'stored');
  if (bot?.state === 'queued') await sendTo(services, 'check', bot);
  const ended = await moveBot(services, leased.bot, 'conclude', { step, request_id: account.request_id });
  if (ended) await removeSecret(services, ended);
};

const run = async (work: Work, given: SignInRequest | undefined): Promise<SignInResult> => {
  const { services, leased, enrolment } = work;
  const { account, account_sent_at, bot_id } = leased.bot;
  if (account) {
    const secret = await services.vault.readEnrolment(bot_id);
    if (typeof secret !== 'object') return end(work, 'block', 'secret_pending_deletion');
    await conclude(work, account, secret.session_key);
    return { account, person: {} };
  }
  if (account_sent_at !== undefined) return end(work, 'mark_unsure', unknown[enrolment.kind]);
  const made =
    enrolment.kind === 'network_user'
      ? await createUser(work, enrolment)
      : await signIn(work, enrolment, given);
  await conclude(work, made.account, made.session_key);
  return made;
};

/** SQS counts delays in whole seconds, and clocks differ a little. */
const EARLY_MS = 1_500;

/** The row's lease, once the row is `enrolling`; undefined where there is nothing to do, or another worker does it. */
const takeUp = async (services: Services, row: Bot, deadlineMs: number): Promise<LeasedBot | undefined> => {
  const { bot_id } = row;
  const taken = row.state === 'enrolling' ? row : await moveBot(services, row, 'enroll', { step });
  const lease = taken && (await takeLease(services, taken, deadlineMs));
  if (!lease) return undefined;
  if ('held' in lease) return lease.held;
  services.log('info', 'lease_held', { step, bot_id });
  await sendTo(services, step, row, Math.ceil(lease.busyMs / 1_000) + 1);
  return undefined;
};

/** The lease is given back when the work ends without a move; an end by a move has cleared it. */
const finish = async (services: Services, leased: LeasedBot, error: unknown) => {
  if (error instanceof Done) return;
  if (error instanceof LeaseLost) {
    return services.log('info', 'lost_race', { step, bot_id: leased.bot.bot_id });
  }
  await leased.release().catch(() => undefined);
  throw error;
};

/**
 * Gets the account of one row.
 * @param given the sign-in of an operator who waits for the answer: then a refusal blocks the row at once, and
 * is thrown on; without it a refusal is settled on the row.
 * Returns what Mixin told of the account; undefined where the row says why not.
 */
export const enrollRow = async (
  services: Services,
  row: Bot,
  deadlineMs: number,
  given?: SignInRequest,
): Promise<SignInResult | undefined> => {
  const leased = await takeUp(services, row, deadlineMs);
  const enrolment = leased?.bot.enrolment;
  if (!leased || !enrolment) return undefined;
  try {
    return await run({ services, leased, enrolment, deadlineMs }, given);
  } catch (error) {
    if (!(error instanceof MixinError)) await finish(services, leased, error);
    else if (!given) await settleTrouble(services, leased.bot, error, step);
    else {
      const { request_id } = error;
      await moveBot(services, leased.bot, 'block', { step, reason: reasonOf(error), request_id });
      throw error;
    }
    return undefined;
  }
};

const isDue = ({ state, wait_until }: Bot, nowMs: number) =>
  state === 'queued' ||
  state === 'enrolling' ||
  (state === 'waiting' && Date.parse(wait_until ?? '') <= nowMs + EARLY_MS);

/**
 * Takes one message `{ bot_id }` of an enrolment. Any number of deliveries are harmless: the call is made once.
 * @param deadlineMs when the invocation ends; the lease ends with it
 * Throws only on the unexpected (then SQS delivers again).
 */
export const enroll = async (services: Services, body: unknown, deadlineMs: number): Promise<void> => {
  const { bot_id } = botMessage.parse(body);
  const row = await services.table.readBot(bot_id);
  if (!row?.enrolment) return services.log('warn', 'bot_unknown', { bot_id });
  if (row.state === 'enrolled') return removeSecret(services, row);
  if (isDue(row, services.now())) await enrollRow(services, row, deadlineMs);
};
