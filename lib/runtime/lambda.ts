/**
 * From a step to a Lambda handler: middy around it, records one by one, partial failures, problem documents.
 * A step never sees an AWS event.
 */

import middy from '@middy/core';
import httpHeaderNormalizer from '@middy/http-header-normalizer';
import httpRouter from '@middy/http-router';
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
  SQSBatchResponse,
  SQSEvent,
  SQSRecord,
} from 'aws-lambda';
import { type HttpFunctionName, type RouteName, type RouteNameOf, routes } from '../api/contract.ts';
import { type Answers, answerProblem, type HttpAnswer, type HttpRequest, problem } from '../api/http.ts';
import { isThrottled } from '../aws/throttling.ts';
import {
  crashRetrySeconds,
  type FunctionName,
  type QueueName,
  queues,
  throttledPauseSeconds,
} from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { type Environment, readConfig } from './config.ts';
import { type Connection, connect } from './connect.ts';
import { createLog } from './log.ts';
import { recordCrash } from './record-crash.ts';
import { isEmptyEvent, type SmokeAnswer, smoke } from './smoke-test.ts';

/** A built Lambda handler. */
export type Handler = (event: unknown, context: Context) => Promise<unknown>;
/** Builds the handler for an environment; log lines go to `write`. */
export type Open = (environment: Environment, write?: (line: string) => void) => Handler;

const toStdout = (line: string) => void process.stdout.write(`${line}\n`);

/** The handler Lambda calls: built from the process's own environment at the first event. */
export const opened = (open: Open): Handler => {
  let handler: Handler | undefined;
  return (event, context) => {
    handler ??= open(process.env);
    return handler(event, context);
  };
};

interface FunctionConnection extends Connection {
  /** Tries all that the function depends on. */
  readonly trySmoke: () => Promise<SmokeAnswer>;
  /** Did AWS throttle this, or may a step that ran out of time have waited for throttled calls? */
  readonly isThrottled: (error: unknown, startedMs: number) => boolean;
}

const connectFunction = (
  name: FunctionName,
  environment: Environment,
  write: (line: string) => void,
): FunctionConnection => {
  const config = readConfig(environment);
  const connection = connect(config, createLog(write, Date.now, { step: name }));
  return {
    ...connection,
    trySmoke: () => smoke(name, { ...connection, mixinUrl: config.mixinUrl }),
    isThrottled: (error, startedMs) =>
      isThrottled(error) || (error instanceof OutOfTime && connection.throttledSince(startedMs)),
  };
};

/** The same handler, but an empty event asks whether all that the function depends on is there. */
const orSmoke =
  (trySmoke: () => Promise<SmokeAnswer>, handler: Handler): Handler =>
  async (event, context) =>
    isEmptyEvent(event) ? trySmoke() : handler(event, context);

/** Time a step leaves for its own ending. */
const SPARE_MS = 1_000;

const deadlineOf = (services: Services, context: Context) =>
  services.now() + context.getRemainingTimeInMillis() - SPARE_MS;

class OutOfTime extends Error {
  override readonly name = 'OutOfTime';
}

const before = async <T>(deadlineMs: number, now: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new OutOfTime('the step ran out of time')),
      Math.max(0, deadlineMs - now),
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

const errorName = (error: unknown) => (error instanceof Error ? error.name : typeof error);

/** One message of a step: its body, and when the invocation ends (milliseconds since 1970). */
export type Step = (services: Services, body: unknown, deadlineMs: number) => Promise<void>;

