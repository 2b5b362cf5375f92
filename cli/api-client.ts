/** The HTTP API as the command line sees it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { causeOf, isAbort, Refusal } from './failure.ts';
import { type Outgoing, type Send, sendPlain } from './send.ts';

const reason = z.object({ code: z.string(), message: z.string(), todo: z.string() });

const rowError = z.looseObject({
  row: z.number(),
  line: z.number(),
  field: z.string(),
  code: z.string(),
  message: z.string(),
  fix: z.string(),
});
export type RowErrorView = z.infer<typeof rowError>;

const batch = z.looseObject({
  batch_id: z.string(),
  status: z.enum(['received', 'rejected', 'taking_in', 'taken_in', 'stuck']),
  total: z.number(),
  invalid: z.number(),
  duplicates: z.number(),
  accepted: z.number(),
  at_rest: z.number(),
  elsewhere: z.number(),
  percent_done: z.number(),
  bots_per_minute: z.number().nullable(),
  eta_seconds: z.number().nullable(),
  states: z.record(z.string(), z.number()),
  problem: z.object({ code: z.string(), message: z.string(), fix: z.string() }).optional(),
  errors: z.array(rowError),
  more_errors: z.boolean(),
});
export type BatchView = z.infer<typeof batch>;

const historyEntry = z.looseObject({
  at: z.string(),
  state: z.string(),
  step: z.string(),
  code: z.string().optional(),
  request_id: z.string().optional(),
});

const bot = z.looseObject({
  user_id: z.string(),
  batch_id: z.string(),
  line: z.number(),
  state: z.string(),
  state_since: z.string(),
  wait_until: z.string().optional(),
  public_key: z.string().optional(),
  reason: reason.optional(),
  history: z.array(historyEntry),
});
export type BotView = z.infer<typeof bot>;

const botPage = z.object({ bots: z.array(bot), cursor: z.string().optional() });
export type BotPage = z.infer<typeof botPage>;
const errorPage = z.object({ errors: z.array(rowError), cursor: z.string().optional() });
const received = z.object({ batch_id: z.string(), status: z.string() });
export type Received = z.infer<typeof received>;
const form = z.object({ batch_id: z.uuid(), url: z.url(), fields: z.record(z.string(), z.string()) });
const retried = z.object({ retried: z.number(), pin_locked: z.number(), cursor: z.string().optional() });

const problem = z.object({ code: z.string(), detail: z.string(), fix: z.string() });
/** API Gateway's own words. */
const gatewayMessage = z.union([
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ Message: z.string() }).transform(({ Message }) => Message),
]);

/** The API said no: its own words. */
export class ApiError extends Refusal {
  readonly status: number;
  /** Of the problem document, if it was one. */
  readonly code: string | undefined;

