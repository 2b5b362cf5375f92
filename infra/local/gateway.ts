/** The HTTP API on this machine: sends each request to the function of its route, as API Gateway does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { close, isForeign, LOOPBACK, listen, readBody } from '../../emulators/loopback.ts';
import type { HttpFunctionName, Route } from '../../lib/api/contract.ts';
import {
  createMessageAnswer,
  type HttpAnswer,
  type RouteMatch,
  serverError,
  toAnswer,
  toEvent,
} from './http-event.ts';
import { InvocationTimeout, invoke, type LocalFunction, toError } from './invocation.ts';

export interface GatewayOptions {
  /** After a function's own time-out the caller gets a 500. */
  readonly functions: Readonly<Record<HttpFunctionName, LocalFunction<APIGatewayProxyEventV2>>>;
  readonly routes: Readonly<Record<string, Route>>;
  /** @default a free one */
  readonly port?: number;
  /** How long the gateway waits; after that the caller gets a 503. @default 30, as on AWS */
  readonly integrationTimeoutSeconds?: number;
  /** Called before the routes; undefined leaves the request to them. @default none */
  readonly intercept?: (request: IncomingMessage, path: string) => Promise<HttpAnswer | undefined>;
  /** Called for each failed invocation. */
  readonly onError?: (error: Error, functionName: HttpFunctionName) => void;
}

export interface Gateway {
  readonly url: string;
  /** Accepts no new requests and waits for the running ones. */
  stop(): Promise<void>;
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html */
const MAX_REQUEST_BYTES = 10 * 1_048_576;
const INTEGRATION_TIMEOUT_SECONDS = 30;
/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB for an event and for an answer. */
const MAX_PAYLOAD_BYTES = 6 * 1_048_576;

const tooLarge = createMessageAnswer(413, 'Request Entity Too Large');

/** No path fits two of our routes, so the first one that fits is the one. */
const matchRoute = (
  routes: readonly Route[],
  method: string | undefined,
  path: string,
): RouteMatch | undefined => {
  for (const route of routes) {
    const pattern = route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
    const match = route.method === method ? new RegExp(`^${pattern}$`).exec(path) : null;
    if (match) return { route, encodedParameters: { ...match.groups } };
  }
  return undefined;
};

const run = async (
  options: GatewayOptions,
  functionName: HttpFunctionName,
  event: APIGatewayProxyEventV2,
): Promise<HttpAnswer> => {
  const { functions, onError, integrationTimeoutSeconds = INTEGRATION_TIMEOUT_SECONDS } = options;
  const { timeoutSeconds } = functions[functionName];
  try {
    const limit = Math.min(timeoutSeconds, integrationTimeoutSeconds);
    const result = await invoke({ ...functions[functionName], timeoutSeconds: limit }, event);
    const answer = toAnswer(result);
    return answer.body.length > MAX_PAYLOAD_BYTES ? serverError : answer;
  } catch (error) {
    onError?.(toError(error), functionName);
    const gatewayTimedOut = error instanceof InvocationTimeout && timeoutSeconds >= integrationTimeoutSeconds;
    return gatewayTimedOut ? createMessageAnswer(503, 'Service Unavailable') : serverError;
  }
};

const answer = async (options: GatewayOptions, request: IncomingMessage): Promise<HttpAnswer> => {
  if (isForeign(request.headers)) return createMessageAnswer(403, 'Forbidden');
  const [path = '/'] = (request.url ?? '/').split('?');
  const intercepted = await options.intercept?.(request, path);
  if (intercepted) return intercepted;
  const match = matchRoute(Object.values(options.routes), request.method, path);
  if (!match) return createMessageAnswer(404, 'Not Found');
  const body = await readBody(request, MAX_REQUEST_BYTES);
  if (!body) return tooLarge;
  const event = toEvent(request, body, match);
  if (Buffer.byteLength(event.body ?? '') > MAX_PAYLOAD_BYTES) return tooLarge;
  return run(options, match.route.function, event);
};

const send = (response: ServerResponse, { status, headers, body }: HttpAnswer): void => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.removeHeader('transfer-encoding');
  response.setHeader('content-length', body.length);
  response.writeHead(status).end(body);
};

/** Listens on 127.0.0.1 for this machine's own programs and pages only. Rejects when the port is taken. */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const server = createServer((request, response) => {
    answer(options, request)
      .then((reply) => {
        request.resume();
        send(response, reply);
      })
      .catch(() => response.destroy());
  });
  const port = await listen(server, options.port);
  return { url: `http://${LOOPBACK}:${port}`, stop: () => close(server) };
};