/** Wraps a step that takes one message into a handler of SQS batches with partial failures. */
export const queueFunction =
  (name: QueueName, step: Step): Open =>
  (environment, write = toStdout) => {
    const { services, comeBack, isThrottled, trySmoke } = connectFunction(name, environment, write);

    const receiveCount = ({ attributes }: SQSRecord) => Number(attributes.ApproximateReceiveCount);
    const isLast = (record: SQSRecord) => receiveCount(record) >= queues[name].maxReceiveCount;
    const comeBackSoon = ({ receiptHandle }: SQSRecord, receive_count: number) =>
      comeBack(name, receiptHandle, crashRetrySeconds(name, receive_count));

    /** A message that crashed comes back soon; on its last delivery the row says so. */
    const afterCrash = async (record: SQSRecord, error: unknown): Promise<string> => {
      const receive_count = receiveCount(record);
      const { messageId: message_id } = record;
      services.log('error', 'record_crashed', { message_id, receive_count, error: errorName(error) });
      if (isLast(record)) await recordCrash(services, name, record.body);
      await comeBackSoon(record, receive_count);
      return message_id;
    };

    /** Nothing is wrong with the message: it never goes to the dead letters, a fresh one takes its place. */
    const afterThrottling = async (record: SQSRecord, error: unknown): Promise<string | undefined> => {
      const receive_count = receiveCount(record);
      const { messageId: message_id, attributes } = record;
      services.log('warn', 'record_throttled', { message_id, receive_count, error: errorName(error) });
      if (!isLast(record)) {
        await comeBackSoon(record, receive_count);
        return message_id;
      }
      const { MessageGroupId: batch_id } = attributes;
      const fresh = { body: JSON.parse(record.body), delaySeconds: throttledPauseSeconds };
      await services.queues.send(name, [{ ...fresh, ...(batch_id !== undefined && { batch_id }) }]);
      return undefined;
    };

    /** The id of a message that is to come back. */
    const handleRecord = async (record: SQSRecord, deadlineMs: number): Promise<string | undefined> => {
      const startedMs = services.now();
      try {
        await before(deadlineMs, services.now(), step(services, JSON.parse(record.body), deadlineMs));
        return undefined;
      } catch (error) {
        const after = isThrottled(error, startedMs) ? afterThrottling : afterCrash;
        return after(record, error).catch((cause) => {
          services.log('error', 'record_crashed', { message_id: record.messageId, error: errorName(cause) });
          return record.messageId;
        });
      }
    };

    const handler = middy(async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
      const deadlineMs = deadlineOf(services, context);
      const failed = await Promise.all(event.Records.map((record) => handleRecord(record, deadlineMs)));
      return {
        batchItemFailures: failed.flatMap((itemIdentifier) => (itemIdentifier ? [{ itemIdentifier }] : [])),
      };
    });
    return orSmoke(trySmoke, handler as unknown as Handler);
  };

/** Wraps a step that a schedule calls. */
export const scheduledFunction =
  (name: FunctionName, step: (services: Services, deadlineMs: number) => Promise<void>): Open =>
  (environment, write = toStdout) => {
    const { services, trySmoke } = connectFunction(name, environment, write);
    const handler = middy(async (_event: unknown, context: Context) => {
      await step(services, deadlineOf(services, context));
    });
    return orSmoke(trySmoke, handler as unknown as Handler);
  };

const toRequest = (event: APIGatewayProxyEventV2): HttpRequest => ({
  path: event.pathParameters ?? {},
  query: event.queryStringParameters ?? {},
  headers: event.headers,
  body: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
});

const toResult = ({ status, body, headers = {} }: HttpAnswer): APIGatewayProxyStructuredResultV2 => ({
  statusCode: status,
  headers: { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json', ...headers },
  body: JSON.stringify(body),
});

const routesOf = <F extends HttpFunctionName>(name: F): readonly RouteNameOf<F>[] =>
  (Object.keys(routes) as RouteName[]).filter(
    (route): route is RouteNameOf<F> => routes[route].function === name,
  );

const RETRY_AFTER_SECONDS = '5';

const throttled = (): HttpAnswer => ({
  ...answerProblem(problem('throttled')),
  headers: { 'retry-after': RETRY_AFTER_SECONDS },
});

/** Wraps what answers a function's routes of the HTTP API, with a problem document for whatever goes wrong. */
export const httpFunction =
  <F extends HttpFunctionName>(name: F, answers: Answers<F>): Open =>
  (environment, write = toStdout) => {
    const { services, isThrottled, trySmoke } = connectFunction(name, environment, write);
    const router = httpRouter({
      routes: routesOf(name).map((route) => ({
        method: routes[route].method,
        path: routes[route].path,
        handler: async (event: APIGatewayProxyEventV2) =>
          toResult(await answers[route](services, toRequest(event))),
      })),
      notFoundResponse: () => toResult(answerProblem(problem('no_such_route'))),
    });
    /** Before API Gateway gives up, whose own answer would be no problem document. */
    const inTime = (event: APIGatewayProxyEventV2, context: Context) => {
      const startedMs = services.now();
      const routed = Promise.resolve(router(event, context, undefined as never));
      return before(deadlineOf(services, context), startedMs, routed).catch((error: unknown) => {
        if (!isThrottled(error, startedMs)) throw error;
        services.log('warn', 'request_throttled', { error: errorName(error) });
        return toResult(throttled());
      });
    };
    const handler = middy(inTime)
      .use(httpHeaderNormalizer())
      .onError((request) => {
        services.log('error', 'request_failed', { error: errorName(request.error) });
        request.response = toResult(answerProblem(problem('internal_error')));
      });
    return orSmoke(trySmoke, handler as unknown as Handler);
  };
