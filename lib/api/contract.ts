/**
 * The contract of the HTTP API as data. From it come the routes of the gateways, the parsing of requests, the types of
 * the command line and docs/openapi.json (`npm run openapi`). Runs in a browser too: no node: import, no Buffer.
 */
import * as z from 'zod';
import { states } from '../model/states.ts';
import type { ProblemCode } from './problems.ts';
import { answers, PAGE_MAX, requests } from './schemas.ts';

export type * from './schemas.ts';
export { answers, PAGE_MAX, requests } from './schemas.ts';

/** The functions that answer HTTP. Only `accounts` may read secrets and call Mixin. */
export type HttpFunctionName = 'api' | 'accounts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Names in braces are path parameters. */
  readonly path: string;
  readonly function: HttpFunctionName;
}

export interface RouteContract extends Route {
  readonly tag: 'batches' | 'bots' | 'accounts';
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Names in lower case. */
  readonly headers?: z.ZodObject;
  /** JSON to be parsed, or the bytes of a list. Without either, the body is ignored. */
  readonly body?:
    | { readonly kind: 'json'; readonly schema: z.ZodType; readonly documented?: z.ZodType }
    | { readonly kind: 'list' };
  readonly answer: {
    readonly status: 200 | 201 | 202;
    readonly description: string;
    readonly body: z.ZodType;
    /** The Location header: a path, with the names of fields of the body in braces. */
    readonly location?: string;
  };
  /** Every route may answer internal_error, other_schema and aws_unavailable too. */
  readonly problems: readonly ProblemCode[];
  /** With these statuses, what Mixin refused or did not answer comes back as a problem of its own code. */
  readonly mixinStatuses?: readonly (422 | 429 | 502 | 503 | 504)[];
}

/** Which problem a path parameter means that is not an id. */
export const parameterProblems = {
  batch_id: 'no_such_batch',
  bot_id: 'no_such_bot',
  verification_id: 'no_such_verification',
} as const satisfies Readonly<Record<string, ProblemCode>>;

const batchId = z.object({ batch_id: z.uuid().toLowerCase().describe('As POST /batches answered it.') });
const botId = z.object({
  bot_id: z.guid().toLowerCase().describe('The app_id of its keystore, in upper or lower case.'),
});
const verificationId = z.object({
  verification_id: z.guid().toLowerCase().describe('As POST /accounts/verifications answered it.'),
});

const LIMIT = { error: `Use a whole number from 1 to ${PAGE_MAX}.` };
const page = {
  limit: z.coerce
    .number(LIMIT)
    .int(LIMIT)
    .min(1, LIMIT)
    .max(PAGE_MAX, LIMIT)
    .default(PAGE_MAX)
    .describe('The most items of one page.'),
  cursor: z
    .string()
    .describe('The cursor of the page before, unchanged. It is good for the same list of things only.')
    .exactOptional(),
};

/** The id of a batch is derived from its UTF-8; half of a surrogate pair has none. */
const IDEMPOTENCY_KEY = { error: 'Use 8 to 255 characters, such as a UUID.' };
const idempotencyKey = z
  .string()
  .min(8, IDEMPOTENCY_KEY)
  .max(255, IDEMPOTENCY_KEY)
  .refine((key) => key.isWellFormed(), IDEMPOTENCY_KEY)
  .describe(
    'Makes sending again harmless: the same key is always the same batch, and a list whose key was used before is ignored once it was read. Without a key, each request creates a batch.',
  )
  .optional();

