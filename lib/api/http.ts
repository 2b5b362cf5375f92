/** The HTTP API's requests and answers, without AWS around them. */
import type { Services } from '../model/ports.ts';
import {
  type HttpFunctionName,
  type RouteAnswer,
  type RouteContract,
  type RouteName,
  type RouteNameOf,
  type RouteRequest,
  routes,
} from './contract.ts';
import { parseRequest } from './parse-request.ts';
import type { ProblemAnswer } from './problems.ts';

export interface HttpRequest {
  readonly path: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler answers: the body that the contract names, or a problem. */
export type Reply<Name extends RouteName> = { readonly body: RouteAnswer<Name> } | ProblemAnswer;

/** What handles a route: it receives the request as the contract reads it. */
type RouteHandler<Name extends RouteName> = (
  services: Services,
  request: RouteRequest<Name>,
) => Promise<Reply<Name>>;

/** What answers each route of one function, whatever the request is. */
export type Answers<F extends HttpFunctionName> = Readonly<
  Record<RouteNameOf<F>, (services: Services, request: HttpRequest) => Promise<HttpAnswer>>
>;

/** @returns `path` with the value of each name that it has in braces */
export const fillPath = (path: string, values: object): string =>
  path.replace(/\{(\w+)\}/g, (_, name) => String(Reflect.get(values, name)));

/**
 * From handlers to answers. The contract reads each request before its handler gets it, and answers with a problem
 * what does not fit; it names the status and the location of the answer.
 */
export const createAnswers = <F extends HttpFunctionName>(
  handlers: {
    readonly [Name in RouteNameOf<F>]: RouteHandler<Name>;
  },
): Answers<F> => {
  const createAnswer = (name: RouteName, handle: RouteHandler<RouteName>) => {
    return async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
      const parsed = parseRequest(name, request);
      if (!parsed.ok) return parsed.error;
      const reply = await handle(services, parsed.value);
      if ('status' in reply) return reply;
      const { status, location }: RouteContract['answer'] = routes[name].answer;
      return { status, ...reply, ...(location && { headers: { location: fillPath(location, reply.body) } }) };
    };
  };
  const entries = Object.entries(handlers) as [RouteName, RouteHandler<RouteName>][];
  return Object.fromEntries(
    entries.map(([name, handle]) => [name, createAnswer(name, handle)]),
  ) as unknown as Answers<F>;
};
