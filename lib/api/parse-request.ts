/** A request as it came → the request that a route's contract describes, or a problem that names the field. */
import type * as z from 'zod';
import { findFormat } from '../lists/formats.ts';
import { limits } from '../model/limits.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { parameterProblems, type RouteName, type RouteRequest, routes } from './contract.ts';
import { type HttpRequest, type ProblemAnswer, problem } from './http.ts';

type ParseResult<T> = Result<T, ProblemAnswer>;

const CONTRACT = 'See docs/openapi.json for what may be sent.';

/** Header names are written with capitals: Idempotency-Key. */
const capitalize = (name: string) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

/** The value at the path of an issue; undefined where there is none. */
const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    value,
  );

const badParameter = (error: z.ZodError, nameOf = (name: string) => name): ProblemAnswer => {
  const [issue] = error.issues;
  const field = nameOf(String(issue?.path[0]));
  return problem('bad_parameter', {
    message: `The parameter ${field} is not valid.`,
    fix: issue?.message ?? CONTRACT,
    field,
  });
};

const notJson = () =>
  problem('bad_body', { message: 'The body is not JSON.', fix: CONTRACT, field: '(body)' });

/** Never quotes a value: a body may hold a code. */
const badBody = (error: z.ZodError, body: unknown): ProblemAnswer => {
  const [issue] = error.issues;
  const path = issue?.path ?? [];
  if (issue?.code === 'unrecognized_keys') {
    return problem('bad_body', {
      message: 'The body has a field that Enlist does not know.',
      fix: CONTRACT,
      field: '(body)',
    });
  }
  if (path.length === 0) {
    return problem('bad_body', { message: 'The body is not a JSON object.', fix: CONTRACT, field: '(body)' });
  }
  const field = path.join('.');
  const wrong = valueAt(body, path) === undefined ? 'is missing' : 'is not valid';
  return problem('bad_body', {
    message: `The field ${field} ${wrong}.`,
    fix: issue?.message ?? CONTRACT,
    field,
  });
};

/** No body counts as {}. */
const parseJson = (schema: z.ZodType, bytes: Uint8Array): ParseResult<unknown> => {
  const text = new TextDecoder().decode(bytes).trim();
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    return fail(notJson());
  }
  const parsed = schema.safeParse(body);
  return parsed.success ? succeed(parsed.data) : fail(badBody(parsed.error, body));
};

const parseList = (contentType: string | undefined, bytes: Uint8Array): ParseResult<unknown> => {
  if (contentType === undefined || !findFormat(contentType)) {
    return fail(problem('unknown_format'));
  }
  if (bytes.byteLength === 0) return fail(problem('empty_list'));
  if (bytes.byteLength > limits.maxInlineBytes) return fail(problem('list_too_large'));
  return succeed({ bytes, contentType });
};

const parseBody = (name: RouteName, { headers, body }: HttpRequest): ParseResult<unknown> => {
  const route = routes[name];
  if (!('body' in route)) return succeed(undefined);
  return route.body.kind === 'list'
    ? parseList(headers['content-type'], body)
    : parseJson(route.body.schema, body);
};

/** A path that names nothing is an answer of its own, whatever else is wrong. */
export const parseRequest = <Name extends RouteName>(
  name: Name,
  request: HttpRequest,
): ParseResult<RouteRequest<Name>> => {
  const route = routes[name];
  const parameters = route.parameters.safeParse(request.path);
  if (!parameters.success) {
    const parameter = parameters.error.issues[0]?.path[0] as keyof typeof parameterProblems;
    return fail(problem(parameterProblems[parameter]));
  }
  const query = route.query.safeParse(request.query);
  if (!query.success) return fail(badParameter(query.error));
  const headers = route.headers.safeParse(request.headers);
  if (!headers.success) return fail(badParameter(headers.error, capitalize));
  const body = parseBody(name, request);
  if (!body.ok) return body;
  return succeed({
    parameters: parameters.data,
    query: query.data,
    headers: headers.data,
    body: body.value,
  } as unknown as RouteRequest<Name>);
};
