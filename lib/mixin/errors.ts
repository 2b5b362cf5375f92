/**
 * What can go wrong with a call to Mixin, as one table: a stable code for scripts, a sentence for people and
 * what to do about it. The words are true for every call that can fail in this way; the caller adds what Enlist itself
 * does next. Pure data.
 *
 * Numbers: https://developers.mixin.one/docs/api/error-codes (read 2026-11-21), its fuller edition of
 * 2020-11 (commit c5a35965), and the error tables of the Android, iOS, Kotlin and Dart clients.
 */

import {
  MixinError,
  type MixinErrorCode,
  type MixinErrorFacts,
  mixinErrorCodes,
  type Verdict,
} from '../model/mixin-error.ts';

export { type MixinErrorCode, mixinErrorCodes };

export type Method = 'GET' | 'POST';

interface Entry {
  /** Mixin's numbers for it; empty where no answer of Mixin has one. */
  readonly mixin_codes: readonly number[];
  /** What happened. */
  readonly message: string;
  /** What the operator should do. */
  readonly fix: string;
  /** The verdict on a POST. On a GET `unsure` becomes `again`: a GET changes nothing. */
  readonly verdict: Verdict;
}

const table = {
  bad_keystore: {
    mixin_codes: [],
    message: 'A key that the call needs cannot be used; nothing was sent.',
    fix: "Check this account's keystore, or export it from the Mixin dashboard again, and list it again.",
    verdict: 'never',
  },
  invalid_request: {
    mixin_codes: [400],
    message: 'Mixin could not parse the request.',
    fix: 'Report the request id to the makers of Enlist: this is a bug.',
    verdict: 'never',
  },
  session_refused: {
    mixin_codes: [401],
    message: 'Mixin refused the session: its key was replaced, or it does not belong to the account.',
    fix: 'Create a new session for this account (for a bot, in the Mixin dashboard) and list it again with the new keystore.',
    verdict: 'never',
  },
  clock_skew: {
    mixin_codes: [401],
    message: 'Mixin refused the signature: our clock and its clock differ by more than a minute.',
    fix: 'Set the clock of this machine by NTP.',
    verdict: 'again',
  },
  forbidden: {
    mixin_codes: [403],
    message: 'Mixin does not allow this account to make this call.',
    fix: 'Check that the account is not restricted. To create users, it must be a bot of the Mixin dashboard.',
    verdict: 'never',
  },
  not_found: {
    mixin_codes: [404],
    message: 'Mixin does not know the verification.',
    fix: 'Check the id of the verification, or request a new code.',
    verdict: 'never',
  },
  wrong_address: {
    mixin_codes: [404],
    message: 'The address in MIXIN_URL does not answer as Mixin does.',
    fix: 'Set MIXIN_URL to the address of Mixin (https://api.mixin.one, without a path), and check any proxy.',
    verdict: 'unsure',
  },
  rate_limited: {
    mixin_codes: [429],
    message: 'Mixin asks for fewer calls.',
    fix: 'Wait some minutes. If this goes on, make fewer calls at once.',
    verdict: 'again',
  },
  server_error: {
    mixin_codes: [500, 7000, 7001],
    message: 'Mixin answered with a server error.',
    fix: 'Wait: only Mixin can fix this. If it goes on, send the request id to its support.',
    verdict: 'unsure',
  },
  internal_error: {
    mixin_codes: [10001],
    message: 'Mixin had an internal error.',
    fix: 'Wait: only Mixin can fix this. If it goes on, send the request id to its support.',
    verdict: 'unsure',
  },
  invalid_field: {
    mixin_codes: [10002],
    message: 'Mixin refused a field of the request.',
    fix: 'Check the values you gave and the state of the account. If both look right, report the request id as a bug.',
    verdict: 'never',
  },
  sms_not_delivered: {
    mixin_codes: [10003],
    message: 'Mixin could not deliver the SMS.',
    fix: 'Check the phone number and that the phone has reception, then request a new code.',
    verdict: 'never',
  },
  captcha_wrong: {
    mixin_codes: [10004],
    message: 'Mixin did not accept the answer to the captcha.',
    fix: 'Solve a new captcha and request the code again with its answer.',
    verdict: 'never',
  },
  captcha_required: {
    mixin_codes: [10005],
    message: 'Mixin asks for a captcha before it sends a code.',
    fix: 'Let a person solve the captcha, and request the code again with the answer.',
    verdict: 'never',
  },
  client_too_old: {
    mixin_codes: [10006],
    message: 'Mixin no longer accepts this version of the client.',
    fix: 'For a sign-in, give the version of a current Mixin app as app_version; else update Enlist.',
    verdict: 'never',
  },
  wallet_not_ready: {
    mixin_codes: [10104, 10105, 10106, 30100, 30103],
    message: 'The wallet or its chain is busy or not in sync at Mixin.',
    fix: 'Wait some minutes and try again.',
    verdict: 'again',
  },
  not_in_safe: {
    mixin_codes: [10404],
    message: 'The account is not registered with Mixin Safe.',
    fix: 'Register it first.',
    verdict: 'never',
  },
  phone_invalid: {
    mixin_codes: [20110],
    message: 'Mixin does not accept the phone number.',
    fix: 'Give the number in international form: + and the country code, then digits only.',
    verdict: 'never',
  },
  no_identity_numbers: {
    mixin_codes: [20111],
    message: 'Mixin has no identity numbers left.',
    fix: "Ask Mixin's support.",
    verdict: 'never',
  },
  invitation_invalid: {
    mixin_codes: [20112],
    message: 'Mixin does not accept the invitation code.',
    fix: 'Give a valid invitation code.',
    verdict: 'never',
  },
  sms_code_wrong: {
    mixin_codes: [20113],
    message: 'The verification code is wrong.',
    fix: 'Compare the code with the newest message and try once more. If it is refused again, request a new code.',
    verdict: 'never',
  },
  sms_code_expired: {
    mixin_codes: [20114],
    message: 'The verification code has expired.',
    fix: 'Request a new code, and use it within five minutes.',
    verdict: 'never',
  },
  legacy_pin: {
    mixin_codes: [20118],
    message: 'The account has a six-digit PIN, and Mixin has suspended the upgrade to TIP.',
    fix: "Ask Mixin's support to upgrade the account, then retry the bot.",
    verdict: 'never',
  },
  pin_refused: {
    mixin_codes: [20119],
    message: 'Mixin refused the PIN: wrong key, wrong time, or an iterator that was used before.',
    fix: "Check that no other program uses this bot's PIN and that its keystore holds the right PIN, then retry. Five wrong PINs lock the account.",
    verdict: 'never',
  },
  authorization_expired: {
    mixin_codes: [20121],
    message: 'The authorization code has expired.',
    fix: 'Authorize again.',
    verdict: 'never',
  },
  phone_taken: {
    mixin_codes: [20122],
    message: 'The phone number belongs to somebody else.',
    fix: 'Use another number.',
    verdict: 'never',
  },
  too_many_apps: {
    mixin_codes: [20123],
    message: 'The owner has too many apps, or an unpaid bill.',
    fix: 'Pay the bill or buy app credits in the Mixin dashboard.',
    verdict: 'never',
  },
  sms_too_often: {
    mixin_codes: [20129],
    message: 'Verification codes were requested too often.',
    fix: 'Wait at least a minute, then request a code again.',
    verdict: 'again',
  },
  too_late: {
    mixin_codes: [],
    message: 'The time for this call was over before it could leave; nothing was sent.',
    fix: 'If this goes on, check whether this machine sleeps, or has too little CPU.',
    verdict: 'again',
  },
  no_connection: {
    mixin_codes: [],
    message: 'Could not connect to Mixin; nothing was sent.',
    fix: 'Check MIXIN_URL, DNS, firewall and proxy; if the certificate is refused, check the clock.',
    verdict: 'again',
  },
  no_answer: {
    mixin_codes: [],
    message: 'Mixin did not answer: the connection failed, broke or timed out.',
    fix: 'If this goes on, check the network.',
    verdict: 'unsure',
  },
  broken_answer: {
    mixin_codes: [],
    message: 'The answer cannot be trusted: it is empty, too big, a redirect, or does not fit the request.',
    fix: 'If this goes on, check MIXIN_URL and any proxy.',
    verdict: 'unsure',
  },
  unknown_error: {
    mixin_codes: [],
    message: 'Mixin refused the call with a code that Enlist does not know.',
    fix: 'Look up the code at developers.mixin.one before you retry.',
    verdict: 'never',
  },
} as const satisfies Record<MixinErrorCode, Entry>;

