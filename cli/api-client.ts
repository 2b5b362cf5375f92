/** The HTTP API as the command line sees it: requests and answers are those of lib/api/contract.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import {
  answers,
  PAGE_MAX,
  type ProblemView,
  type Route,
  type RouteAnswer,
  type RouteName,
  routes,
  type UploadFormView,
} from '../lib/api/contract.ts';
import { describeConnection, findAwsFix, findCauseCode, isAbort, RequestError } from './errors.ts';
import { type HttpRequest, type Send, sendPlain } from './send.ts';
import { rewordAnswer, rewordProblem } from './words.ts';

/** The API refused. */
export class ApiError extends RequestError {
  readonly status: number;
  /** The problem document, where the answer was one. */
  readonly problem: Partial<ProblemView>;

  constructor(message: string, status: number, problem: Partial<ProblemView> = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }

  get code(): string | undefined {
    return this.problem.code;
  }
}

/** A request that is sent only once got no answer that can be understood. */
export class UnknownOutcomeError extends RequestError {
  constructor(message: string) {
    super(`${message} Nobody knows whether it took effect.`);
  }
}

const TIMEOUT_MS = 60_000;
/** One try more than there are pauses. */
const pausesMs = [300, 900, 2_700];
const passingStatuses = new Set([429, 500, 502, 503, 504]);
/** Nothing was sent, or nothing received it. */
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

interface ApiRequest {
  /** Values of the path's names. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Without a value: left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes as they are; anything else as JSON. */
  readonly body?: unknown;
  /** Sending it a second time could do harm: a failure is reported, and the request never repeated. */
  readonly isOnce?: boolean;
}

const fillPath = (path: string, parameters: Readonly<Record<string, string>> = {}): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''));

const createHttpRequest = (
  { method }: Route,
  { headers = {}, body }: ApiRequest,
): Omit<HttpRequest, 'signal'> => {
  if (method === 'GET') return { method, headers };
  if (body instanceof Uint8Array) return { method, headers, body };
  return {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(body ?? {})),
  };
};

/** What is needed of a problem document. */
const problemDocument = answers.ProblemDocument.omit({ type: true, title: true, status: true });

/** An answer of API Gateway itself. */
const gatewayMessage = z.union([
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ Message: z.string() }).transform(({ Message }) => Message),
]);

/** The problem that the API reports, in the words of the command line; for an answer of others, whether the request took effect. */
const createApiError = (status: number, body: unknown, isOnce: boolean): RequestError => {
  const parsed = problemDocument.safeParse(body);
  if (parsed.success) {
    const { message, fix, request_id = '' } = rewordProblem(parsed.data);
    const request = message.includes(request_id) ? '' : ` (Mixin's request ${request_id})`;
    return new ApiError(`${message}${request} ${fix}`, status, parsed.data);
  }
  const gateway = gatewayMessage.safeParse(body);
  const answered = gateway.success ? `: ${gateway.data.replace(/\.$/, '')}` : '';
  const fix = status < 500 && gateway.success ? findAwsFix(gateway.data) : undefined;
  const text = `The API answered ${status}${answered}.${fix === undefined ? '' : ` ${fix}`}`;
  return isOnce && status >= 500 ? new UnknownOutcomeError(text) : new ApiError(text, status);
};

interface RetryQuery {
  readonly states?: readonly string[];
  readonly reason?: string;
}

/** A row as it was seen: it is retried only while it stands like this. */
interface SeenRow {
  readonly bot_id: string;
  readonly state_since: string;
}

/** Fields of a request, under the names of the API. */
export type Fields = Readonly<Record<string, unknown>>;

interface ApiClientOptions {
  readonly send?: Send;
  /** Ends every call with its AbortError. */
  readonly signal?: AbortSignal;
}

/** Reads page after page, each with the cursor of the one before. */
const readPages = async function* <Page extends { readonly cursor?: string | undefined }>(
  readPage: (cursor: string | undefined) => Promise<Page>,
): AsyncGenerator<Page> {
  let cursor: string | undefined;
  do {
    const page = await readPage(cursor);
    yield page;
    cursor = page.cursor;
  } while (cursor !== undefined);
};

/**
 * @param url of the API, without a trailing slash. Calls throw ApiError when it refuses, and RequestError when it
 * cannot be reached.
 */
