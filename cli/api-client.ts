/** The HTTP API as the command line sees it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { causeOf, isAbort, Refusal } from './failure.ts';
import { type Outgoing, type Send, sendPlain } from './send.ts';
import type {
  BatchView,
  BotPage,
  BotView,
  ErrorPage,
  Form,
  Received,
  Retried,
  RowErrorView,
  SignedInView,
  VerificationView,
} from './views.ts';
import * as views from './views.ts';

interface Told {
  /** Of the problem document, if it was one. */
  readonly code?: string | undefined;
  /** Who made the captcha that Mixin asks for. */
  readonly captcha?: string | undefined;
  /** The account it is about. */
  readonly user_id?: string | undefined;
}

/** The API said no: its own words. */
export class ApiError extends Refusal {
  readonly status: number;
  readonly code: string | undefined;
  readonly captcha: string | undefined;
  readonly user_id: string | undefined;

  constructor(message: string, status: number, { code, captcha, user_id }: Told = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.captcha = captcha;
    this.user_id = user_id;
  }
}

/** A request that is made once only got no answer that can be understood. */
export class UnknownOutcome extends Refusal {
  constructor(message: string) {
    super(`${message} Whether it was done is not known.`);
  }
}

const PATIENCE_MS = 60_000;
/** One more than the pauses below. */
const pausesMs = [300, 900, 2_700];
const passing = new Set([429, 500, 502, 503, 504]);
/** Nothing has left this machine, or nobody has heard it. */
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

interface Asked extends Omit<Outgoing, 'signal'> {
  /** Asking a second time could do harm: a trouble is told and never sat out. */
  readonly isOnce?: boolean;
}

/** The words of the API; of others, what is known of the outcome too. */
const apiError = (status: number, body: unknown, isOnce: boolean): Refusal => {
  const told = views.problem.safeParse(body);
  if (told.success) {
    const { detail, fix, request_id = '' } = told.data;
    const request = detail.includes(request_id) ? '' : ` (Mixin's request ${request_id})`;
    return new ApiError(`${detail}${request} ${fix}`, status, told.data);
  }
  const said = views.gatewayMessage.safeParse(body);
  const text = `The API answered ${status}${said.success ? `: ${said.data}` : ''}.`;
  return isOnce && status >= 500 ? new UnknownOutcome(text) : new ApiError(text, status);
};

export interface ListQuery {
  readonly state?: string | undefined;
  readonly cursor?: string | undefined;
}

export interface RetryQuery {
  readonly states?: readonly string[];
  readonly reason?: string;
  /** Creations of users whose answer was lost are made again, although each may cost a second time. */
  readonly pay_again?: true;
}

/** Fields of a request, under the names of the API. */
export type Fields = Readonly<Record<string, unknown>>;

export interface ApiClient {
  readonly url: string;
  /** Sends a list; with the same key and list again it answers the same batch, and how that fares. */
  sendList(list: Uint8Array, contentType: string, idempotencyKey: string): Promise<Received>;
  /** The same, if only the batch id is wanted. */
  createBatch(list: Uint8Array, contentType: string, idempotencyKey: string): Promise<string>;
  /** Sends a list that is too large for a request, by an upload form: a new batch each time. */
  uploadLarge(list: Uint8Array, contentType: string): Promise<Received>;
  readBatch(batch_id: string): Promise<BatchView>;
  /** Accepts the cost of a planned batch. */
  confirmBatch(batch_id: string, accept_cost_usd: number): Promise<Received>;
  /** One page. */
  pageOfBots(batch_id: string, query: ListQuery): Promise<BotPage>;
  /** All bots, or all in a state, page by page. */
  listBots(batch_id: string, state?: string): AsyncGenerator<BotView>;
  listErrors(batch_id: string): AsyncGenerator<RowErrorView>;
  readBot(user_id: string): Promise<BotView>;
  /** Counts how many bots were queued again, over all pages. */
  retryBatch(batch_id: string, query: RetryQuery): Promise<{ retried: number; pin_locked: number }>;
  /** Has a code sent to a phone; asked once only. */
  requestCode(fields: Fields): Promise<VerificationView>;
  /** Signs an account in with the code; asked once only. */
  signIn(verification_id: string, fields: Fields): Promise<SignedInView>;
}

export interface ApiClientOptions {
  readonly send?: Send;
  /** Ends whatever is under way with its AbortError. */
  readonly signal?: AbortSignal;
}

/**
 * @param url of the API, without a trailing slash. Calls throw ApiError when it says no, and Refusal when it
 * cannot be reached.
 */
