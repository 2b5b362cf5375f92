/** One call to Mixin: sent once, never resent, read to its end within a time and a size. */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { findErrorCode } from '../model/error-code.ts';
import type { Keystore } from '../model/keystore.ts';
import { MixinError } from '../model/mixin-error.ts';
import { type MixinAnswer, readAnswer } from './answer.ts';
import { createMixinError, type Method } from './errors.ts';
import { createToken } from './token.ts';

const USER_AGENT = 'enlist/0.1.0';

export interface MixinClientOptions {
  /** https://api.mixin.one, or a stand-in; it may have a path, and a slash at its end. */
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
  /** The token of the call is good until then, and the call is not sent later; milliseconds since 1970. */
  readonly validUntilMs?: number;
  /** No GET settles whether this call took effect: it opens a connection of its own. */
  readonly fresh?: boolean;
}

/** A call that carries no token. */
interface OpenRequest extends MixinRequest {
  /** Further headers, names in lower case; of two with one name the client's own counts. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface MixinClient {
  /**
   * Makes one call for the keystore's bot. Throws MixinError: `bad_keystore` and `too_late` before anything is sent,
   * `no_connection` when it could not connect, so that nothing was sent, `no_answer` when the connection fails
   * otherwise, breaks or takes too long, `broken_answer` for an answer that is too big, and what readAnswer throws.
   */
  call(keystore: Keystore, request: MixinRequest): Promise<MixinAnswer>;
  /** The same without an account: no token and no Authorization header. POST /verifications needs that. */
  callOpen(request: OpenRequest): Promise<MixinAnswer>;
}

/** The signature and the call are both made from this, so that what is signed is what is sent. */
interface PreparedRequest {
  readonly url: URL;
  readonly method: Method;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly request_id: string;
  readonly fresh: boolean;
  readonly sentAtMs: number;
}

/** A clock that is off by less than this makes no token expire on its way. */
const MIN_TOKEN_LIFETIME_MS = 60_000;

const createRequest = (
  options: MixinClientOptions,
  { method, path, body: fields, fresh = false }: MixinRequest,
): Omit<PreparedRequest, 'headers'> => {
  if (!path.startsWith('/')) throw new TypeError('a path must begin with a slash');
  return {
    url: new URL(options.baseUrl.replace(/\/+$/, '') + path),
    method,
    body: fields === undefined ? '' : JSON.stringify(fields),
    request_id: options.randomId(),
    fresh,
    sentAtMs: options.now(),
  };
};

const createCommonHeaders = (request_id: string): Record<string, string> => ({
  'content-type': 'application/json',
  'user-agent': USER_AGENT,
  'x-request-id': request_id,
});

const prepareOpen = (options: MixinClientOptions, request: OpenRequest): PreparedRequest => {
  const prepared = createRequest(options, request);
  return { ...prepared, headers: { ...request.headers, ...createCommonHeaders(prepared.request_id) } };
};

/** When the token of this call ends. Throws MixinError `too_late` where that is too near. */
const computeLifetimeSeconds = (
  options: MixinClientOptions,
  { method, validUntilMs }: MixinRequest,
  { request_id, sentAtMs }: Pick<PreparedRequest, 'request_id' | 'sentAtMs'>,
): number => {
  if (validUntilMs === undefined) return options.tokenLifetimeSeconds;
  // guard: token-is-not-short-lived
  if (validUntilMs - sentAtMs < MIN_TOKEN_LIFETIME_MS)
    throw createMixinError('too_late', { method, request_id });
  return Math.floor(validUntilMs / 1_000) - Math.floor(sentAtMs / 1_000);
};

const prepareSigned = async (
  options: MixinClientOptions,
  keystore: Keystore,
  request: MixinRequest,
): Promise<PreparedRequest> => {
  const prepared = createRequest(options, request);
  const { url, method, body, request_id, sentAtMs } = prepared;
  const token = await createToken({
    keystore,
    method,
    uri: url.pathname + url.search,
    body,
    request_id,
    unixSeconds: Math.floor(sentAtMs / 1000),
    lifetimeSeconds: computeLifetimeSeconds(options, request, prepared),
  });
  return { ...prepared, headers: { authorization: `Bearer ${token}`, ...createCommonHeaders(request_id) } };
};