export const createApiClient = (url: string, { send = sendPlain, signal }: ApiClientOptions = {}) => {
  const exchange = async (path: string, httpRequest: Omit<HttpRequest, 'signal'>, isOnce: boolean) => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      return await send(`${url}${path}`, {
        ...httpRequest,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (error instanceof RequestError || isAbort(error)) throw error;
      const text = `The API at ${url} cannot be reached: ${describeConnection(error)}.`;
      throw isOnce && !neverSent.has(findCauseCode(error))
        ? new UnknownOutcomeError(text)
        : new RequestError(text);
    }
  };

  /** Sends a request of the contract and reads the answer. */
  const call = async <Name extends RouteName>(
    name: Name,
    request: ApiRequest = {},
  ): Promise<RouteAnswer<Name>> => {
    const route: Route = routes[name];
    const { parameters, query = {}, isOnce = false } = request;
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
    const path = `${fillPath(route.path, parameters)}${search}`;
    const httpRequest = createHttpRequest(route, request);
    for (let attempt = 0; ; attempt += 1) {
      const answer = await exchange(path, httpRequest, isOnce);
      const body: unknown = await answer.json().catch(() => undefined);
      const pauseMs = isOnce ? undefined : pausesMs[attempt];
      if (passingStatuses.has(answer.status) && pauseMs !== undefined) {
        await sleep(pauseMs, undefined, signal ? { signal } : {});
        continue;
      }
      if (!answer.ok) throw createApiError(answer.status, body, isOnce);
      const parsed = routes[name].answer.body.safeParse(body);
      if (parsed.success) return rewordAnswer(parsed.data) as RouteAnswer<Name>;
      throw new RequestError(`${url} answers, but not as the API of Enlist does.`);
    }
  };

  /** The form carries a signature of its own, so it is sent without ours. */
  const submitForm = async ({ url: target, fields }: UploadFormView, list: Uint8Array) => {
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
      throw new RequestError(`The upload bucket cannot be reached: ${describeConnection(error)}.`);
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new RequestError(`The upload bucket answered ${answer.status}.`);
  };

  return {
    url,
    /** Sends a list; with the same key and list again it answers the same batch, and its status. */
    sendList: (body: Uint8Array, contentType: string, idempotencyKey: string) =>
      call('createBatch', {
        headers: { 'content-type': contentType, 'idempotency-key': idempotencyKey },
        body,
      }),
    /** Sends a list that is too large for a request, by an upload form: a new batch each time. */
    uploadLarge: async (list: Uint8Array, content_type: string) => {
      const form = await call('createUpload', { body: { content_type } });
      await submitForm(form, list);
      return call('completeUpload', { parameters: { batch_id: form.batch_id } });
    },
    readBatch: (batch_id: string) => call('readBatch', { parameters: { batch_id } }),
    /** Accepts the cost of a planned batch. */
    confirmBatch: (batch_id: string, accept_cost_usd: number) =>
      call('confirmBatch', { parameters: { batch_id }, body: { accept_cost_usd } }),
    /** All bots, or all in a state, or with a reason, page by page. */
    listBots: async function* (
      batch_id: string,
      filter: { readonly state?: string; readonly reason?: string } = {},
    ) {
      const pages = readPages((cursor) =>
        call('listBots', { parameters: { batch_id }, query: { ...filter, cursor } }),
      );
      for await (const { bots } of pages) yield* bots;
    },
    listErrors: async function* (batch_id: string) {
      const pages = readPages((cursor) =>
        call('listRowErrors', { parameters: { batch_id }, query: { cursor } }),
      );
      for await (const { errors } of pages) yield* errors;
    },
    readBot: (bot_id: string) => call('readBot', { parameters: { bot_id } }),
    /** Counts how many bots were queued again, over all pages. */
    retryBatch: async (batch_id: string, query: RetryQuery) => {
      const pages = readPages((cursor) =>
        call('retryBatch', {
          parameters: { batch_id },
          body: { ...query, cursor },
        }),
      );
      const sum = { retried: 0, pin_locked: 0 };
      for await (const { retried, pin_locked } of pages) {
        sum.retried += retried;
        sum.pin_locked += pin_locked;
      }
      return sum;
    },
    /**
     * Has users created again whose creation got no answer, although each may cost a second time; counts them. A
     * creation that is repeated and lost once more must not be repeated by a second request, so each is sent once only.
     */
    payAgain: async (batch_id: string, rows: readonly SeenRow[]) => {
      let sum = 0;
      for (let start = 0; start < rows.length; start += PAGE_MAX) {
        const pay_again = rows.slice(start, start + PAGE_MAX);
        const body = { states: ['unsure'], pay_again };
        const request = { parameters: { batch_id }, body, isOnce: true };
        sum += (await call('retryBatch', request)).retried;
      }
      return sum;
    },
    /** Has a code sent to a phone; sent once only. */
    requestCode: (fields: Fields) => call('requestCode', { body: fields, isOnce: true }),
    /** Signs an account in with the code; sent once only. */
    signIn: (verification_id: string, fields: Fields) =>
      call('signIn', { parameters: { verification_id }, body: fields, isOnce: true }),
  };
};
export type ApiClient = ReturnType<typeof createApiClient>;
