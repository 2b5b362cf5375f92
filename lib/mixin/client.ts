/** One signed call to Mixin: sent once, never resent, read to its end within a time and a size. */
import type { Keystore } from '../keystore.ts';
import { type MixinAnswer, readAnswer } from './answer.ts';
import { type Method, MixinError } from './errors.ts';
import { createToken } from './token.ts';

const USER_AGENT = 'enlist/0.1.0';

export interface MixinClientOptions {
  /** https://api.mixin.one, or a stand-in; a path in it and a slash at its end are fine. */
  readonly baseUrl: string;
  /** For the whole exchange, from connecting to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Decompressed. */
  readonly maxAnswerBytes: number;
  readonly tokenLifetimeSeconds: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A new UUIDv4 each time. */
  readonly randomId: () => string;
  readonly fetch?: typeof fetch;
}

export interface MixinRequest {
  readonly method: Method;
  /** From the first `/`, with the query. */
  readonly path: string;
  /** Becomes JSON; of a POST only. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The body carries a PIN. */
  readonly pin?: boolean;
}

export interface MixinClient {
  /**
   * Makes one call for the keystore's bot. Throws MixinError: `bad_keystore` before anything is sent,
   * `no_answer` when the connection fails, breaks off or takes too long, `broken_answer` for an answer that
   * is too big, and whatever readAnswer makes of an answer.
   */
  call(keystore: Keystore, request: MixinRequest): Promise<MixinAnswer>;
}

/** What is signed is what is sent: both come from here. */
interface Prepared {
  readonly url: URL;
  readonly method: Method;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly request_id: string;
  readonly pin: boolean;
  readonly sentAtMs: number;
}

const prepare = async (
  options: MixinClientOptions,
  keystore: Keystore,
  { method, path, body: fields, pin = false }: MixinRequest,
): Promise<Prepared> => {
  const url = new URL(options.baseUrl.replace(/\/+$/, '') + path);
  const body = fields === undefined ? '' : JSON.stringify(fields);
  const [request_id, sentAtMs] = [options.randomId(), options.now()];
  const token = await createToken({
    keystore,
    method,
    uri: url.pathname + url.search,
    body,
    request_id,
    unixSeconds: Math.floor(sentAtMs / 1000),
    lifetimeSeconds: options.tokenLifetimeSeconds,
  });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'user-agent': USER_AGENT,
    'x-request-id': request_id,
  };
  return { url, method, body, headers, request_id, pin, sentAtMs };
};

/**
 * A body as a stream has no copy that fetch could send again: given a string, fetch resends a POST by itself
 * when a server answers 421 (WHATWG Fetch, HTTP-network-or-cache fetch; seen in Node 24.21).
 */
const onceOnly = (body: string): RequestInit => {
  if (body === '') return {};
  return { body: new Blob([body]).stream(), duplex: 'half' };
};

const lengthOf = ({ method, body }: Prepared): Record<string, string> =>
  method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) };

const send = (options: MixinClientOptions, prepared: Prepared): Promise<Response> =>
  (options.fetch ?? fetch)(prepared.url, {
    method: prepared.method,
    headers: { ...prepared.headers, ...lengthOf(prepared) },
    redirect: 'manual',
    signal: AbortSignal.timeout(options.timeoutMs),
    ...onceOnly(prepared.body),
  });

const readText = async (
  { body, status }: Response,
  { method, request_id }: Prepared,
  maxAnswerBytes: number,
): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new MixinError('broken_answer', { method, status, request_id });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** The code or name of the error behind a failed exchange; fetch hides it one level down. */
const causeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const inner = error.cause instanceof Error ? error.cause : error;
  const names = [(inner as { code?: unknown }).code, inner.name];
  return names.find((name): name is string => typeof name === 'string' && /^[A-Za-z0-9_]{1,40}$/.test(name));
};

const exchange = async (options: MixinClientOptions, prepared: Prepared): Promise<[Response, string]> => {
  try {
    const response = await send(options, prepared);
    return [response, await readText(response, prepared, options.maxAnswerBytes)];
  } catch (error) {
    if (error instanceof MixinError) throw error;
    const { method, request_id } = prepared;
    throw new MixinError('no_answer', { method, request_id, cause: causeOf(error) });
  }
};

/** Makes the client. No call is made and nothing is opened yet. */
export const createMixinClient = (options: MixinClientOptions): MixinClient => ({
  call: async (keystore, request) => {
    const prepared = await prepare(options, keystore, request);
    const [response, bodyText] = await exchange(options, prepared);
    return readAnswer({
      method: prepared.method,
      pin: prepared.pin,
      httpStatus: response.status,
      headers: response.headers,
      bodyText,
      sentRequestId: prepared.request_id,
      sentAtMs: prepared.sentAtMs,
      receivedAtMs: options.now(),
    });
  },
});
