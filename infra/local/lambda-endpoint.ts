/**
 * Lambda's Invoke on this machine, for `enlist doctor` and for the AWS SDK and CLI.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import type { IncomingMessage } from 'node:http';
import { readBody } from '../../emulators/loopback.ts';
import { type FunctionName, functionNames } from '../../lib/model/deployment.ts';
import type { HttpAnswer } from './http-event.ts';
import {
  createFunctionArn,
  InvocationTimeout,
  invoke,
  type LocalFunction,
  MAX_PAYLOAD_BYTES,
  toError,
} from './invocation.ts';

export type LocalFunctions = Readonly<Record<FunctionName, LocalFunction<unknown>>>;

const PATH = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

const json = (status: number, body: unknown, headers: HttpAnswer['headers'] = {}): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify(body ?? null)),
});

const createRefusal = (status: number, type: string, Message: string): HttpAnswer =>
  json(status, { Type: 'User', Message }, { 'x-amzn-errortype': type });

const createResult = (body: unknown, headers: HttpAnswer['headers'] = {}): HttpAnswer =>
  json(200, body, { 'x-amz-executed-version': '$LATEST', ...headers });

/** When the function fails, Invoke itself still succeeds. */
const createFunctionError = (error: Error): HttpAnswer => {
  const errorType = error instanceof InvocationTimeout ? 'Sandbox.Timedout' : error.name;
  const body = { errorType, errorMessage: error.message, trace: [] };
  return createResult(body, { 'x-amz-function-error': 'Unhandled' });
};

const parse = (body: Buffer): { event: unknown } | undefined => {
  try {
    return { event: body.length === 0 ? {} : JSON.parse(body.toString('utf8')) };
  } catch {
    return undefined;
  }
};

const isFunction = (name: string): name is FunctionName =>
  (functionNames as readonly string[]).includes(name);

const run = async (localFunction: LocalFunction<unknown>, event: unknown): Promise<HttpAnswer> => {
  try {
    return createResult(await invoke(localFunction, event));
  } catch (error) {
    return createFunctionError(toError(error));
  }
};

/** Answers a request to invoke a function and waits for it; undefined for any other path. */
export const createLambdaEndpoint =
  (functions: LocalFunctions) =>
  async (request: IncomingMessage, path: string): Promise<HttpAnswer | undefined> => {
    const name = PATH.exec(path)?.[1];
    if (name === undefined || request.method !== 'POST') return undefined;
    if (!isFunction(name))
      return createRefusal(
        404,
        'ResourceNotFoundException',
        `Function not found: ${createFunctionArn(name)}`,
      );
    const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
    if (type !== 'RequestResponse') {
      return createRefusal(400, 'InvalidParameterValueException', 'Only RequestResponse is supported here.');
    }
    const body = await readBody(request, MAX_PAYLOAD_BYTES);
    if (!body) return createRefusal(413, 'RequestTooLargeException', 'The event is larger than 6 MB.');
    const parsed = parse(body);
    if (!parsed) return createRefusal(400, 'InvalidRequestContentException', 'The event is not JSON.');
    return run(functions[name], parsed.event);
  };
