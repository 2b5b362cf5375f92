/**
 * register: gives one bot its key and registers it with Safe. The order is the promise:
 * store the key → read it back → name it on the row → POST /pin/update (where there is no TIP PIN) →
 * POST /safe/users → confirm with GET. A POST whose answer is lost leaves the bot `unsure`.
 */

import type { Keystore, PrivateKey } from '../model/keystore.ts';
import { mixin } from '../model/mixin.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { PinCall, Profile, Services, StoredKey } from '../model/ports.ts';
import { describeReason, type ReasonCode } from '../model/reasons.ts';
import { isoTimeAfter, timing } from '../model/timing.ts';
import { botMessage } from './check.ts';
import { type Decision, decide, type PinPlan, type VaultPublicKeys } from './decide.ts';
import { deriveKeyForms, deriveVaultPublicKeys, generateSeed } from './key-forms.ts';
import { endWork, type LeasedWork, requireTime, WorkEnd, withLease } from './leased-work.ts';
import { describeMixinError, findPinLockEnd } from './mixin-failure.ts';
import { applyDecision, isAudited, readKeystoreOrBlock } from './outcome.ts';
import { drawRetryDelaySeconds, postponeBot, sendAtEndOfWait } from './transition.ts';

const step = 'register';

interface Registration extends LeasedWork {
  readonly keystore: Keystore;
}

/** A POST may have taken effect, or does not show yet: only a GET can tell. */
const leaveUnsure = async ({ services, leased }: Registration, code: ReasonCode, request_id: string) => {
  const delaySeconds = drawRetryDelaySeconds(services, leased.bot);
  const note = { step, reason: describeReason(code), request_id };
  await postponeBot(services, leased.bot, 'mark_unsure', delaySeconds, note);
  throw new WorkEnd();
};

type Task = Extract<Decision, { kind: 'register' | 'adopt' }>;

/** Decides by what Mixin shows now; returns only when there is still something to do for the bot here. */
const decideAgain = async (work: Registration, profile: Profile, ours: VaultPublicKeys): Promise<Task> => {
  const { services, leased } = work;
  const { request_id } = profile;
  const decision = decide(leased.bot, profile, ours);
  if (decision.kind === 'register' || decision.kind === 'adopt') return decision;
  await applyDecision(services, leased.bot, decision, ours, { step, request_id });
  throw new WorkEnd();
};

/** Of the private keys that `hex` can be, the one that belongs to this public key. Throws when there is no such key. */
const findKeyForm = async (
  { services }: Registration,
  hex: string | undefined,
  public_key: string,
): Promise<PrivateKey> => {
  const key = (await deriveKeyForms(services, hex ?? '')).get(public_key);
  if (key === undefined) throw new Error('the listed key belongs to another public key');
  return key;
};

const keyProblems = {
  key_missing: 'key_missing',
  pending_deletion: 'secret_pending_deletion',
  unreadable: 'secret_unreadable',
} as const;

/**
 * The bot's one key, stored and named on the row. A key that the row does not agree with is never sent: the bot is
 * blocked.
 */
const storeAndNameKey = async (work: Registration, candidate: PrivateKey): Promise<StoredKey> => {
  const { services, leased, keystore } = work;
  const named = leased.bot.public_key;
  const key = await services.vault.storeKey(keystore, candidate, named);
  if (typeof key === 'string') return endWork(work, 'block', keyProblems[key]);
  // guard: row-and-vault-agree
  if (named !== undefined && named !== key.public_key) await endWork(work, 'block', 'key_conflict');
  if (named === undefined) {
    // guard: row-names-key
    await leased.write({ public_key: key.public_key, secret_version: key.secret_version });
  }
  return key;
};

/** Makes the bot wait until then; returns only when that time is past. */
const postponeUntil = async (
  { services, leased }: Registration,
  until: string | undefined,
  code: ReasonCode,
): Promise<void> => {
  const delaySeconds = until === undefined ? 0 : (Date.parse(until) - services.now()) / 1_000;
  if (delaySeconds <= 0) return;
  await postponeBot(services, leased.bot, 'postpone', delaySeconds, { step, reason: describeReason(code) });
  throw new WorkEnd();
};

/** Each PIN call during a lock extends the lock. */
const respectPinLock = (work: Registration) =>
  postponeUntil(work, work.leased.bot.pin_locked_until, 'pin_locked');

/**
 * Mixin answered 429 to a PIN call. Its log tells a lock from a rate limit: only a lock makes the bot wait for a day.
 * Where the log does not answer no lock is noted, and the bot waits for minutes. Ends the work.
 */