export const createApiClient = (url: string, options: ApiClientOptions = {}): ApiClient => {
  const { send = sendPlain, signal } = options;

  const exchange = async (path: string, { isOnce = false, ...request }: Asked): Promise<Response> => {
    const timeout = AbortSignal.timeout(PATIENCE_MS);
    try {
      return await send(`${url}${path}`, {
        ...request,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (error instanceof Refusal || isAbort(error)) throw error;
      const cause = causeOf(error);
      const text = `The API at ${url} cannot be reached (${cause}).`;
      throw isOnce && !neverSent.has(cause) ? new UnknownOutcome(text) : new Refusal(text);
    }
  };

  const ask = async <T>(path: string, schema: z.ZodType<T>, request: Asked): Promise<T> => {
    const { isOnce = false } = request;
    for (let attempt = 0; ; attempt += 1) {
      const answer = await exchange(path, request);
      const body: unknown = await answer.json().catch(() => undefined);
      const pauseMs = isOnce ? undefined : pausesMs[attempt];
      if (passing.has(answer.status) && pauseMs !== undefined) {
        await sleep(pauseMs, undefined, signal ? { signal } : {});
        continue;
      }
      if (!answer.ok) throw apiError(answer.status, body, isOnce);
      const parsed = schema.safeParse(body);
      if (parsed.success) return parsed.data;
      throw new Refusal(`${url} answers, but not as the API of Enlist does.`);
    }
  };

  const get = <T>(path: string, schema: z.ZodType<T>) => ask(path, schema, { method: 'GET', headers: {} });
  const post = <T>(path: string, schema: z.ZodType<T>, body: unknown, isOnce = false) =>
    ask(path, schema, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
      isOnce,
    });

  /** The form is a door of its own: it takes no signature but the one it carries. */
  const fillIn = async ({ url: target, fields }: Form, list: Uint8Array) => {
    const data = new FormData();
    for (const [name, value] of Object.entries(fields)) data.append(name, value);
    data.append('file', new Blob([Buffer.from(list)]));
    const answer = await fetch(target, {
      method: 'POST',
      body: data,
      redirect: 'manual',
      ...(signal && { signal }),
    }).catch((error: unknown) => {
      if (isAbort(error)) throw error;
      throw new Refusal(`The upload bucket cannot be reached (${causeOf(error)}).`);
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Refusal(`The upload bucket answered ${answer.status}.`);
  };

  const pageOfBots = (batch_id: string, query: ListQuery): Promise<BotPage> => {
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return get(`/batches/${batch_id}/bots?${new URLSearchParams(given)}`, views.botPage);
  };

  const sendList: ApiClient['sendList'] = (body, contentType, idempotencyKey) =>
    ask('/batches', views.received, {
      method: 'POST',
      headers: { 'content-type': contentType, 'idempotency-key': idempotencyKey },
      body,
    });

  return {
    url,
    sendList,
    createBatch: async (...list) => (await sendList(...list)).batch_id,
    uploadLarge: async (list, content_type) => {
      const empty = await post('/uploads', views.form, { content_type });
      await fillIn(empty, list);
      return post(`/uploads/${empty.batch_id}`, views.received, {});
    },
    readBatch: (batch_id) => get(`/batches/${batch_id}`, views.batch),
    confirmBatch: (batch_id, accept_cost_usd) =>
      post(`/batches/${batch_id}/confirm`, views.received, { accept_cost_usd }),
    pageOfBots,
    listBots: async function* (batch_id, state) {
      let cursor: string | undefined;
      do {
        const found: BotPage = await pageOfBots(batch_id, { state, cursor });
        yield* found.bots;
        cursor = found.cursor;
      } while (cursor !== undefined);
    },
    listErrors: async function* (batch_id) {
      let cursor: string | undefined;
      do {
        const query = cursor === undefined ? '' : `?${new URLSearchParams({ cursor })}`;
        const found: ErrorPage = await get(`/batches/${batch_id}/errors${query}`, views.errorPage);
        yield* found.errors;
        cursor = found.cursor;
      } while (cursor !== undefined);
    },
    readBot: (user_id) => get(`/bots/${user_id}`, views.bot),
    retryBatch: async (batch_id, query) => {
      const sum = { retried: 0, pin_locked: 0 };
      let cursor: string | undefined;
      do {
        const wanted = { ...query, ...(cursor !== undefined && { cursor }) };
        // A creation that is repeated and lost once more must not be repeated by a second request.
        const isOnce = query.pay_again === true;
        const page: Retried = await post(`/batches/${batch_id}/retry`, views.retried, wanted, isOnce);
        sum.retried += page.retried;
        sum.pin_locked += page.pin_locked;
        cursor = page.cursor;
      } while (cursor !== undefined);
      return sum;
    },
    requestCode: (fields) => post('/accounts/verifications', views.verification, fields, true),
    signIn: (verification_id, fields) =>
      post(`/accounts/verifications/${verification_id}`, views.signedIn, fields, true),
  };
};
