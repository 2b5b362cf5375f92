/** HTTP requests as API Gateway HTTP APIs hand them to a function (payload format 2.0), and answers back. */
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as z from 'zod';
import type { Route } from '../../lib/api/contract.ts';
import { ACCOUNT } from './client-config.ts';

export interface RouteMatch {
  readonly route: Route;
  /** Values of the route's `{names}`, as they stand in the path. */
  readonly encodedParameters: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const TEXT_TYPE =
  /^(text\/|application\/([\w.-]+\+)?json\b|application\/javascript\b|application\/([\w.-]+\+)?xml\b)/i;

const joinHeaders = ({ headersDistinct }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(',')]));

const joinQuery = (query: string): Record<string, string> => {
  const parameters = new URLSearchParams(query);
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name).join(',')]));
};

/** A value that cannot be decoded stays as it is. */
const decode = (value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
};

/** 22/Nov/2026:07:05:00 +0000 */
const formatLogTime = (date: Date): string => {
  const [, day, month, year, time] = date.toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
};

const describeContext = (request: IncomingMessage, routeKey: string, path: string) => {
  const now = new Date();
  return {
    accountId: ACCOUNT,
    apiId: 'local',
    domainName: request.headers.host ?? '',
    domainPrefix: 'local',
    http: {
      method: request.method ?? '',
      path,
      protocol: `HTTP/${request.httpVersion}`,
      sourceIp: request.socket.remoteAddress ?? '',
      userAgent: request.headers['user-agent'] ?? '',
    },
    requestId: randomUUID(),
    routeKey,
    stage: '$default',
    time: formatLogTime(now),
    timeEpoch: now.getTime(),
  };
};

const describeBody = (body: Buffer, contentType: string | undefined) => {
  if (body.length === 0) return { isBase64Encoded: false };
  const isText = TEXT_TYPE.test(contentType ?? '') && isUtf8(body);
  return { body: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText };
};

/** The event for a request whose body has been read. */
export const toEvent = (
  request: IncomingMessage,
  body: Buffer,
  { route, encodedParameters }: RouteMatch,
): APIGatewayProxyEventV2 => {
  const [rawPath = '/', ...rest] = (request.url ?? '/').split('?');
  const rawQueryString = rest.join('?');
  const routeKey = `${route.method} ${route.path}`;
  const pathParameters = Object.fromEntries(
    Object.entries(encodedParameters).map(([name, value]) => [name, decode(value)]),
  );
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    headers: joinHeaders(request),
    ...(rawQueryString && { queryStringParameters: joinQuery(rawQueryString) }),
    ...(Object.keys(pathParameters).length > 0 && { pathParameters }),
    requestContext: describeContext(request, routeKey, rawPath),
    ...describeBody(body, request.headers['content-type']),
  };
};

/** The gateway's own answers. */
export const createMessageAnswer = (status: number, message: string): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ message })),
});

export const serverError = createMessageAnswer(500, 'Internal Server Error');

const functionAnswer = z.object({
  statusCode: z.int().min(200).max(599),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().default(''),
  isBase64Encoded: z.boolean().default(false),
});

/** The HTTP answer to what a function returned. What Enlist's own functions never return becomes a 500. */
export const toAnswer = (result: unknown): HttpAnswer => {
  const parsed = functionAnswer.safeParse(result);
  if (!parsed.success) return serverError;
  const { statusCode, headers, body, isBase64Encoded } = parsed.data;
  return { status: statusCode, headers, body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8') };
};
