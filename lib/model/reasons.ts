/**
 * Why a bot rests where it is, where Enlist itself found out: a stable code, what happened, what to do.
 * What Mixin refuses has its sentences in lib/mixin/errors.ts.
 */
import type { Problem } from './problem.ts';

const reasons = {
  external_key: {
    message: 'The bot is in Safe already, with a key that is not in the vault.',
    fix: 'Nothing to do if its key is kept elsewhere. To have Enlist keep it, list the bot again with its spend_private_key.',
  },
  key_not_shown: {
    message:
      'The bot is in Safe already. Mixin does not tell with which key, and the vault holds one for it.',
    fix: 'Retry the bots in state external: Enlist looks again, as it does by itself at the next audit. Where another tool shows spend_public_key, compare it with public_key.',
  },
  keystore_missing: {
    message: 'The vault holds no keystore for this bot.',
    fix: 'List the bot again with its keystore.',
  },
  secret_pending_deletion: {
    message: "The bot's secret is scheduled for deletion in Secrets Manager.",
    fix: 'Restore the secret (aws secretsmanager restore-secret) and retry: it may hold a key that cannot be replaced.',
  },
  six_digit_pin: {
    message: 'The account has a six-digit PIN and no TIP PIN.',
    fix: 'List the bot again with its six digits as pin: Enlist upgrades it to TIP. Or upgrade it with another tool and list it with tip_private_key.',
  },
  wrong_pin: {
    message:
      'Mixin refused the six-digit PIN of the row. Five wrong ones lock an account, so Enlist tries no other.',
    fix: 'Upgrade the PIN to TIP with a tool of your own, then list the bot again with tip_private_key.',
  },
  pin_nearly_locked: {
    message: 'The account had so many wrong PINs lately that one more could lock it; none was sent.',
    fix: 'Nothing: Enlist waits until the oldest of them is a day old. Find the program that sends wrong PINs.',
  },
  key_form_unknown: {
    message: 'The listed spend key may be a seed or a scalar, and Mixin shows no key that could tell which.',
    fix: 'List the bot again with seed and public key side by side (128 hex characters), or name a seed spend_private_key.',
  },
  owner_missing: {
    message: 'The vault holds no keystore for the owner that is to create this user.',
    fix: 'List the owner bot with its keystore, then retry.',
  },
  sign_in_missing: {
    message: 'The vault no longer holds the code of this sign-in.',
    fix: 'Ask for a new code (POST /accounts/verifications) and sign in with it.',
  },
  user_creation_unknown: {
    message:
      'POST /users was sent and its answer never came: the owner may have paid 0.5 USD for a user that nobody can use.',
    fix: 'Compare the owner\'s bill (Mixin dashboard, or GET /safe/apps/OWNER/billing) with the users that were created. To create it again, at the risk of paying twice, retry with states ["unsure"] and pay_again.',
  },
  user_not_new: {
    message: 'Mixin answered POST /users with a user that has a row here already; its keys were not touched.',
    fix: "Ask Mixin's support with the request id of the history, and do not retry before they have answered.",
  },
  sign_in_unknown: {
    message:
      'The code was sent and the answer never came: the sign-in may have ended the sessions of other devices.',
    fix: 'Ask for a new code (POST /accounts/verifications) and sign in with it; this code is of no more use.',
  },
  tip_key_missing: {
    message: 'The account has a TIP PIN, and its row brings no key for it.',
    fix: 'List the bot again with tip_private_key, the 32-byte hex seed of its TIP PIN.',
  },
  tip_key_mismatch: {
    message: 'The account has a TIP PIN that does not belong to the tip_private_key of its row.',
    fix: "Find the key that belongs to this account's TIP PIN (it cannot be changed) and list the bot again with it.",
  },
  key_conflict: {
    message: 'The row names another key than the vault holds; nothing was sent.',
    fix: 'Keep both, compare them with what Mixin shows (spend_public_key), and ask for help before any retry.',
  },
  key_changed: {
    message: 'Mixin shows another spend key than the one that was registered.',
    fix: 'Compare spend_public_key in GET /safe/me with the public key here: somebody may have replaced the account.',
  },
  safe_lost: {
    message: 'The bot was seen in Safe before, and Mixin shows it outside Safe now.',
    fix: "Ask Mixin's support with the request ids of the history; a key that Enlist made is still in the vault.",
  },
  pin_not_visible: {
    message: 'Mixin accepted the TIP PIN and does not show it yet.',
    fix: 'Nothing: the bot is looked at again by itself, and the PIN is not set twice.',
  },
  not_confirmed: {
    message: 'Mixin accepted the registration and does not show it yet.',
    fix: 'Nothing: the bot is looked at again by itself.',
  },
  pin_locked: {
    message: 'Mixin has locked PIN calls of this account after wrong PINs.',
    fix: 'Nothing: Enlist stays away for a day, since each try lengthens the lock. Stop other programs that use this bot.',
  },
  handler_crashed: {
    message: 'A step crashed on this bot every time it was tried; its message lies in the dead-letter queue.',
    fix: 'Look for record_crashed in the logs of that step, mend the cause, then retry.',
  },
  stalled: {
    message: 'The bot was queued again and again and never came forward.',
    fix: "Look at the step's dead-letter queue and logs, mend the cause, then retry.",
  },
} as const;
export type ReasonCode = keyof typeof reasons;

export const describeReason = (code: ReasonCode): Problem => ({ code, ...reasons[code] });
