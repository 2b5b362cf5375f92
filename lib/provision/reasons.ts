/**
 * Why a bot rests where it is, where Enlist itself found out: a stable code, what happened, what to do.
 * What Mixin refuses has its sentences in lib/mixin/errors.ts.
 */
import type { Reason } from './records.ts';

const reasons = {
  external_key: {
    message: 'The bot is in Safe already, with a key that is not in the vault.',
    todo: 'Nothing to do if its key is kept elsewhere. To have Enlist keep it, list the bot again with its spend_private_key.',
  },
  keystore_missing: {
    message: 'The vault holds no keystore for this bot.',
    todo: 'List the bot again with its keystore.',
  },
  secret_pending_deletion: {
    message: "The bot's secret is scheduled for deletion in Secrets Manager.",
    todo: 'Restore the secret (aws secretsmanager restore-secret) and retry: it may hold a key that cannot be replaced.',
  },
  six_digit_pin: {
    message: 'The account has a six-digit PIN and no TIP PIN.',
    todo: 'Upgrade its PIN to TIP with the tool that set it, then list the bot again with tip_private_key.',
  },
  tip_key_missing: {
    message: 'The account has a TIP PIN, and its row brings no key for it.',
    todo: 'List the bot again with tip_private_key, the 32-byte hex seed of its TIP PIN.',
  },
  tip_key_foreign: {
    message: 'The account has a TIP PIN that does not belong to the tip_private_key of its row.',
    todo: "Find the key that belongs to this account's TIP PIN (it cannot be changed) and list the bot again with it.",
  },
  key_conflict: {
    message: 'The row names another key than the vault holds; nothing was sent.',
    todo: 'Keep both, compare them with what Mixin shows (spend_public_key), and ask for help before any retry.',
  },
  key_changed: {
    message: 'Mixin shows another spend key than the one that was registered.',
    todo: 'Compare spend_public_key in GET /safe/me with the public key here: somebody may have replaced the account.',
  },
  safe_lost: {
    message: 'The bot was seen in Safe before, and Mixin shows it outside Safe now.',
    todo: "Ask Mixin's support with the request ids of the history; a key that Enlist made is still in the vault.",
  },
  pin_not_visible: {
    message: 'Mixin accepted the TIP PIN and does not show it yet.',
    todo: 'Nothing: the bot is looked at again by itself, and the PIN is not set twice.',
  },
  not_confirmed: {
    message: 'Mixin accepted the registration and does not show it yet.',
    todo: 'Nothing: the bot is looked at again by itself.',
  },
  pin_locked: {
    message: 'Mixin has locked PIN calls of this account after wrong PINs.',
    todo: 'Nothing: Enlist stays away for a day, since each try lengthens the lock. Stop other programs that use this bot.',
  },
  handler_crashed: {
    message: 'A step crashed on this bot every time it was tried; its message lies in the dead-letter queue.',
    todo: 'Look for record_crashed in the logs of that step, mend the cause, then retry.',
  },
  stalled: {
    message: 'The bot was queued again and again and never came forward.',
    todo: "Look at the step's dead-letter queue and logs, mend the cause, then retry.",
  },
} as const;
export type ReasonCode = keyof typeof reasons;

export const reason = (code: ReasonCode): Reason => ({ code, ...reasons[code] });
