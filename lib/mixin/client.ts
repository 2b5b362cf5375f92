/** One call to Mixin: sent once, never resent, read to its end within a time and a size. */
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
  /** The body carries a PIN. */
  readonly pin?: boolean;
}

/** A call that carries no token. */
interface OpenRequest extends MixinRequest {
  /** Further headers, names in lower case; of two with one name the client's own counts. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface MixinClient {
  /**
   * Makes one call for the keystore's bot. Throws MixinError: `bad_keystore` before anything is sent,
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
  readonly pin: boolean;
  readonly sentAtMs: number;
}

const createRequest = (
  options: MixinClientOptions,
  { method, path, body: fields, pin = false }: MixinRequest,
): Omit<PreparedRequest, 'headers'> => {
  if (!path.startsWith('/')) throw new TypeError('a path must begin with a slash');
  return {
    url: new URL(options.baseUrl.replace(/\/+$/, '') + path),
    method,
    body: fields === undefined ? '' : JSON.stringify(fields),
    request_id: options.randomId(),
    pin,
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
    lifetimeSeconds: options.tokenLifetimeSeconds,
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

const send = (options: MixinClientOptions, prepared: PreparedRequest): Promise<Response> =>
  (options.fetch ?? fetch)(prepared.url, {
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
    pin: prepared.pin,
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
