/**
 * register: gives one bot its key and registers it with Safe. The order is the promise:
 * store the key → read it back → name it on the row → POST /pin/update (where there is no PIN) →
 * POST /safe/users → confirm with GET. A POST whose answer is lost leaves the bot `unsure`.
 */
import { type Keystore, seedBytes } from '../keystore.ts';
import { MixinError } from '../mixin/errors.ts';
import type { KeptKey, Profile, Services } from '../services.ts';
import { mixin } from '../topology.ts';
import { retryDelaySeconds } from './backoff.ts';
import { botMessage } from './check.ts';
import { decide, type OurKeys } from './decide.ts';
import { type LeasedBot, LeaseLost, takeLease } from './lease.ts';
import { chance, moveBot, putOff, sendTo } from './move.ts';
import { type ReasonCode, reason } from './reasons.ts';
import type { BotChanges } from './records.ts';
import { keptOrBlocked, ourKeys, settle, settleTrouble } from './settle.ts';

const step = 'register';

/** One bot at work: its leased row, its keystore, and when the invocation ends. */
interface Work {
  readonly services: Services;
  readonly leased: LeasedBot;
  readonly keystore: Keystore;
  readonly deadlineMs: number;
}

/** Thrown to end the work where the bot was moved, or must come back, and nothing is wrong. */
class Done extends Error {
  override readonly name = 'Done';
}

/**
 * Starts no PIN call that might outlive the invocation, and with it the lease: another worker could make one
 * at the same time. `undo` takes back what the row was told meanwhile.
 */
const needTime = async ({ services, leased, deadlineMs }: Work, undo: BotChanges = {}) => {
  if (services.now() + mixin.timeoutMs < deadlineMs) return;
  await leased.release(undo);
  await sendTo(services, 'register', leased.bot);
  throw new Done();
};

const doubt = async ({ services, leased }: Work, code: ReasonCode, request_id: string) => {
  const delaySeconds = retryDelaySeconds(leased.bot.attempts, chance(services));
  await putOff(services, leased.bot, 'doubt', delaySeconds, { step, reason: reason(code), request_id });
  throw new Done();
};

/** Decides by what Mixin shows now; returns only when the bot is still to be registered. */
const decideAgain = async (work: Work, profile: Profile, ours: OurKeys) => {
  const decision = decide(work.leased.bot, profile, ours);
  if (decision.kind === 'register') return decision.pin;
  await settle(work.services, work.leased.bot, decision, ours, { step, request_id: profile.request_id });
  throw new Done();
};

/**
 * The bot's one key, kept and named on the row. A key that the row does not agree with is never sent:
 * the bot is blocked.
 */
const keepKey = async ({ services, leased, keystore }: Work): Promise<KeptKey> => {
  const key = await services.vault.keepKey(keystore, services.randomBytes(32));
  const named = leased.bot.public_key;
  if (named !== undefined && named !== key.public_key) {
    await moveBot(services, leased.bot, 'block', { step, reason: reason('key_conflict') });
    throw new Done();
  }
  if (named === undefined) {
    await leased.write({ public_key: key.public_key, secret_version: key.secret_version });
  }
  return key;
};

/** Every PIN call during a lock lengthens it. */
const respectPinLock = async ({ services, leased }: Work) => {
  const until = leased.bot.pin_locked_until;
  const delaySeconds = until === undefined ? 0 : (Date.parse(until) - services.now()) / 1_000;
  if (delaySeconds <= 0) return;
  await putOff(services, leased.bot, 'postpone', delaySeconds, { step, reason: reason('pin_locked') });
  throw new Done();
};

type SentAt = 'pin_sent_at' | 'safe_sent_at';

/**
 * Sends one POST that carries a PIN, once. The row notes it before it leaves. A refusal is believed only
 * after another look: the account may have what we asked for from an earlier try.
 */
const post = async (
  work: Work,
  sentAt: SentAt,
  send: (iterator: bigint) => Promise<Profile>,
): Promise<Profile> => {
  const { services, leased } = work;
  await respectPinLock(work);
  await needTime(work);
  const sentBefore = leased.bot[sentAt];
  const iterator = await leased.reserveIterator({ [sentAt]: new Date(services.now()).toISOString() });
  // The write may have taken long, or this machine may have slept: nothing slow comes after this look.
  await needTime(work, { [sentAt]: sentBefore });
  try {
    return await send(iterator);
  } catch (error) {
    if (!(error instanceof MixinError) || error.verdict === 'unsure') throw error;
    // Mixin says that nothing happened.
    await leased.write({ [sentAt]: sentBefore });
    if (error.verdict === 'again') throw error;
    const profile = await services.mixin.readProfile(work.keystore).catch(() => undefined);
    if (!profile) throw error;
    const spend = leased.bot.public_key;
    if (profile.has_safe) await decideAgain(work, profile, spend === undefined ? {} : { spend });
    if (sentAt === 'pin_sent_at' && profile.tip_public_key === spend) return profile;
    throw error;
  }
};

