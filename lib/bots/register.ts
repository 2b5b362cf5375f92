/**
 * register: gives one bot its key and registers it with Safe. The order is the promise:
 * store the key → read it back → name it on the row → POST /pin/update (where there is no TIP PIN) →
 * POST /safe/users → confirm with GET. A POST whose answer is lost leaves the bot `unsure`.
 */

import type { BotChanges } from '../model/bot.ts';
import type { Keystore, PrivateKey } from '../model/keystore.ts';
import { mixin } from '../model/mixin.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Profile, Services, StoredKey } from '../model/ports.ts';
import { type ReasonCode, reason } from '../model/reasons.ts';
import { after, retryDelaySeconds } from './backoff.ts';
import { botMessage } from './check.ts';
import { type Decision, decide, type OurKeys, type PinWay } from './decide.ts';
import { type LeasedBot, LeaseLost, takeLease } from './lease.ts';
import { formsOf, keptOrBlocked, newSeed, ourKeys, settle, settleTrouble } from './settle.ts';
import { chance, moveBot, putOff, sendTo } from './transition.ts';

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
  await putOff(services, leased.bot, 'mark_unsure', delaySeconds, { step, reason: reason(code), request_id });
  throw new Done();
};

type Task = Extract<Decision, { kind: 'register' | 'adopt' }>;

/** Decides by what Mixin shows now; returns only when there is still something to do for the bot here. */
const decideAgain = async (work: Work, profile: Profile, ours: OurKeys): Promise<Task> => {
  const decision = decide(work.leased.bot, profile, ours);
  if (decision.kind === 'register' || decision.kind === 'adopt') return decision;
  await settle(work.services, work.leased.bot, decision, ours, { step, request_id: profile.request_id });
  throw new Done();
};

const block = async ({ services, leased }: Work, code: ReasonCode) => {
  await moveBot(services, leased.bot, 'block', { step, reason: reason(code) });
  throw new Done();
};

/** The listed key in the form that Mixin's public key belongs to. */
const settledKey = async ({ services, keystore }: Work, public_key: string): Promise<PrivateKey> => {
  const key = (await formsOf(services, keystore.spend_key ?? '')).get(public_key);
  if (key === undefined) throw new Error('the listed key belongs to another public key');
  return key;
};

/**
 * The bot's one key, kept and named on the row. A key that the row does not agree with is never sent:
 * the bot is blocked.
 */
const keepKey = async (work: Work, candidate: PrivateKey): Promise<StoredKey> => {
  const { services, leased, keystore } = work;
  const key = await services.vault.storeKey(keystore, candidate);
  const named = leased.bot.public_key;
  if (named !== undefined && named !== key.public_key) await block(work, 'key_conflict');
  if (named === undefined) {
    await leased.write({ public_key: key.public_key, secret_version: key.secret_version });
  }
  return key;
};

/** Puts the bot off until then; returns only when that is past. */
const stayAway = async ({ services, leased }: Work, until: string | undefined, code: ReasonCode) => {
  const delaySeconds = until === undefined ? 0 : (Date.parse(until) - services.now()) / 1_000;
  if (delaySeconds <= 0) return;
  await putOff(services, leased.bot, 'postpone', delaySeconds, { step, reason: reason(code) });
  throw new Done();
};

/** Every PIN call during a lock lengthens it. */
const respectPinLock = (work: Work) => stayAway(work, work.leased.bot.pin_locked_until, 'pin_locked');

/** Nothing of ours but this key. */
const keysOf = (spend: string | undefined): OurKeys => ({
  ...(spend !== undefined && { spend }),
  listed: [],
  tip: [],
  has_pin: false,
});

type SentAt = 'pin_sent_at' | 'safe_sent_at';

/**
 * Sends one POST that carries `pins` PINs, once. The row notes it before it leaves. A refusal is believed only
 * after another look: the account may have what we asked for from an earlier try.
 */
const post = async (
  work: Work,
  sentAt: SentAt,
  send: (iterator: bigint) => Promise<Profile>,
  pins = 1n,
): Promise<Profile> => {
  const { services, leased } = work;
  await respectPinLock(work);
  await needTime(work);
  const sentBefore = leased.bot[sentAt];
  const iterator = await leased.reserveIterators(pins, { [sentAt]: after(services.now(), 0) });
  // The write may have taken long, or this machine may have slept: nothing slow comes after this look.
  await needTime(work, { [sentAt]: sentBefore });
  try {
    return await send(iterator);
  } catch (error) {
    if (!(error instanceof MixinError) || error.verdict === 'unsure') throw error;
    // Mixin says that nothing happened; but of a wrong PIN its log tells, and the mark that it was ours.
    const isWrongPin = sentAt === 'pin_sent_at' && error.code === 'pin_refused';
    if (!isWrongPin) await leased.write({ [sentAt]: sentBefore });
    if (error.verdict === 'again') throw error;
    const profile = await services.mixin.readProfile(work.keystore).catch(() => undefined);
    if (!profile) throw error;
    const spend = leased.bot.public_key;
    if (profile.has_safe) await decideAgain(work, profile, keysOf(spend));
    if (sentAt === 'pin_sent_at' && profile.tip_public_key === spend) return profile;
    throw error;
  }
};

/** What Mixin shows once the TIP PIN is set. */
const pinIsSet = async (work: Work, key: StoredKey, answer: Profile) => {
  await work.leased.write({ pin_set_at: new Date(work.services.now()).toISOString() });
  if (answer.tip_public_key !== key.public_key) await doubt(work, 'pin_not_visible', answer.request_id);
  const shown = await work.services.mixin.readProfile(work.keystore);
  if (shown.tip_public_key !== key.public_key) await doubt(work, 'pin_not_visible', shown.request_id);
};

