/**
 * What can go wrong with a call to Mixin, as one table: a stable code for scripts, a sentence for people and
 * what to do about it. The words are true of every call that can meet the error; what Enlist itself does next is
 * for the caller to say. Pure data.
 *
 * Numbers: https://developers.mixin.one/docs/api/error-codes (read 2026-11-21), its fuller edition of
 * 2020-11 (commit c5a35965), and the error tables of the Android, iOS, Kotlin and Dart clients.
 */

import { MixinError, type MixinErrorFacts, type Verdict } from '../model/mixin-error.ts';

export type Method = 'GET' | 'POST';

interface Entry {
  /** Mixin's numbers for it; empty where Mixin said nothing that can be read. */
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
    message: 'A key that the call needs cannot be used, so nothing was sent.',
    fix: 'Look the keystore of this account over, or export it from the Mixin dashboard again, and list it again.',
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
    message:
      'Mixin refused the session that signed: its key was replaced, or does not belong to the account.',
    fix: 'Make a new session for the account that signed, for a bot in the Mixin dashboard, and list it again with the new keystore.',
    verdict: 'never',
  },
  clock_skew: {
    mixin_codes: [401],
    message: 'Mixin refused the signature because it was made more than a minute off its own time.',
    fix: 'Set the clock of the machine by NTP.',
    verdict: 'again',
  },
  forbidden: {
    mixin_codes: [403],
    message: 'Mixin forbids this call to whoever made it.',
    fix: 'Check that the account is in good standing and, where users are to be created, that it is a bot of the Mixin dashboard.',
    verdict: 'never',
  },
  not_found: {
    mixin_codes: [404],
    message: 'Mixin does not know the account, the verification or the address that was called.',
    fix: 'Check the user id of the keystore or the id of the verification, and MIXIN_URL.',
    verdict: 'never',
  },
  rate_limited: {
    mixin_codes: [429],
    message: 'Mixin asks for fewer calls.',
    fix: 'Wait some minutes; if this lasts, make fewer calls at once.',
    verdict: 'again',
  },
  pin_locked: {
    mixin_codes: [429],
    message: 'Mixin locked PIN calls of this account after too many wrong PINs.',
    fix: 'Make no PIN call of this bot for a day, from any program: each one lengthens the lock.',
    verdict: 'again',
  },
  server_error: {
    mixin_codes: [500, 7000, 7001],
    message: 'Mixin answered with a server error.',
    fix: 'Wait: only Mixin can mend this. Ask its support with the request id if it lasts.',
    verdict: 'unsure',
  },
  internal_error: {
    mixin_codes: [10001],
    message: 'Mixin met an internal error.',
    fix: 'Wait: only Mixin can mend this. Ask its support with the request id if it lasts.',
    verdict: 'unsure',
  },
  invalid_field: {
    mixin_codes: [10002],
    message: 'Mixin refused a field of the request.',
    fix: 'Check what was given and the state of the account; if both look right, report the request id as a bug.',
    verdict: 'never',
  },
  sms_not_delivered: {
    mixin_codes: [10003],
    message: 'Mixin could not deliver the SMS.',
    fix: 'Check the phone number and that the phone has reception, then ask for a new code.',
    verdict: 'never',
  },
  captcha_wrong: {
    mixin_codes: [10004],
    message: 'Mixin did not accept the answer to the captcha.',
    fix: 'Solve a new captcha and ask for the code again with its answer.',
    verdict: 'never',
  },
  captcha_required: {
    mixin_codes: [10005],
    message: 'Mixin asks for a captcha before it sends a code.',
    fix: 'Have a person solve the captcha, and ask for the code again with its answer.',
    verdict: 'never',
  },
  client_too_old: {
    mixin_codes: [10006],
    message: 'Mixin no longer serves this version of the client.',
    fix: 'Give the version of a present Mixin app as app_version where a person signs in; else update Enlist.',
    verdict: 'never',
  },
  wallet_not_ready: {
    mixin_codes: [10104, 10105, 10106, 30100, 30103],
    message: 'The wallet or its chain is busy or not in sync on the side of Mixin.',
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
    fix: 'Give the number in international form: a plus sign, the country, the number, digits only.',
    verdict: 'never',
  },
  no_identity_numbers: {
    mixin_codes: [20111],
    message: 'Mixin has no identity numbers left.',
    fix: 'Ask the support of Mixin.',
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
    fix: 'Compare the code with the newest message and give it once more; if that is refused too, ask for a new one.',
    verdict: 'never',
  },
  sms_code_expired: {
    mixin_codes: [20114],
    message: 'The verification code has expired.',
    fix: 'Ask for a new code, and give it within five minutes.',
    verdict: 'never',
  },
  legacy_pin: {
    mixin_codes: [20118],
    message: 'The account has a six-digit PIN of the old kind, and Mixin suspended the upgrade to TIP.',
    fix: 'Ask the support of Mixin to upgrade the account, then retry the bot.',
    verdict: 'never',
  },
  pin_refused: {
    mixin_codes: [20119],
    message: 'Mixin refused the PIN: wrong key, wrong time or a used iterator.',
    fix: 'Do not retry blindly: five wrong PINs lock the account. Check that no other program makes PIN calls for this bot, and that the keystore holds its right PIN.',
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
    message: 'Verification codes were asked for too often.',
    fix: 'Wait a minute at least, then ask for a code again.',
    verdict: 'again',
  },
  no_connection: {
    mixin_codes: [],
    message: 'No connection to Mixin came to be, so nothing was sent.',
    fix: 'Check MIXIN_URL, name service, firewall and proxy, and the clock where a certificate is at fault.',
    verdict: 'again',
  },
  no_answer: {
    mixin_codes: [],
    message: 'Mixin did not answer: the connection failed, broke off or timed out.',
    fix: 'Check the network if this lasts.',
    verdict: 'unsure',
  },
  broken_answer: {
    mixin_codes: [],
    message: 'The answer cannot be believed: empty, too big, a redirect, of another request or shape.',
    fix: 'Check MIXIN_URL and any proxy before it if this lasts.',
    verdict: 'unsure',
  },
  unknown_error: {
    mixin_codes: [],
    message: 'Mixin refused with a code that Enlist does not know.',
    fix: 'Look the code up at developers.mixin.one before the call is made again.',
    verdict: 'never',
  },
} as const satisfies Record<string, Entry>;

