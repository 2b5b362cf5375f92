/** What the API says to programs, in words for a person at the command line. */
import type { Problem } from '../lib/model/problem.ts';

/** Instead of the sentences of a problem of the API, by its code. */
const replacements: Readonly<Record<string, Partial<Pick<Problem, 'message' | 'fix'>>>> = {
  bad_parameter: {
    fix: 'The API may be of another version of Enlist: use the command line of that version.',
  },
  bad_body: { fix: 'The API may be of another version of Enlist: use the command line of that version.' },
  empty_list: { message: 'The list is empty.', fix: 'Give a list with at least one row.' },
  no_such_batch: { fix: 'Use the batch id that enlist upload printed.' },
  no_such_bot: { fix: 'Use the app_id of its keystore, or an id that enlist bots printed.' },
  no_such_verification: { fix: 'Use the id that enlist sign-in printed.' },
  no_such_route: {
    message: 'The API does not know this request.',
    fix: 'Check its address. It may be of another version of Enlist: use the command line of that version.',
  },
  idempotency_key_reused: {
    message: 'Another list was sent under the same key before.',
    fix: 'Send it as a new batch: enlist upload --new FILE, or enlist create with another --key.',
  },
  not_planned: { fix: 'Nothing to do; enlist status shows the batch.' },
  plan_expired: {
    fix: 'Make a new plan with enlist upload --new FILE, or enlist create with another --key.',
  },
  deactivation_pending: { fix: 'To keep the account, give --abort-deactivation.' },
  signed_in_already: { fix: 'enlist show shows the bot that it signed in.' },
  sign_in_busy: { fix: 'Give the code again in a minute.' },
  session_key_exists: { fix: 'Give the same --session-key as before, or request a new code.' },
  list_too_large: { fix: 'Split it into several lists.' },
  unknown_format: {
    message: 'The type of the list is not known.',
    fix: 'Give its --type, or name it as its type: .json, .jsonl, .ndjson, .csv or .zip.',
  },
  cost_not_accepted: { fix: 'enlist status shows the cost; accept it with enlist confirm.' },
  internal_error: { fix: 'Try again; the logs show the cause.' },
  aws_unavailable: { fix: 'Try again in a few seconds.' },
  bad_create: { fix: 'Use enlist create; or give the object create alone, as a list of its own.' },
};

/** Requests that a sentence names → what a person calls them. */
const phrases: readonly (readonly [string, string])[] = [
  ['(POST /accounts/verifications)', '(enlist sign-in)'],
  ['(Mixin dashboard, or GET /safe/apps/OWNER/billing)', '(in the Mixin dashboard)'],
  ['retry with states ["unsure"] and pay_again', 'use enlist retry BATCH --pay-again'],
  ['POST /batches/{batch_id}/retry', 'enlist retry BATCH'],
  ['POST /users was sent and its answer was lost', 'The user was requested and the answer was lost'],
  ['answered POST /users with', 'answered the creation with'],
  ['tip_key_base64 in GET /safe/me', 'the tip_key_base64 that Mixin shows'],
  ['spend_public_key in GET /safe/me', 'the spend_public_key that Mixin shows'],
  ['MIXIN_URL', 'the address of Mixin (--mixin at the start, or mixinUrl of the stack)'],
];

const reword = (text: string): string =>
  phrases.reduce((result, [phrase, words]) => result.replaceAll(phrase, words), text);

/** A refusal, or a problem of a list. */
export const rewordProblem = <P extends Problem>(problem: P): P => {
  const { message, fix } = { ...problem, ...replacements[problem.code] };
  return { ...problem, message: reword(message), fix: reword(fix) };
};

const isProblem = (value: object): value is Problem =>
  ['code', 'message', 'fix'].every((name) => typeof (value as Record<string, unknown>)[name] === 'string');

/** An answer of the API: all reasons, row errors and problems in it are reworded. */
export const rewordAnswer = <T>(answer: T): T => {
  if (Array.isArray(answer)) return answer.map(rewordAnswer) as T;
  if (typeof answer !== 'object' || answer === null) return answer;
  if (isProblem(answer)) return rewordProblem(answer);
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, rewordAnswer(value)])) as T;
};