/** POST /pin/update with the spend key as TIP PIN, then waits until Mixin shows it. */
const setPin = async (work: Work, key: KeptKey) => {
  const answer = await post(work, 'pin_sent_at', (iterator) =>
    work.services.mixin.setTipPin(work.keystore, key.seed, iterator),
  );
  await work.leased.write({ pin_set_at: new Date(work.services.now()).toISOString() });
  if (answer.tip_public_key !== key.public_key) await doubt(work, 'pin_not_visible', answer.request_id);
  const shown = await work.services.mixin.readProfile(work.keystore);
  if (shown.tip_public_key !== key.public_key) await doubt(work, 'pin_not_visible', shown.request_id);
};

/** POST /safe/users. */
const registerSafe = async (work: Work, key: KeptKey, tipSeed: Uint8Array) => {
  await post(work, 'safe_sent_at', (iterator) =>
    work.services.mixin.registerSafe(work.keystore, key.seed, tipSeed, iterator),
  );
  await work.leased.write({ safe_set_at: new Date(work.services.now()).toISOString() });
};

/** Nothing is believed but what GET /safe/me shows. */
const confirm = async (work: Work, key: KeptKey, ours: OurKeys) => {
  const shown = await work.services.mixin.readProfile(work.keystore);
  if (!shown.has_safe) await doubt(work, 'not_confirmed', shown.request_id);
  await decideAgain(work, shown, { ...ours, spend: key.public_key });
};

const tipSeedOf = (keystore: Keystore, key: KeptKey, pin: 'unset' | 'spend' | 'tip') =>
  pin === 'tip' && keystore.tip_private_key !== undefined ? seedBytes(keystore.tip_private_key) : key.seed;

const run = async (work: Work, ours: OurKeys) => {
  const profile = await work.services.mixin.readProfile(work.keystore);
  const pin = await decideAgain(work, profile, ours);
  // A listed TIP key is of no use to an account without a TIP PIN: the spend key becomes its PIN.
  const { tip_private_key: _, ...withoutTip } = work.keystore;
  const key = await keepKey(pin === 'tip' ? work : { ...work, keystore: withoutTip });
  if (pin === 'unset') await setPin(work, key);
  await registerSafe(work, key, tipSeedOf(work.keystore, key, pin));
  await confirm(work, key, ours);
};

/** The lease is given back when the work ends without a move; an end by a move has cleared it. */
const finish = async (services: Services, leased: LeasedBot, error: unknown) => {
  if (error instanceof Done) return;
  if (error instanceof LeaseLost) {
    const { user_id } = leased.bot;
    return services.log('info', 'lost_race', { step, user_id });
  }
  if (error instanceof MixinError) return settleTrouble(services, leased.bot, error, step);
  await leased.release().catch(() => undefined);
  throw error;
};

/**
 * Takes one message `{ user_id }`; drops it when the bot is not (or no longer) registering.
 * @param deadlineMs when the invocation ends; the lease ends with it
 * Throws only on the unexpected (then SQS delivers again).
 */
export const register = async (services: Services, body: unknown, deadlineMs: number): Promise<void> => {
  const { user_id } = botMessage.parse(body);
  const bot = await services.table.readBot(user_id);
  if (!bot) return services.log('warn', 'bot_unknown', { user_id });
  if (bot.state !== 'registering') return;
  const lease = await takeLease(services, bot, deadlineMs);
  if (!lease) return sendTo(services, 'register', bot, 1);
  if ('busyMs' in lease) {
    services.log('info', 'lease_held', { step, user_id });
    return sendTo(services, 'register', bot, Math.ceil(lease.busyMs / 1_000) + 1);
  }
  const leased = lease.held;
  try {
    const kept = await keptOrBlocked(services, leased.bot, step);
    if (!kept) return;
    const work = { services, leased, keystore: kept.keystore, deadlineMs };
    await run(work, await ourKeys(services, kept));
  } catch (error) {
    await finish(services, leased, error);
  }
};