  constructor(message: string, status: number, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const PATIENCE_MS = 60_000;
/** One more than the pauses below. Whatever the API is asked may be asked again without harm. */
const pausesMs = [300, 900, 2_700];
const passing = new Set([429, 500, 502, 503, 504]);

const apiError = (status: number, body: unknown): ApiError => {
  const told = problem.safeParse(body);
  if (told.success) return new ApiError(`${told.data.detail} ${told.data.fix}`, status, told.data.code);
  const said = gatewayMessage.safeParse(body);
  return new ApiError(`The API answered ${status}${said.success ? `: ${said.data}` : ''}.`, status);
};

export interface ListQuery {
  readonly state?: string | undefined;
  readonly cursor?: string | undefined;
}

export interface RetryQuery {
  readonly states?: readonly string[];
  readonly reason?: string;
}

export interface ApiClient {
  readonly url: string;
  /** Sends a list; with the same key and list again it answers the same batch, and how that fares. */
  sendList(list: Uint8Array, contentType: string, idempotencyKey: string): Promise<Received>;
  /** The same, if only the batch id is wanted. */
  createBatch(list: Uint8Array, contentType: string, idempotencyKey: string): Promise<string>;
  /** Sends a list that is too large for a request, by an upload form: a new batch each time. */
  uploadLarge(list: Uint8Array, contentType: string): Promise<Received>;
  readBatch(batch_id: string): Promise<BatchView>;
  /** One page. */
  pageOfBots(batch_id: string, query: ListQuery): Promise<BotPage>;
  /** All bots, or all in a state, page by page. */
  listBots(batch_id: string, state?: string): AsyncGenerator<BotView>;
  listErrors(batch_id: string): AsyncGenerator<RowErrorView>;
  readBot(user_id: string): Promise<BotView>;
  /** Counts how many bots were queued again, over all pages. */
  retryBatch(batch_id: string, query: RetryQuery): Promise<{ retried: number; pin_locked: number }>;
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

  const exchange = async (path: string, request: Omit<Outgoing, 'signal'>): Promise<Response> => {
    const timeout = AbortSignal.timeout(PATIENCE_MS);
    try {
      return await send(`${url}${path}`, {
        ...request,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (error instanceof Refusal || isAbort(error)) throw error;
      throw new Refusal(`The API at ${url} cannot be reached (${causeOf(error)}).`);
    }
  };

  const ask = async <T>(
    path: string,
    schema: z.ZodType<T>,
    request: Omit<Outgoing, 'signal'>,
  ): Promise<T> => {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await exchange(path, request);
      const body: unknown = await answer.json().catch(() => undefined);
      const pauseMs = pausesMs[attempt];
      if (passing.has(answer.status) && pauseMs !== undefined) {
        await sleep(pauseMs, undefined, signal ? { signal } : {});
        continue;
      }
      if (!answer.ok) throw apiError(answer.status, body);
      const parsed = schema.safeParse(body);
      if (parsed.success) return parsed.data;
      throw new Refusal(`${url} answers, but not as the API of Enlist does.`);
    }
  };

  const get = <T>(path: string, schema: z.ZodType<T>) => ask(path, schema, { method: 'GET', headers: {} });
  const post = <T>(path: string, schema: z.ZodType<T>, body: unknown) =>
    ask(path, schema, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
    });

  /** The form is a door of its own: it takes no signature but the one it carries. */
  const fillIn = async ({ url: target, fields }: z.infer<typeof form>, list: Uint8Array) => {
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
    return get(`/batches/${batch_id}/bots?${new URLSearchParams(given)}`, botPage);
  };

  const sendList: ApiClient['sendList'] = (body, contentType, idempotencyKey) =>
    ask('/batches', received, {
      method: 'POST',
      headers: { 'content-type': contentType, 'idempotency-key': idempotencyKey },
      body,
    });

  return {
    url,
    sendList,
    createBatch: async (...list) => (await sendList(...list)).batch_id,
    uploadLarge: async (list, content_type) => {
      const empty = await post('/uploads', form, { content_type });
      await fillIn(empty, list);
      return post(`/uploads/${empty.batch_id}`, received, {});
    },
    readBatch: (batch_id) => get(`/batches/${batch_id}`, batch),
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
        const found: z.infer<typeof errorPage> = await get(`/batches/${batch_id}/errors${query}`, errorPage);
        yield* found.errors;
        cursor = found.cursor;
      } while (cursor !== undefined);
    },
    readBot: (user_id) => get(`/bots/${user_id}`, bot),
    retryBatch: async (batch_id, query) => {
      const sum = { retried: 0, pin_locked: 0 };
      let cursor: string | undefined;
      do {
        const page: z.infer<typeof retried> = await post(`/batches/${batch_id}/retry`, retried, {
          ...query,
          ...(cursor !== undefined && { cursor }),
        });
        sum.retried += page.retried;
        sum.pin_locked += page.pin_locked;
        cursor = page.cursor;
      } while (cursor !== undefined);
      return sum;
    },
  };
};
