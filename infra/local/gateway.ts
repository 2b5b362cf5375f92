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
import { invoke, type LocalFunction, MAX_PAYLOAD_BYTES, toError } from './invocation.ts';

export interface GatewayOptions {
  /** After the time-out of a function the caller gets a 500; API Gateway itself waits longer than our functions. */
  readonly functions: Readonly<Record<HttpFunctionName, LocalFunction<APIGatewayProxyEventV2>>>;
  readonly routes: Readonly<Record<string, Route>>;
  /** @default a free one */
  readonly port?: number;
  /** Called before the routes; undefined leaves the request to them. @default none */
  readonly intercept?: (request: IncomingMessage, path: string) => Promise<HttpAnswer | undefined>;
  /** Called for each failed invocation. */
  readonly onError?: (error: Error, functionName: HttpFunctionName) => void;
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html */
const MAX_REQUEST_BYTES = 10 * 1_048_576;

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
  { functions, onError }: GatewayOptions,
  functionName: HttpFunctionName,
  event: APIGatewayProxyEventV2,
): Promise<HttpAnswer> => {
  try {
    const answer = toAnswer(await invoke(functions[functionName], event));
    return answer.body.length > MAX_PAYLOAD_BYTES ? serverError : answer;
  } catch (error) {
    onError?.(toError(error), functionName);
    return serverError;
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
export const startGateway = async (options: GatewayOptions) => {
  const server = createServer((request, response) => {
    answer(options, request)
      .then((reply) => {
        request.resume();
        send(response, reply);
      })
      .catch(() => response.destroy());
  });
  const port = await listen(server, options.port);
  return {
    url: `http://${LOOPBACK}:${port}`,
    /** Accepts no new requests and waits for the running ones. */
    stop: () => close(server),
  };
};