export const mixinErrors: Readonly<Record<MixinErrorCode, Entry>> = table;

/**
 * Our code for one of Mixin's numbers: 5xx is `server_error`, an unknown number `unknown_error`. 401 and
 * 404 mean two things each and give `session_refused` and `not_found`; answer.ts tells them apart.
 */
export const findCode = (mixin_code: number): MixinErrorCode => {
  const known = mixinErrorCodes.find((code) => mixinErrors[code].mixin_codes.includes(mixin_code));
  return known ?? (mixin_code >= 500 && mixin_code < 600 ? 'server_error' : 'unknown_error');
};

/** The verdict on an error of a call: the table's, but a GET leaves nothing unsure. */
export const decideVerdict = (code: MixinErrorCode, method: Method): Verdict => {
  const verdict = mixinErrors[code].verdict;
  return verdict === 'unsure' && method === 'GET' ? 'again' : verdict;
};

/** The facts of one failure. Without a method the verdict is that of a POST. */
export interface MixinErrorDetails extends MixinErrorFacts {
  readonly method?: Method | undefined;
}

/** The error of a call that failed: the words of the table, and the facts of this call. */
export const createMixinError = (
  code: MixinErrorCode,
  { method = 'POST', ...facts }: MixinErrorDetails = {},
): MixinError => {
  const { message, fix } = table[code];
  return new MixinError({ code, message, fix, verdict: decideVerdict(code, method) }, facts);
};