const waitForLimit = async (work: Registration, error: MixinError): Promise<never> => {
  const { services, leased, keystore } = work;
  const { bot } = leased;
  const errors = await services.mixin.readPinErrors(keystore).catch((failure: unknown) => {
    if (!(failure instanceof MixinError)) throw failure;
    return [];
  });
  const nowMs = services.now();
  const pin_locked_until = findPinLockEnd(errors, nowMs, bot.pin_locked_until);
  const { request_id } = error;
  if (pin_locked_until === undefined) {
    const delaySeconds = Math.max(timing.pinLimitSeconds, drawRetryDelaySeconds(services, bot));
    const note = { step, reason: describeMixinError(error), request_id };
    await postponeBot(services, bot, 'postpone', delaySeconds, note);
  } else {
    const delaySeconds = (Date.parse(pin_locked_until) - nowMs) / 1_000;
    const note = { step, reason: describeReason('pin_locked'), request_id };
    await postponeBot(services, bot, 'postpone', delaySeconds, note, {
      // guard: note-pin-lock
      pin_locked_until,
    });
  }
  throw new WorkEnd();
};

/** The vault's keys as far as this step needs them: the spend key, and no other. */
const listSpendKey = (spend: string | undefined): VaultPublicKeys => ({
  ...(spend !== undefined && { spend }),
  listed: [],
  tip: [],
  has_pin: false,
});

type SentAt = 'pin_sent_at' | 'safe_sent_at';

/**
 * Sends one POST that carries `pins` PINs, once. The row notes it before it leaves. A refusal is believed only after
 * another look: an earlier attempt may have done what this one asked for.
 */
const post = async (
  work: Registration,
  sentAt: SentAt,
  send: (call: PinCall) => Promise<Profile>,
  pins = 1n,
): Promise<Profile> => {
  const { services, leased } = work;
  // guard: respect-pin-lock
  await respectPinLock(work);
  // guard: require-time-before-iterator
  await requireTime(work);
  const sentBefore = leased.bot[sentAt];
  const iterator = await leased.reserveIterators(pins, {
    // guard: note-post-before-send
    [sentAt]: isoTimeAfter(services.now(), 0),
  });
  // The write may have taken long, or this machine may have slept: nothing slow comes after this look at the clock.
  // guard: require-time-after-iterator
  await requireTime(work, { [sentAt]: sentBefore });
  try {
    return await send({ iterator, validUntilMs: work.leaseUntilMs });
  } catch (error) {
    if (!(error instanceof MixinError)) throw error;
    // guard: lost-post-stays-noted
    if (error.verdict === 'unsure') throw error;
    // Nothing happened, Mixin says. But a wrong PIN is in its log, and this note shows that the PIN was ours.
    const isWrongPin = sentAt === 'pin_sent_at' && error.code === 'pin_refused';
    if (!isWrongPin) await leased.write({ [sentAt]: sentBefore });
    if (error.code === 'rate_limited') await waitForLimit(work, error);
    if (error.verdict === 'again') throw error;
    const profile = await services.mixin.readProfile(work.keystore).catch(() => undefined);
    if (!profile) throw error;
    const spend = leased.bot.public_key;
    if (profile.has_safe) await decideAgain(work, profile, listSpendKey(spend));
    if (sentAt === 'pin_sent_at' && profile.tip_public_key === spend) return profile;
    throw error;
  }
};

/** Mixin accepted the TIP PIN. Returns only when GET /safe/me shows it. */
const confirmPin = async (work: Registration, key: StoredKey, answer: Profile) => {
  // guard: note-pin-set
  await work.leased.write({ pin_set_at: isoTimeAfter(work.services.now(), 0) });
  if (answer.tip_public_key !== key.public_key) await leaveUnsure(work, 'pin_not_visible', answer.request_id);
  const shown = await work.services.mixin.readProfile(work.keystore);
  if (shown.tip_public_key !== key.public_key) await leaveUnsure(work, 'pin_not_visible', shown.request_id);
};

/** POST /pin/update: the spend key becomes the TIP PIN of an account that has no PIN. */
const setPin = async (work: Registration, key: StoredKey) => {
  const { services, keystore } = work;
  const send = (call: PinCall) => services.mixin.setTipPin(keystore, key.private_key, call);
  await confirmPin(work, key, await post(work, 'pin_sent_at', send));
};

const blockForWrongPin = async (work: Registration) => {
  // guard: note-wrong-pin
  await work.leased.write({ wrong_pin_at: isoTimeAfter(work.services.now(), 0) });
  await endWork(work, 'block', 'wrong_pin');
};

/**
 * Looks at the wrong PINs in Mixin's log before a PIN is sent that may be wrong. If one of them was ours, whose answer
 * was lost, no other is sent. If one more could lock the account, none is sent until that is past.
 */