/** POST /pin/update with the spend key as TIP PIN of an account that has no PIN. */
const setPin = async (work: Work, key: StoredKey) => {
  const { services, keystore } = work;
  const send = (iterator: bigint) => services.mixin.setTipPin(keystore, key.private_key, iterator);
  await pinIsSet(work, key, await post(work, 'pin_sent_at', send));
};

const wrongPin = async (work: Work) => {
  await work.leased.write({ wrong_pin_at: after(work.services.now(), 0) });
  await block(work, 'wrong_pin');
};

/**
 * Looks at the wrong PINs Mixin has noted before one is tried that may be wrong. Was ours one of them, whose answer
 * was lost, then no other is sent. Could one more lock the account, then none is sent until that is past.
 */
const mindWrongPins = async (work: Work) => {
  const { services, leased, keystore } = work;
  const sentAt = leased.bot.pin_sent_at;
  const settledAt = sentAt === undefined ? undefined : after(Date.parse(sentAt), mixin.settledSeconds);
  await stayAway(work, settledAt, 'pin_not_visible');
  const errors = await services.mixin.readPinErrors(keystore);
  const slackMs = 1_000 * mixin.settledSeconds;
  if (sentAt !== undefined && errors.some((at) => Date.parse(at) >= Date.parse(sentAt) - slackMs))
    await wrongPin(work);
  const lastButOne = errors[mixin.pinErrorsToLock - 2];
  const free = lastButOne && after(Date.parse(lastButOne), mixin.pinErrorWindowSeconds);
  await stayAway(work, free, 'pin_nearly_locked');
};

/** POST /pin/update with the six-digit PIN as the old one. A wrong one is tried once, and no other after it. */
const upgradePin = async (work: Work, key: StoredKey) => {
  const { services, keystore } = work;
  await mindWrongPins(work);
  const send = (iterator: bigint) =>
    services.mixin.setTipPin(keystore, key.private_key, iterator, keystore.pin);
  try {
    await pinIsSet(work, key, await post(work, 'pin_sent_at', send, 2n));
  } catch (error) {
    if (!(error instanceof MixinError) || error.code !== 'pin_refused') throw error;
    await wrongPin(work);
  }
};

/** POST /safe/users. */
const registerSafe = async (work: Work, key: StoredKey, tipKey: PrivateKey) => {
  await post(work, 'safe_sent_at', (iterator) =>
    work.services.mixin.registerSafe(work.keystore, key.private_key, tipKey, iterator),
  );
  await work.leased.write({ safe_set_at: new Date(work.services.now()).toISOString() });
};

/** Nothing is believed but what GET /safe/me shows. */
const confirm = async (work: Work, key: StoredKey) => {
  const shown = await work.services.mixin.readProfile(work.keystore);
  if (!shown.has_safe) await doubt(work, 'not_confirmed', shown.request_id);
  await decideAgain(work, shown, keysOf(key.public_key));
};

/** The account's TIP PIN: the listed key, in the form that belongs to what Mixin shows, or the spend key. */
const tipKeyOf = async ({ services, keystore }: Work, key: StoredKey, pin: PinWay, tip: string) => {
  if (pin !== 'tip') return key.private_key;
  const tipKey = (await formsOf(services, keystore.tip_private_key ?? '')).get(tip);
  if (tipKey === undefined) throw new Error('the listed TIP key belongs to another public key');
  return tipKey;
};

/** What is stored beside the key: a TIP key only where it is the account's PIN, else the spend key becomes that. */
const besides = (work: Work, pin: PinWay): Work => {
  if (pin === 'tip') return work;
  const { tip_private_key: _, ...keystore } = work.keystore;
  return { ...work, keystore };
};

const bringIntoSafe = async (work: Work, pin: PinWay, shownTip: string) => {
  const listed = pin === 'listed' ? await settledKey(work, shownTip) : newSeed(work.services);
  const key = await keepKey(besides(work, pin), listed);
  if (pin === 'unset') await setPin(work, key);
  if (pin === 'upgrade') await upgradePin(work, key);
  await registerSafe(work, key, await tipKeyOf(work, key, pin, shownTip));
  await confirm(work, key);
};

const run = async (work: Work, ours: OurKeys) => {
  const profile = await work.services.mixin.readProfile(work.keystore);
  const task = await decideAgain(work, profile, ours);
  if (task.kind === 'register') return bringIntoSafe(work, task.pin, profile.tip_public_key);
  const key = await keepKey(work, await settledKey(work, profile.spend_public_key ?? ''));
  return confirm(work, key);
};

/** The lease is given back when the work ends without a move; an end by a move has cleared it. */
const finish = async (services: Services, leased: LeasedBot, error: unknown) => {
  if (error instanceof Done) return;
  if (error instanceof LeaseLost) {
    const { bot_id } = leased.bot;
    return services.log('info', 'lost_race', { step, bot_id });
  }
  if (error instanceof MixinError) return settleTrouble(services, leased.bot, error, step);
  await leased.release().catch(() => undefined);
  throw error;
};

/**
 * Takes one message `{ bot_id }`; drops it when the bot is not (or no longer) registering.
 * @param deadlineMs when the invocation ends; the lease ends with it
 * Throws only on the unexpected (then SQS delivers again).
 */
export const register = async (services: Services, body: unknown, deadlineMs: number): Promise<void> => {
  const { bot_id } = botMessage.parse(body);
  const bot = await services.table.readBot(bot_id);
  if (!bot) return services.log('warn', 'bot_unknown', { bot_id });
  if (bot.state !== 'registering') return;
  const lease = await takeLease(services, bot, deadlineMs);
  if (!lease) return sendTo(services, 'register', bot, 1);
  if ('busyMs' in lease) {
    services.log('info', 'lease_held', { step, bot_id });
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
