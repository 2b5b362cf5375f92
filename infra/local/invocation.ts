/** One run of a Lambda handler: its context and its time-out. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import { withTimeout } from '../../lib/runtime/with-timeout.ts';
import { ACCOUNT, REGION } from './client-config.ts';

export type Handler<Event> = (event: Event, context: Context) => Promise<unknown>;

export interface LocalFunction<Event> {
  readonly functionName: string;
  readonly timeoutSeconds: number;
  readonly handler: Handler<Event>;
}

/** Of an event, and of an answer. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_PAYLOAD_BYTES = 6 * 1_048_576;

export const createFunctionArn = (functionName: string): string =>
  `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${functionName}`;

/** The handler did not answer in time. What it started may still be running. */
export class InvocationTimeout extends Error {
  override readonly name = 'InvocationTimeout';
}

const nothing = () => undefined;

const createContext = (functionName: string, timeoutSeconds: number): Context => {
  const deadline = Date.now() + timeoutSeconds * 1_000;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: createFunctionArn(functionName),
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: nothing,
    fail: nothing,
    succeed: nothing,
  };
};

/**
 * Runs the handler and returns its answer. Throws what the handler throws, and InvocationTimeout after
 * `timeoutSeconds`: as on Lambda, nobody waits for the handler any longer, but here it is not stopped.
 */
export const invoke = async <Event>(
  { functionName, timeoutSeconds, handler }: LocalFunction<Event>,
  event: Event,
): Promise<unknown> => {
  const run = (async () => handler(event, createContext(functionName, timeoutSeconds)))();
  return withTimeout(
    run,
    timeoutSeconds * 1_000,
    () => new InvocationTimeout(`${functionName} timed out after ${timeoutSeconds} seconds`),
  );
};

/** Whatever was thrown, as an Error. */
export const toError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(`something that is not an Error was thrown: ${typeof thrown}`);