export const routes = {
  createBatch: {
    method: 'POST',
    path: '/batches',
    function: 'api',
    tag: 'batches',
    summary: 'Send a list',
    description:
      'Stores the list and queues it. The list is read afterwards: its errors are shown in the batch.\n\nA list that asks for network users is not imported before its cost is accepted: it waits as `planned`.\n\nThe formats, and the fields of a row, are in docs/keystores.md.',
    headers: z.object({ 'idempotency-key': idempotencyKey }),
    body: { kind: 'list' },
    answer: {
      status: 202,
      description:
        'The list is stored. An Idempotency-Key that was used before gets the same batch, with its present status.',
      body: answers.BatchReference,
      location: '/batches/{batch_id}',
    },
    problems: ['empty_list', 'bad_parameter', 'idempotency_key_reused', 'list_too_large', 'unknown_format'],
  },
  createUpload: {
    method: 'POST',
    path: '/uploads',
    function: 'api',
    tag: 'batches',
    summary: 'Get a form for a large list',
    description:
      'For a list that is too large for a request. Send it as multipart/form-data to `url`: first all `fields` as they are, then the list as the field `file`. Then call POST /uploads/{batch_id}.',
    body: { kind: 'json', schema: requests.UploadOptions },
    answer: {
      status: 201,
      description: 'The form. It can be used until it expires.',
      body: answers.UploadForm,
    },
    problems: ['bad_body'],
  },
  completeUpload: {
    method: 'POST',
    path: '/uploads/{batch_id}',
    function: 'api',
    tag: 'batches',
    summary: 'Report that a form was used',
    description:
      'The uploaded list becomes a batch. Calling it again changes nothing. If the list was not uploaded, the batch shows it (`rejected`, `list_gone`).',
    parameters: batchId,
    answer: {
      status: 202,
      description: 'The batch.',
      body: answers.BatchReference,
      location: '/batches/{batch_id}',
    },
    problems: ['no_such_batch'],
  },
  readBatch: {
    method: 'GET',
    path: '/batches/{batch_id}',
    function: 'api',
    tag: 'batches',
    summary: 'Get the status of a batch',
    parameters: batchId,
    answer: {
      status: 200,
      description: 'The batch, its bots by state, and the first errors of its rows.',
      body: answers.Batch,
    },
    problems: ['no_such_batch'],
  },
  confirmBatch: {
    method: 'POST',
    path: '/batches/{batch_id}/confirm',
    function: 'api',
    tag: 'batches',
    summary: 'Accept the cost of a list',
    description:
      'Imports a batch that is `planned`, if it costs no more than the amount that you accept. Possible for 20 hours after the list was sent.\n\nRepeating a request is harmless.',
    parameters: batchId,
    body: { kind: 'json', schema: requests.Confirmation },
    answer: { status: 200, description: 'The batch is being imported.', body: answers.BatchReference },
    problems: ['bad_body', 'no_such_batch', 'not_planned', 'plan_expired', 'cost_not_accepted'],
  },
  listRowErrors: {
    method: 'GET',
    path: '/batches/{batch_id}/errors',
    function: 'api',
    tag: 'batches',
    summary: 'List the errors of the rows, by line',
    parameters: batchId,
    query: z.object(page),
    answer: { status: 200, description: 'One page of errors.', body: answers.RowErrorPage },
    problems: ['bad_parameter', 'no_such_batch'],
  },
  listBots: {
    method: 'GET',
    path: '/batches/{batch_id}/bots',
    function: 'api',
    tag: 'bots',
    summary: 'List the bots of a batch',
    description:
      'In the order of the list. A bot that a later list named again is shown with the batch of that list in `batch_id`; with `state` it is left out, as it is in the counts of this batch.\n\nA page may be short, or empty, and have a cursor all the same.',
    parameters: batchId,
    query: z.object({
      state: z
        .enum(states, { error: `Use one of ${states.join(', ')}.` })
        .describe('Only bots in this state.')
        .exactOptional(),
      reason: z.string().describe('Only bots with this reason code (docs/reasons.md).').exactOptional(),
      ...page,
    }),
    answer: { status: 200, description: 'One page of bots.', body: answers.BotPage },
    problems: ['bad_parameter', 'no_such_batch'],
  },
  retryBatch: {
    method: 'POST',
    path: '/batches/{batch_id}/retry',
    function: 'api',
    tag: 'bots',
    summary: 'Try bots of a batch again',
    description:
      'Looks at up to 200 bots of the batch and queues those that were asked for. If the answer has a cursor there are more bots: send the same request with the cursor, until an answer has none.\n\nA bot whose PIN is locked is not queued, and is counted in `pin_locked`, unless `despite_pin_lock` is sent. Of a batch that is `stuck`, the list or its missing parts are queued again.\n\nUnsure rows without an account are tried again only with `pay_again`, which names each of them as it was seen: their call may have taken effect, and cost money. A row that has become unsure since then is not tried again. Without it, repeating a request is harmless.',
    parameters: batchId,
    body: { kind: 'json', schema: requests.RetryOptions },
    answer: { status: 200, description: 'How many bots were queued again.', body: answers.RetryCount },
    problems: ['bad_body', 'bad_parameter', 'no_such_batch'],
  },
  readBot: {
    method: 'GET',
    path: '/bots/{bot_id}',
    function: 'api',
    tag: 'bots',
    summary: 'Get one bot, with its history',
    parameters: botId,
    answer: { status: 200, description: 'The bot.', body: answers.Bot },
    problems: ['no_such_bot'],
  },
  requestCode: {
    method: 'POST',
    path: '/accounts/verifications',
    function: 'accounts',
    tag: 'accounts',
    summary: 'Ask Mixin for a code',
    description:
      'Mixin sends a code to one phone that the operator holds. One phone at a time, never from a list, on purpose. If Mixin asks for a captcha, the answer says so; Enlist does not work around it.',
    body: { kind: 'json', schema: requests.CodeRequest },
    answer: { status: 200, description: 'Mixin has sent the code.', body: answers.Verification },
    problems: ['bad_body'],
    mixinStatuses: [422, 429, 502, 503, 504],
  },
  signIn: {
    method: 'POST',
    path: '/accounts/verifications/{verification_id}',
    function: 'accounts',
    tag: 'accounts',
    summary: 'Sign an account in with its code',
    description:
      "Creates and stores a session key, then signs the account in. The account becomes a bot of a batch of one, which is checked and registered like any other: its own row follows within seconds, and until then the batch shows an enrolment.\n\nIf the sign-in cannot go on, the answer is the reason in its bot's row.",
    parameters: verificationId,
    body: {
      kind: 'json',
      schema: z.record(z.string(), z.unknown()),
      documented: requests.SignIn,
    },
    answer: {
      status: 201,
      description: 'The account is signed in, and the row of its bot follows.',
      body: answers.NewSession,
      location: '/bots/{bot_id}',
    },
    problems: [
      'bad_body',
      'no_such_verification',
      'deactivation_pending',
      'signed_in_already',
      'sign_in_busy',
      'session_key_exists',
      'secret_pending_deletion',
      'sign_in_unknown',
    ],
    mixinStatuses: [422, 429, 503],
  },
} as const satisfies Readonly<Record<string, RouteContract>>;
export type RouteName = keyof typeof routes;
/** The routes that one function answers. */
export type RouteNameOf<F extends HttpFunctionName> = {
  [Name in RouteName]: (typeof routes)[Name]['function'] extends F ? Name : never;
}[RouteName];

/** A request after parsing. */
export interface RouteRequest<Name extends RouteName> {
  readonly parameters: RoutePart<(typeof routes)[Name], 'parameters'>;
  readonly query: RoutePart<(typeof routes)[Name], 'query'>;
  readonly headers: RoutePart<(typeof routes)[Name], 'headers'>;
  readonly body: RouteBody<(typeof routes)[Name]>;
}
type RoutePart<R, Part extends 'parameters' | 'query' | 'headers'> = R extends {
  readonly [P in Part]: infer S extends z.ZodType;
}
  ? z.output<S>
  : undefined;
type RouteBody<R> = R extends { readonly body: { readonly schema: infer S extends z.ZodType } }
  ? z.output<S>
  : R extends { readonly body: { readonly kind: 'list' } }
    ? ListBody
    : undefined;

/** A list as it came. */
export interface ListBody {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

/** The body of a route's answer. */
export type RouteAnswer<Name extends RouteName> = z.output<(typeof routes)[Name]['answer']['body']>;
