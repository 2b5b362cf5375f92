/** The HTTP API's requests and answers, without AWS around them. */

import type { HttpFunctionName, RouteNameOf } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';

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

/** What answers each route of one function. */
export type Answers<F extends HttpFunctionName> = Readonly<
  Record<RouteNameOf<F>, (services: Services, request: HttpRequest) => Promise<HttpAnswer>>
>;

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** A problem document (RFC 9457) with a stable code and a way to mend it; `more` are members of its own. */
export const problem = (
  status: number,
  code: string,
  detail: string,
  fix: string,
  more: Readonly<Record<string, unknown>> = {},
): HttpAnswer => ({
  status,
  body: { type: 'about:blank', title: titles[status] ?? 'Error', status, code, detail, fix, ...more },
});
