/** The HTTP API's requests and answers, without AWS around them. */
import type { Services } from '../services.ts';
import type { RouteName } from '../topology.ts';

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

/** What answers each route. */
export type Routes = Readonly<
  Record<RouteName, (services: Services, request: HttpRequest) => Promise<HttpAnswer>>
>;

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
};

/** A problem document (RFC 9457) with a stable code and a way to mend it. */
export const problem = (status: number, code: string, detail: string, fix: string): HttpAnswer => ({
  status,
  body: { type: 'about:blank', title: titles[status] ?? 'Error', status, code, detail, fix },
});