/** Stable; a row keeps it as its reason's code. */
export type MixinErrorCode = keyof typeof table;

export const mixinErrors: Readonly<Record<MixinErrorCode, Entry>> = table;

export const mixinErrorCodes = Object.keys(table) as MixinErrorCode[];

/**
 * Our code for one of Mixin's numbers: 5xx is `server_error`, a number nobody knows `unknown_error`. 401 and
 * 429 mean two things each and give `session_refused` and `rate_limited`; answer.ts tells them apart.
 */
export const codeOf = (mixin_code: number): MixinErrorCode => {
  const known = mixinErrorCodes.find((code) => mixinErrors[code].mixin_codes.includes(mixin_code));
  return known ?? (mixin_code >= 500 && mixin_code < 600 ? 'server_error' : 'unknown_error');
};

/** The verdict on an error of a call: the table's, but a GET leaves nothing unsure. */
export const verdictOf = (code: MixinErrorCode, method: Method): Verdict => {
  const verdict = mixinErrors[code].verdict;
  return verdict === 'unsure' && method === 'GET' ? 'again' : verdict;
};

/** What is known of one failure. Where no method is given the verdict is that of a POST. */
export interface MixinErrorDetails extends MixinErrorFacts {
  readonly method?: Method | undefined;
}

/** The error of a call that failed: the words of the table, and the facts of this call. */
export const createMixinError = (
  code: MixinErrorCode,
  { method = 'POST', ...facts }: MixinErrorDetails = {},
): MixinError => {
  const { message, fix } = table[code];
  return new MixinError({ code, message, fix, verdict: verdictOf(code, method) }, facts);
};
