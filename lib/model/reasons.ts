/**
 * Why a bot is in its state, where Enlist itself found out: a stable code, what happened, what to do.
 * The sentences for what Mixin refuses are in lib/mixin/errors.ts.
 */
import { mixinErrorCodes } from './mixin-error.ts';
import type { Problem } from './problem.ts';

const reasons = {
  external_key: {
    message: 'The bot is in Safe already, with a key that is not in the vault.',
    fix: 'Nothing, if you store its key elsewhere. To store it in the vault, list the bot again with its spend_private_key.',
  },
  key_not_shown: {
    message: 'The bot is in Safe already. Mixin does not show its key, and the vault holds one for this bot.',
    fix: 'Retry the bots in state external: Enlist checks again, as it does at the next audit. If another tool shows spend_public_key, compare it with public_key.',
  },
  keystore_missing: {
    message: 'The vault holds no keystore for this bot.',
    fix: 'List the bot again with its keystore.',
  },
  key_missing: {
    message: 'The row names a spend key, and the vault does not hold it; no other was stored.',
    fix: 'List the bot again with the spend_private_key that belongs to its public_key, from a backup.',
  },
  secret_unreadable: {
    message: "The bot's secret does not hold a keystore of this bot.",
    fix: "Look at the secret in Secrets Manager: move what it holds elsewhere, write the bot's keystore into it, then retry.",
  },
  secret_pending_deletion: {
    message: "The bot's secret is scheduled for deletion in Secrets Manager.",
    fix: 'Restore the secret (aws secretsmanager restore-secret) and retry: it may hold a key that cannot be replaced.',
  },
  six_digit_pin: {
    message: 'The account has a six-digit PIN and no TIP PIN.',
    fix: 'List the bot again with its six digits as pin: Enlist upgrades it to a TIP PIN. Or upgrade it with another tool, then list the bot with tip_private_key.',
  },
  wrong_pin: {
    message: 'Mixin refused the six-digit PIN. Five wrong PINs lock an account, so Enlist tries no other.',
    fix: 'Upgrade the PIN to a TIP PIN with another tool, then list the bot again with tip_private_key.',
  },
  pin_nearly_locked: {
    message: 'One more wrong PIN could lock this account, so none was sent.',
    fix: 'Nothing: Enlist waits until the oldest wrong PIN is a day old. Find the program that sends wrong PINs.',
  },
  key_form_unknown: {
    message: 'The listed spend key may be a seed or a scalar, and Mixin shows no key that decides it.',
    fix: 'List the bot again with seed and public key side by side (128 hex characters), or name a seed spend_private_key.',
  },
  owner_missing: {
    message: 'The vault holds no keystore for the owner of this user.',
    fix: 'List the owner bot with its keystore, then retry.',
  },
  sign_in_missing: {
    message: 'The vault no longer holds the code of this sign-in.',
    fix: 'Request a new code (POST /accounts/verifications) and sign in with it.',
  },
  user_creation_unknown: {
    message:
      'POST /users was sent and its answer was lost: the owner may have paid 0.5 USD for a user that nobody can use.',
    fix: 'Compare the owner\'s bill (Mixin dashboard, or GET /safe/apps/OWNER/billing) with the users that were created. To create it again, at the risk of paying twice, retry with states ["unsure"] and pay_again.',
  },
  user_not_new: {
    message: 'Mixin answered POST /users with a user that Enlist knows already; its keys were not changed.',
    fix: "Send the request id in the bot's history to Mixin's support, and don't retry before they answer.",
  },
  sign_in_unknown: {
    message:
      'The code was sent and the answer was lost: the sign-in may have ended the sessions of other devices.',
    fix: 'Request a new code (POST /accounts/verifications) and sign in with it; this code cannot be used again.',
  },
  tip_key_missing: {
    message: 'The account has a TIP PIN, and its row has no key for it.',
    fix: 'List the bot again with tip_private_key, the 32-byte hex seed of its TIP PIN.',
  },
  tip_key_mismatch: {
    message: "The tip_private_key of the row is not the key of the account's TIP PIN.",
    fix: "Find the key of this account's TIP PIN (it cannot be changed), and list the bot again with it.",
  },
  key_conflict: {
    message: 'The key on the row is not the key in the vault; nothing was sent.',
    fix: 'Keep both keys, compare them with spend_public_key in GET /safe/me, and ask for help before any retry.',
  },
  key_changed: {
    message: 'Mixin shows another spend key than the one that was registered.',
    fix: 'Compare spend_public_key in GET /safe/me with the public key here: the account may have been replaced.',
  },
  safe_lost: {
    message: 'The bot was in Safe before, and Mixin now shows it outside Safe.',
    fix: "Send the request ids in the bot's history to Mixin's support; a key that Enlist generated is still in the vault.",
  },
  pin_not_visible: {
    message: 'Mixin accepted the TIP PIN and does not show it yet.',
    fix: 'Nothing: Enlist checks the bot again, and does not set the PIN twice.',
  },
  not_confirmed: {
    message: 'Mixin accepted the registration and does not show it yet.',
    fix: 'Nothing: Enlist checks the bot again.',
  },
  pin_locked: {
    message: 'Mixin has locked the PIN of this account after wrong PINs.',
    fix: "Don't use this bot's PIN from any program for 24 hours; each attempt extends the lock. Enlist tries again after that. If you know that the lock is over: enlist retry BATCH --despite-pin-lock.",
  },
  handler_crashed: {
    message: 'A step crashed on this bot each time it was tried; its message is in the dead-letter queue.',
    fix: 'Look for record_crashed in the logs of that step, fix the cause, then retry.',
  },
  stalled: {
    message: 'The bot was queued six times, and no step handled it.',
    fix: "Look at the step's dead-letter queue and logs, fix the cause, then retry.",
  },
} as const;
export type ReasonCode = keyof typeof reasons;

const ownCodes = Object.keys(reasons) as ReasonCode[];

/** Every code that a bot's reason can have. */
export const reasonCodes = [...new Set([...ownCodes, ...mixinErrorCodes])];

/** The reason with its code, for a bot's row. */
export const describeReason = (code: ReasonCode): Problem => ({ code, ...reasons[code] });
