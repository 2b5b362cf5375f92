/** The problems that the API answers. Where a sentence depends on the request, the one here is general. */
import { listFormats } from '../lists/formats.ts';
import { limits } from '../model/limits.ts';
import type { Problem } from '../model/problem.ts';
import { describeReason } from '../model/reasons.ts';

export const problems = {
  bad_parameter: {
    status: 400,
    message: 'A parameter of the request is not valid.',
    fix: 'See docs/openapi.json for what may be sent.',
  },
  bad_body: {
    status: 400,
    message: 'The body of the request is not valid.',
    fix: 'See docs/openapi.json for what may be sent.',
  },
  empty_list: { status: 400, message: 'The request has no body.', fix: 'Send the list as the body.' },
  no_such_batch: {
    status: 404,
    message: 'There is no batch with this id.',
    fix: 'Use the batch_id that POST /batches answered.',
  },
  no_such_bot: {
    status: 404,
    message: 'There is no bot with this id: no list has named it.',
    fix: 'Use the app_id of its keystore, or the bot_id that GET /batches/{batch_id}/bots shows.',
  },
  no_such_verification: {
    status: 404,
    message: 'There is no verification with this id.',
    fix: 'Use the verification_id that POST /accounts/verifications answered.',
  },
  no_such_route: { status: 404, message: 'There is nothing at this path.', fix: 'See docs/openapi.json.' },
  idempotency_key_reused: {
    status: 409,
    message: 'This Idempotency-Key was sent with another list before.',
    fix: 'Use a new key for a new list.',
  },
  not_planned: {
    status: 409,
    message: 'The batch needs no confirmation.',
    fix: "Nothing to do; GET /batches/{batch_id} shows the batch's status.",
  },
  plan_expired: {
    status: 409,
    message: 'The plan is older than 20 hours, and its list was deleted.',
    fix: 'Send the list again, with a new Idempotency-Key.',
  },
  deactivation_pending: {
    status: 409,
    message: 'The account is to be deleted soon, and signing in cancels that.',
    fix: 'To keep the account, send "abort_deactivation": true with the code.',
  },
  signed_in_already: {
    status: 409,
    message: 'This code was used before.',
    fix: 'GET /bots/{user_id} shows the bot that it signed in.',
  },
  sign_in_busy: {
    status: 409,
    message: 'Another request is signing in with this code right now.',
    fix: 'Send the same request again in a minute.',
  },
  session_key_exists: {
    status: 409,
    message: 'A session key of the other kind is stored for this code already.',
    fix: 'Send the same session_key as before, or request a new code.',
  },
  secret_pending_deletion: { status: 409, ...describeReason('secret_pending_deletion') },
  sign_in_unknown: { status: 504, ...describeReason('sign_in_unknown') },
  list_too_large: {
    status: 413,
    message: `The list is larger than ${limits.maxInlineBytes} bytes.`,
    fix: 'Split it into several lists, or send it with the form of POST /uploads.',
  },
  unknown_format: {
    status: 415,
    message: 'The Content-Type names no list format.',
    fix: `Use one of ${Object.keys(listFormats).join(', ')}.`,
  },
  cost_not_accepted: {
    status: 422,
    message: 'The list costs more than you accepted; nothing was done.',
    fix: 'Accept its cost to go on: GET /batches/{batch_id} shows it.',
  },
  internal_error: {
    status: 500,
    message: 'Something unexpected happened.',
    fix: 'Send the request again; the logs show the cause.',
  },
  other_schema: {
    status: 500,
    message: 'A row was written by another version of Enlist.',
    fix: 'Use the version of Enlist that wrote the table, or another table.',
  },
  aws_unavailable: {
    status: 503,
    message: 'AWS throttles, fails or denies what Enlist needs at the moment.',
    fix: 'Send the same request again in a few seconds.',
  },
} as const satisfies Readonly<Record<string, Omit<Problem, 'code'> & { readonly status: number }>>;
export type ProblemCode = keyof typeof problems;

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** A problem in place of a route's answer. The body is a problem document (RFC 9457). */
export interface ProblemAnswer {
  readonly status: number;
  readonly body: Problem & Readonly<Record<string, unknown>>;
}

/** Any problem, such as one of Mixin's or of a row. @param more members of its own */
export const answerWith = (
  status: number,
  { code, message, fix }: Problem,
  more: Readonly<Record<string, unknown>> = {},
): ProblemAnswer => ({
  status,
  body: { type: 'about:blank', title: titles[status] ?? 'Error', status, code, message, fix, ...more },
});

/** A problem of the contract. @param more its sentences for this request, and members of its own */
export const answerProblem = (
  code: ProblemCode,
  more: Readonly<Record<string, unknown>> = {},
): ProblemAnswer => answerWith(problems[code].status, { code, ...problems[code] }, more);

export const CURSOR_FIX = 'Use the cursor of the page before, unchanged, or leave it out.';

/** The table does not know the cursor, or it is one of another query. */
export const answerBadCursor = (): ProblemAnswer =>
  answerProblem('bad_parameter', {
    message: 'The parameter cursor is not valid.',
    fix: CURSOR_FIX,
    field: 'cursor',
  });
