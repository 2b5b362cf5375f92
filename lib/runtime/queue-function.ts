/** A step that takes one message becomes a handler of SQS batches. A step never sees an AWS event. */
import middy from '@middy/core';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import type { QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { type CreateHandler, connectFunction, type Handler } from './handler.ts';
import { crashedMessages } from './middlewares/crashed-messages.ts';
import { type ContextWithDeadline, createOutOfTime, deadline } from './middlewares/deadline.ts';
import { type MessageResult, partialBatchFailures } from './middlewares/partial-batch-failures.ts';
import { smokeTest } from './middlewares/smoke-test.ts';
import { unavailableMessages } from './middlewares/unavailable-messages.ts';
import { withTimeout } from './with-timeout.ts';

export interface QueueStep {
  /** Does the work of one message. `deadlineMs` is when it must end (milliseconds since 1970). */
  readonly handle: (services: Services, body: unknown, deadlineMs: number) => Promise<void>;
  /** Records that SQS moves the message to the dead-letter queue. `body` is undefined if it is not JSON. */
  readonly giveUp: (services: Services, body: unknown, step: QueueName) => Promise<void>;
}

/** `name` is that of the queue and of the function. Messages of one batch run side by side. */
export const queueFunction =
  (name: QueueName, { handle, giveUp }: QueueStep): CreateHandler =>
  (environment, write) => {
    const connection = connectFunction(name, environment, write);
    const { services } = connection;

    const handleRecord = async ({ body }: SQSRecord, deadlineMs: number): Promise<MessageResult> => {
      try {
        const work = handle(services, JSON.parse(body), deadlineMs);
        await withTimeout(work, deadlineMs - services.now(), createOutOfTime);
        return { status: 'done' };
      } catch (error) {
        return { status: 'failed', error };
      }
    };

    // What follows the handler runs from the last to the first.
    return middy(({ Records }: SQSEvent, { deadlineMs }: ContextWithDeadline) =>
      Promise.all(Records.map((record) => handleRecord(record, deadlineMs))),
    ).use([
      smokeTest(connection.runSmokeTest),
      deadline(services.now),
      partialBatchFailures(),
      crashedMessages(name, connection, (body) => giveUp(services, body, name)),
      // guard: unavailable-not-dead-lettered
      unavailableMessages(name, connection),
    ] as middy.MiddlewareObj[]) as unknown as Handler;
  };
