/** Events that API Gateway could send but a socket cannot: wrong flags, decoded paths. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { type HttpFunctionName, type RouteName, routes } from '../../lib/api/contract.ts';
import type { Handler } from '../../lib/runtime/handler.ts';
import { CANARY } from './bad-lists.ts';
import { findFault } from './bad-requests.ts';

type Event = Omit<APIGatewayProxyEventV2, 'headers'> & { headers: Record<string, string> };

/** An event of a route, its parameters filled in with `id`. */
const createEvent = (name: RouteName, id: string): Event => {
  const { method, path } = routes[name];
  const pathParameters = Object.fromEntries(
    [...path.matchAll(/\{(\w+)\}/g)].map(([, key = '']) => [key, id]),
  );
  const rawPath = path.replace(/\{\w+\}/g, id);
  return {
    version: '2.0',
    routeKey: `${method} ${path}`,
    rawPath,
    rawQueryString: '',
    headers: { 'content-type': 'application/json' },
    requestContext: { http: { method, path: rawPath } } as Event['requestContext'],
    ...(Object.keys(pathParameters).length > 0 && { pathParameters }),
    isBase64Encoded: false,
    body: '{}',
  };
};

const ids = ['a/b', '../..', '', '\n', '\0', '\ud800', '%', '💩', CANARY, '__proto__', 'a'.repeat(10_000)];
const bodies: readonly Partial<Event>[] = [
  { body: `not base64: ${CANARY} ~~~`, isBase64Encoded: true },
  { body: '', isBase64Encoded: true },
  { body: Buffer.from('{"phone":1}').toString('base64'), isBase64Encoded: false },
  { body: Buffer.from([0xff, 0xfe, 0, 1]).toString('base64'), isBase64Encoded: true },
  { body: '\ud800' },
  { body: '\0' },
  { body: `{"phone":"${'\\ud800'}"}` },
  { body: `{"${CANARY}":1}` },
  { body: '['.repeat(1_000_000) },
  { body: `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}` },
  { body: `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}` },
  { body: JSON.stringify(Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, i]))) },
  { headers: { 'Content-Type': 'text/html', 'content-type': 'application/json' } },
  {
    headers: { 'CONTENT-TYPE': `application/json; charset=${CANARY}`, 'Idempotency-Key': '\ud800'.repeat(8) },
  },
  { headers: { 'content-type': 'text/csv', 'idempotency-key': '💩'.repeat(127) }, body: 'a\n' },
  { headers: {} },
  { queryStringParameters: { limit: '1,1', cursor: 'a,b', state: 'blocked,blocked' } },
  { queryStringParameters: { cursor: '\ud800', limit: '１０' } },
  { queryStringParameters: { cursor: 'x'.repeat(1_000_000) } },
];

/** Without the fields that API Gateway leaves out when they are empty. */
const withoutBody = ({ body: _, queryStringParameters: __, ...event }: Event): Event => event;

const badEvents = (name: RouteName, id: string): readonly Event[] => {
  const right = createEvent(name, id);
  const { method } = routes[name];
  const at = (path: string): Event => ({
    ...right,
    requestContext: { http: { method, path } } as Event['requestContext'],
  });
  return [
    withoutBody(right),
    ...ids.map((other) => createEvent(name, other)),
    ...bodies.map((more) => ({ ...right, ...more })),
    ...[
      '/',
      '//',
      '*',
      `${right.rawPath}/`,
      `${right.rawPath}/x`,
      right.rawPath.toUpperCase(),
      '/\ud800',
    ].map(at),
  ];
};

const context = { getRemainingTimeInMillis: () => 29_000 } as Context;

/** Calls the handlers directly. Throws at the first invalid answer; returns the number of calls. */
export const checkEvents = async (
  handlers: Readonly<Record<HttpFunctionName, Handler>>,
  id: string,
): Promise<number> => {
  let count = 0;
  for (const name of Object.keys(routes) as RouteName[]) {
    for (const [n, event] of badEvents(name, id).entries()) {
      const handler = handlers[routes[name].function];
      const answer = (await handler(event, context)) as APIGatewayProxyStructuredResultV2;
      const contentType = String(answer.headers?.['content-type']);
      const fault = findFault({ status: answer.statusCode ?? 0, contentType, text: answer.body ?? '' });
      if (fault !== undefined) throw new Error(`event ${n} of ${name}: ${fault}`);
      count += 1;
    }
  }
  return count;
};