/**
 * A body as a stream has no copy that fetch could send again: given a string, fetch resends a POST by itself
 * when a server answers 421 (WHATWG Fetch, HTTP-network-or-cache fetch; seen in Node 24.21).
 */
const createSingleUseBody = (body: string): RequestInit => {
  if (body === '') return {};
  // guard: body-is-sent-once
  return { body: new Blob([body]).stream(), duplex: 'half' };
};

const createLengthHeader = ({ method, body }: PreparedRequest): Record<string, string> =>
  method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) };

/**
 * fetch over a connection that was never used before. An idle connection of fetch's pool may have died while this
 * machine slept: a call over it gets no answer, as one whose answer is lost. It follows no redirect and sends once.
 */
const fetchFresh: typeof fetch = async (input, init = {}) => {
  const url = new URL(String(input));
  const body = init.body ? Buffer.from(await new Response(init.body).arrayBuffer()) : undefined;
  const { request } = url.protocol === 'https:' ? https : http;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const { method = 'GET', signal } = init;
    const headers = init.headers as Readonly<Record<string, string>>;
    const options = {
      method,
      headers,
      ...(signal && { signal }),
      // guard: unsettled-call-opens-connection
      agent: false as const,
    };
    const call = request(url, options, resolve);
    call.once('error', reject);
    call.end(body);
  });
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) headers.set(name, String(value));
  const hasBody = answer.statusCode !== 204 && answer.statusCode !== 205 && answer.statusCode !== 304;
  const stream = hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array<ArrayBuffer>>) : null;
  return new Response(stream, { status: answer.statusCode ?? 0, headers });
};

const send = (options: MixinClientOptions, prepared: PreparedRequest): Promise<Response> =>
  (options.fetch ?? (prepared.fresh ? fetchFresh : fetch))(prepared.url, {
    method: prepared.method,
    headers: { ...prepared.headers, ...createLengthHeader(prepared) },
    // guard: redirect-is-not-followed
    redirect: 'manual',
    signal: AbortSignal.timeout(options.timeoutMs),
    ...createSingleUseBody(prepared.body),
  });

const readText = async (
  { body, status }: Response,
  { method, request_id }: PreparedRequest,
  maxAnswerBytes: number,
): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw createMixinError('broken_answer', { method, status, request_id });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/**
 * Errors of DNS, of connecting, and of the certificate. Each ends the exchange before there is a connection that a
 * request could be written to; the tests cause each one and check what reached the server.
 */
const beforeConnection: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

const exchange = async (
  options: MixinClientOptions,
  prepared: PreparedRequest,
): Promise<[Response, string]> => {
  try {
    const response = await send(options, prepared);
    return [response, await readText(response, prepared, options.maxAnswerBytes)];
  } catch (error) {
    if (error instanceof MixinError) throw error;
    const { method, request_id } = prepared;
    const cause = findErrorCode(error);
    const nothingSent = beforeConnection.has(cause);
    throw createMixinError(nothingSent ? 'no_connection' : 'no_answer', { method, request_id, cause });
  }
};

const perform = async (options: MixinClientOptions, prepared: PreparedRequest): Promise<MixinAnswer> => {
  const [response, bodyText] = await exchange(options, prepared);
  return readAnswer({
    method: prepared.method,
    open: !('authorization' in prepared.headers),
    httpStatus: response.status,
    headers: response.headers,
    bodyText,
    sentRequestId: prepared.request_id,
    sentAtMs: prepared.sentAtMs,
    receivedAtMs: options.now(),
  });
};

/** Creates the client. It neither connects nor sends anything yet. */
export const createMixinClient = (options: MixinClientOptions): MixinClient => ({
  call: async (keystore, request) => perform(options, await prepareSigned(options, keystore, request)),
  callOpen: async (request) => perform(options, prepareOpen(options, request)),
});
