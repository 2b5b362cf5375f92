/** The HTTP API's requests and answers, without AWS around them. */

import type { Services } from '../model/ports.ts';
import type { Problem } from '../model/problem.ts';
import type { HttpFunctionName, RouteAnswer, RouteName, RouteNameOf, RouteRequest } from './contract.ts';
import { describeProblem, type ProblemCode, problems } from './problems.ts';

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

/** A problem in place of a route's answer. */
export interface ProblemAnswer {
  readonly problem: ReturnType<typeof describeProblem>;
}

/** What a handler answers: the body that the contract names, or a problem. */
export type Reply<Name extends RouteName> =
  | { readonly body: RouteAnswer<Name>; readonly location?: string }
  | ProblemAnswer;

/** What handles each route of one function: it receives the request as the contract reads it. */
export type Handlers<F extends HttpFunctionName> = {
  readonly [Name in RouteNameOf<F>]: (
    services: Services,
    request: RouteRequest<Name>,
  ) => Promise<Reply<Name>>;
};

/** What answers each route of one function, whatever the request is. */
export type Answers<F extends HttpFunctionName> = Readonly<
  Record<RouteNameOf<F>, (services: Services, request: HttpRequest) => Promise<HttpAnswer>>
>;

/** A problem of the contract; `more` are its sentences for this request, and members of its own. */
export const problem = (code: ProblemCode, more: Readonly<Record<string, unknown>> = {}): ProblemAnswer => {
  const { status, message, fix } = problems[code];
  return { problem: describeProblem(status, { code, message, fix }, more) };
};

/** A problem whose code is Mixin's, or a row's. */
export const problemOf = (
  status: number,
  { code, message, fix }: Problem,
  more: Readonly<Record<string, unknown>> = {},
): ProblemAnswer => ({ problem: describeProblem(status, { code, message, fix }, more) });

/** The same as an answer over HTTP. */
export const answerProblem = ({ problem: body }: ProblemAnswer): HttpAnswer => ({
  status: body.status,
  body,
});
