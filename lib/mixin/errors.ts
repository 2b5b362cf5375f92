/**
 * What can go wrong with a call to Mixin, as one table: a stable code for scripts, a sentence for people and
 * what to do about it. The words are true of every call that can meet the error; what Enlist itself does next is
 * for the caller to say. Pure data: this file imports nothing.
 *
 * Numbers: https://developers.mixin.one/docs/api/error-codes (read 2026-11-21), its fuller edition of
 * 2020-11 (commit c5a35965), and the error tables of the Android, iOS, Kotlin and Dart clients.
 */

/**
 * What may follow an error. `again`: nothing happened, try later. `never`: Mixin refused and will refuse again
 * until somebody acts. `unsure`: the call may have taken effect, and only a GET can tell.
 */
export type Verdict = 'again' | 'never' | 'unsure';

export type Method = 'GET' | 'POST';

interface Entry {
  /** Mixin's numbers for it; empty where Mixin said nothing that can be read. */
  readonly mixin_codes: readonly number[];
  /** What happened. */
  readonly sentence: string;
  /** What the operator should do. */
  readonly todo: string;
  /** The verdict on a POST. On a GET `unsure` becomes `again`: a GET changes nothing. */
  readonly verdict: Verdict;
}

const table = {
  bad_keystore: {
    mixin_codes: [],
    sentence: 'A key that the call needs cannot be used, so nothing was sent.',
    todo: 'Look the keystore of this account over, or export it from the Mixin dashboard again, and list it again.',
    verdict: 'never',
  },
  invalid_request: {
    mixin_codes: [400],
    sentence: 'Mixin could not parse the request.',
    todo: 'Report the request id to the makers of Enlist: this is a bug.',
    verdict: 'never',
  },
  session_refused: {
    mixin_codes: [401],
    sentence:
      'Mixin refused the session that signed: its key was replaced, or does not belong to the account.',
    todo: 'Make a new session for the account that signed, for a bot in the Mixin dashboard, and list it again with the new keystore.',
    verdict: 'never',
  },
  clock_skew: {
    mixin_codes: [401],
    sentence: 'Mixin refused the signature because it was made more than a minute off its own time.',
    todo: 'Set the clock of the machine by NTP.',
    verdict: 'again',
  },
  forbidden: {
    mixin_codes: [403],
    sentence: 'Mixin forbids this call to whoever made it.',
    todo: 'Check that the account is in good standing and, where users are to be created, that it is a bot of the Mixin dashboard.',
    verdict: 'never',
  },
  not_found: {
    mixin_codes: [404],
    sentence: 'Mixin does not know the account, the verification or the address that was called.',
    todo: 'Check the user id of the keystore or the id of the verification, and MIXIN_URL.',
    verdict: 'never',
  },
  rate_limited: {
    mixin_codes: [429],
    sentence: 'Mixin asks for fewer calls.',
    todo: 'Wait some minutes; if this lasts, make fewer calls at once.',
    verdict: 'again',
  },
  pin_locked: {
    mixin_codes: [429],
    sentence: 'Mixin locked PIN calls of this account after too many wrong PINs.',
    todo: 'Make no PIN call of this bot for a day, from any program: each one lengthens the lock.',
    verdict: 'again',
  },
  server_error: {
    mixin_codes: [500, 7000, 7001],
    sentence: 'Mixin answered with a server error.',
    todo: 'Wait: only Mixin can mend this. Ask its support with the request id if it lasts.',
    verdict: 'unsure',
  },
  internal_error: {
    mixin_codes: [10001],
    sentence: 'Mixin met an internal error.',
    todo: 'Wait: only Mixin can mend this. Ask its support with the request id if it lasts.',
    verdict: 'unsure',
  },
  invalid_field: {
    mixin_codes: [10002],
    sentence: 'Mixin refused a field of the request.',
    todo: 'Check what was given and the state of the account; if both look right, report the request id as a bug.',
    verdict: 'never',
  },
  sms_not_delivered: {
    mixin_codes: [10003],
    sentence: 'Mixin could not deliver the SMS.',
    todo: 'Check the phone number and that the phone has reception, then ask for a new code.',
    verdict: 'never',
  },
  captcha_wrong: {
    mixin_codes: [10004],
    sentence: 'Mixin did not accept the answer to the captcha.',
    todo: 'Solve a new captcha and ask for the code again with its answer.',
    verdict: 'never',
  },
  captcha_required: {
    mixin_codes: [10005],
    sentence: 'Mixin asks for a captcha before it sends a code.',
    todo: 'Have a person solve the captcha, and ask for the code again with its answer.',
    verdict: 'never',
  },
  client_too_old: {
    mixin_codes: [10006],
    sentence: 'Mixin no longer serves this version of the client.',
    todo: 'Give the version of a present Mixin app as app_version where a person signs in; else update Enlist.',
    verdict: 'never',
  },
  wallet_not_ready: {
    mixin_codes: [10104, 10105, 10106, 30100, 30103],
    sentence: 'The wallet or its chain is busy or not in sync on the side of Mixin.',
    todo: 'Wait some minutes and try again.',
    verdict: 'again',
  },
  not_in_safe: {
    mixin_codes: [10404],
    sentence: 'The account is not registered with Mixin Safe.',
    todo: 'Register it first.',
    verdict: 'never',
  },
  phone_invalid: {
    mixin_codes: [20110],
    sentence: 'Mixin does not accept the phone number.',
    todo: 'Give the number in international form: a plus sign, the country, the number, digits only.',
    verdict: 'never',
  },
  no_identity_numbers: {
    mixin_codes: [20111],
    sentence: 'Mixin has no identity numbers left.',
    todo: 'Ask the support of Mixin.',
    verdict: 'never',
  },
  invitation_invalid: {
    mixin_codes: [20112],
    sentence: 'Mixin does not accept the invitation code.',
    todo: 'Give a valid invitation code.',
    verdict: 'never',
  },
  sms_code_wrong: {
    mixin_codes: [20113],
    sentence: 'The verification code is wrong.',
    todo: 'Compare the code with the newest message and give it once more; if that is refused too, ask for a new one.',
    verdict: 'never',
  },
  sms_code_expired: {
    mixin_codes: [20114],
    sentence: 'The verification code has expired.',
    todo: 'Ask for a new code, and give it within five minutes.',
    verdict: 'never',
  },
  legacy_pin: {
    mixin_codes: [20118],
    sentence: 'The account has a six-digit PIN of the old kind, and Mixin suspended the upgrade to TIP.',
    todo: 'Ask the support of Mixin to upgrade the account, then retry the bot.',
    verdict: 'never',
  },
  pin_refused: {
    mixin_codes: [20119],
    sentence: 'Mixin refused the PIN: wrong key, wrong time or a used iterator.',
    todo: 'Do not retry blindly: five wrong PINs lock the account. Check that no other program makes PIN calls for this bot, and that the keystore holds its right PIN.',
    verdict: 'never',
  },
  authorization_expired: {
    mixin_codes: [20121],
    sentence: 'The authorization code has expired.',
    todo: 'Authorize again.',
    verdict: 'never',
  },
  phone_taken: {
    mixin_codes: [20122],
    sentence: 'The phone number belongs to somebody else.',
    todo: 'Use another number.',
    verdict: 'never',
  },
  too_many_apps: {
    mixin_codes: [20123],
    sentence: 'The owner has too many apps, or an unpaid bill.',
    todo: 'Pay the bill or buy app credits in the Mixin dashboard.',
    verdict: 'never',
  },
  sms_too_often: {
    mixin_codes: [20129],
    sentence: 'Verification codes were asked for too often.',
    todo: 'Wait a minute at least, then ask for a code again.',
    verdict: 'again',
  },
  no_connection: {
    mixin_codes: [],
    sentence: 'No connection to Mixin came to be, so nothing was sent.',
    todo: 'Check MIXIN_URL, name service, firewall and proxy, and the clock where a certificate is at fault.',
    verdict: 'again',
  },
  no_answer: {
    mixin_codes: [],
    sentence: 'Mixin did not answer: the connection failed, broke off or timed out.',
    todo: 'Check the network if this lasts.',
    verdict: 'unsure',
  },
  broken_answer: {
    mixin_codes: [],
    sentence: 'The answer cannot be believed: empty, too big, a redirect, of another request or shape.',
    todo: 'Check MIXIN_URL and any proxy before it if this lasts.',
    verdict: 'unsure',
  },
  unknown_error: {
    mixin_codes: [],
    sentence: 'Mixin refused with a code that Enlist does not know.',
    todo: 'Look the code up at developers.mixin.one before the call is made again.',
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

/** Who made the captcha that Mixin wants solved. */
export type CaptchaKind = 'recaptcha' | 'hcaptcha' | 'geetest';

/** Numbers, ids and names only: whatever is put in here ends up in rows and logs. */
export interface MixinErrorDetails {
  readonly method?: Method | undefined;
  readonly mixin_code?: number | undefined;
  readonly status?: number | undefined;
  readonly request_id?: string | undefined;
  readonly field?: string | undefined;
  readonly captcha?: CaptchaKind | undefined;
  readonly skew_seconds?: number | undefined;
  /** Code or name of the error behind it (`ECONNRESET`, `TimeoutError`), never the error itself. */
  readonly cause?: string | undefined;
}

const textOf = (code: MixinErrorCode, details: MixinErrorDetails): string => {
  const facts = [
    ...(details.mixin_code === undefined ? [] : [`Mixin code ${details.mixin_code}`]),
    ...(details.request_id === undefined ? [] : [`request ${details.request_id}`]),
  ];
  return facts.length === 0 ? table[code].sentence : `${table[code].sentence} (${facts.join(', ')})`;
};

/**
 * A call to Mixin that failed. `message` is our own sentence with Mixin's number and our request id, and
 * never quotes a request or an answer. Where no method is given the verdict is that of a POST.
 */
export class MixinError extends Error {
  override readonly name = 'MixinError';
  readonly code: MixinErrorCode;
  readonly verdict: Verdict;
  /** What the operator should do, one sentence. */
  readonly todo: string;
  /** Mixin's own number. */
  readonly mixin_code?: number;
  /** HTTP status. */
  readonly status?: number;
  /** The X-Request-Id we sent. */
  readonly request_id?: string;
  /** The field that `invalid_field` is about, where Mixin names it. */
  readonly field?: string;
  /** Which captcha `captcha_required` and `captcha_wrong` are about. */
  readonly captcha?: CaptchaKind;
  /** Mixin's time less the time of our signature: positive where our clock is behind, or the call was late. */
  readonly skew_seconds?: number;

  constructor(code: MixinErrorCode, details: MixinErrorDetails = {}) {
    super(textOf(code, details), details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.verdict = verdictOf(code, details.method ?? 'POST');
    this.todo = table[code].todo;
    if (details.mixin_code !== undefined) this.mixin_code = details.mixin_code;
    if (details.status !== undefined) this.status = details.status;
    if (details.request_id !== undefined) this.request_id = details.request_id;
    if (details.field !== undefined) this.field = details.field;
    if (details.captcha !== undefined) this.captcha = details.captcha;
    if (details.skew_seconds !== undefined) this.skew_seconds = details.skew_seconds;
  }
}