const avoidPinLock = async (work: Registration) => {
  const { services, leased, keystore } = work;
  const sentAt = leased.bot.pin_sent_at;
  const overAt = sentAt === undefined ? undefined : isoTimeAfter(Date.parse(sentAt), mixin.settledSeconds);
  // guard: wait-for-lost-pin
  await postponeUntil(work, overAt, 'pin_not_visible');
  const errors = await services.mixin.readPinErrors(keystore);
  const slackMs = 1_000 * mixin.settledSeconds;
  // guard: find-wrong-pin-in-log
  if (sentAt !== undefined && errors.some((at) => Date.parse(at) >= Date.parse(sentAt) - slackMs))
    await blockForWrongPin(work);
  const lastButOne = errors[mixin.pinErrorsToLock - 2];
  const safeAt = lastButOne && isoTimeAfter(Date.parse(lastButOne), mixin.pinErrorWindowSeconds);
  // guard: avoid-pin-lock
  await postponeUntil(work, safeAt, 'pin_nearly_locked');
};

/** POST /pin/update with the six-digit PIN as the old one. A wrong one is sent once, and no other after it. */
const upgradePin = async (work: Registration, key: StoredKey) => {
  const { services, keystore } = work;
  await avoidPinLock(work);
  const send = (call: PinCall) => services.mixin.setTipPin(keystore, key.private_key, call, keystore.pin);
  try {
    const answer = await post(
      work,
      'pin_sent_at',
      send,
      // guard: reserve-two-iterators
      2n,
    );
    await confirmPin(work, key, answer);
  } catch (error) {
    if (!(error instanceof MixinError) || error.code !== 'pin_refused') throw error;
    await blockForWrongPin(work);
  }
};

/** POST /safe/users. */
const registerSafe = async (work: Registration, key: StoredKey, tipKey: PrivateKey) => {
  await post(work, 'safe_sent_at', (call) =>
    work.services.mixin.registerSafe(work.keystore, key.private_key, tipKey, call),
  );
  // guard: note-safe-set
  await work.leased.write({ safe_set_at: isoTimeAfter(work.services.now(), 0) });
};

/** Nothing is believed but what GET /safe/me shows. */
const confirmSafe = async (work: Registration, key: StoredKey) => {
  const shown = await work.services.mixin.readProfile(work.keystore);
  // guard: believe-only-get
  if (!shown.has_safe) await leaveUnsure(work, 'not_confirmed', shown.request_id);
  await decideAgain(work, shown, listSpendKey(key.public_key));
};

/** A listed TIP key is stored beside the spend key only where it is the account's PIN: else the spend key becomes it. */
const dropUnusedTipKey = (work: Registration, pin: PinPlan): Registration => {
  if (pin === 'tip') return work;
  const { tip_private_key: _, ...keystore } = work.keystore;
  return { ...work, keystore };
};

const bringIntoSafe = async (work: Registration, pin: PinPlan, shownTip: string) => {
  const { services, keystore } = work;
  const candidate =
    pin === 'listed' ? await findKeyForm(work, keystore.spend_key, shownTip) : generateSeed(services);
  const key = await storeAndNameKey(dropUnusedTipKey(work, pin), candidate);
  if (pin === 'unset') await setPin(work, key);
  if (pin === 'upgrade') await upgradePin(work, key);
  const tipKey =
    pin === 'tip' ? await findKeyForm(work, keystore.tip_private_key, shownTip) : key.private_key;
  await registerSafe(work, key, tipKey);
  await confirmSafe(work, key);
};

const registerLeased = async (leasedWork: LeasedWork): Promise<void> => {
  const { services, leased } = leasedWork;
  const stored = await readKeystoreOrBlock(services, leased.bot, step);
  if (!stored) return;
  const { keystore } = stored;
  const work = { ...leasedWork, keystore };
  const ours = await deriveVaultPublicKeys(services, keystore);
  const profile = await services.mixin.readProfile(keystore);
  const task = await decideAgain(work, profile, ours);
  if (task.kind === 'register') return bringIntoSafe(work, task.pin, profile.tip_public_key);
  const candidate = await findKeyForm(work, keystore.spend_key, profile.spend_public_key ?? '');
  await confirmSafe(work, await storeAndNameKey(work, candidate));
};

/**
 * Handles one message `{ bot_id }`; of a bot that is not (or no longer) `registering` nothing is sent to Mixin.
 * @param deadlineMs when the invocation ends; the lease ends with it
 * Throws only on the unexpected (then SQS delivers the message again).
 */
export const register = async (services: Services, body: unknown, deadlineMs: number): Promise<void> => {
  const { bot_id } = botMessage.parse(body);
  const bot = await services.table.readBot(bot_id);
  if (!bot) return services.log('warn', 'bot_unknown', { bot_id });
  if (bot.state === 'registering') await withLease(services, step, bot, deadlineMs, registerLeased);
  // An audit found the key missing from the current version (it may only read).
  else if (isAudited(bot)) await services.vault.restoreCurrent(bot_id);
  else await sendAtEndOfWait(services, bot);
};
