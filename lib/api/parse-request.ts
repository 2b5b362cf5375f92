/** A request as it came → the request that a route's contract describes, or a problem that names the field. */
import type * as z from 'zod';
import { findFormat } from '../lists/formats.ts';
import { limits } from '../model/limits.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import {
  parameterProblems,
  type RouteContract,
  type RouteName,
  type RouteRequest,
  routes,
} from './contract.ts';
import type { HttpRequest } from './http.ts';
import { answerProblem, type ProblemAnswer } from './problems.ts';

type ParseResult<T> = Result<T, ProblemAnswer>;

/** Header names are written with capitals: Idempotency-Key. */
export const capitalize = (name: string) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

const answerBadParameter = (error: z.ZodError, formatName = (name: string) => name): ProblemAnswer => {
  const [issue] = error.issues;
  const field = formatName(String(issue?.path[0]));
  return answerProblem('bad_parameter', {
    message: `The parameter ${field} is not valid.`,
    fix: issue?.message,
    field,
  });
};

const answerBadBody = (message: string) => answerProblem('bad_body', { message, field: '(body)' });

/** Never quotes a value: a body may hold a code. */
const answerBadField = ({ issues: [issue] }: z.ZodError): ProblemAnswer => {
  if (issue?.code === 'unrecognized_keys')
    return answerBadBody('The body has a field that Enlist does not know.');
  if (!issue || issue.path.length === 0) return answerBadBody('The body is not a JSON object.');
  const field = issue.path.join('.');
  const wrong = issue.input === undefined ? 'is missing' : 'is not valid';
  return answerProblem('bad_body', { message: `The field ${field} ${wrong}.`, fix: issue.message, field });
};

/** No body counts as {}. */
const parseJson = (schema: z.ZodType, bytes: Uint8Array): ParseResult<unknown> => {
  const text = new TextDecoder().decode(bytes).trim();
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    return fail(answerBadBody('The body is not JSON.'));
  }
  const parsed = schema.safeParse(body, { reportInput: true });
  return parsed.success ? succeed(parsed.data) : fail(answerBadField(parsed.error));
};

const parseList = (contentType: string | undefined, bytes: Uint8Array): ParseResult<unknown> => {
  if (contentType === undefined || !findFormat(contentType)) {
    return fail(answerProblem('unknown_format'));
  }
  if (bytes.byteLength === 0) return fail(answerProblem('empty_list'));
  if (bytes.byteLength > limits.maxInlineBytes) return fail(answerProblem('list_too_large'));
  return succeed({ bytes, contentType });
};

const parseBody = (name: RouteName, { headers, body }: HttpRequest): ParseResult<unknown> => {
  const route: RouteContract = routes[name];
  if (!route.body) return succeed(undefined);
  return route.body.kind === 'list'
    ? parseList(headers['content-type'], body)
    : parseJson(route.body.schema, body);
};

/** A path that names nothing is an answer of its own, whatever else is wrong. */
export const parseRequest = <Name extends RouteName>(
  name: Name,
  request: HttpRequest,
): ParseResult<RouteRequest<Name>> => {
  const route: RouteContract = routes[name];
  const parameters = route.parameters?.safeParse(request.path);
  if (parameters?.error) {
    const parameter = parameters.error.issues[0]?.path[0] as keyof typeof parameterProblems;
    return fail(answerProblem(parameterProblems[parameter]));
  }
  const query = route.query?.safeParse(request.query);
  if (query?.error) return fail(answerBadParameter(query.error));
  const headers = route.headers?.safeParse(request.headers);
  if (headers?.error) return fail(answerBadParameter(headers.error, capitalize));
  const body = parseBody(name, request);
  if (!body.ok) return body;
  return succeed({
    parameters: parameters?.data,
    query: query?.data,
    headers: headers?.data,
    body: body.value,
  } as unknown as RouteRequest<Name>);
};
