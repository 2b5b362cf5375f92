/**
 * Nothing is wrong with a message that failed because AWS is unavailable: it comes back after a pause that grows, and a
 * new message takes its place before SQS gives it up. It never goes to the dead-letter queue.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSRecord } from 'aws-lambda';
import { isDenied } from '../../aws/unavailable.ts';
import { computeUnavailablePauseSeconds, isReplacedAfter, type QueueName } from '../../model/deployment.ts';
import { findErrorCode } from '../../model/error-code.ts';
import type { FunctionConnection } from '../handler.ts';
import type { ContextWithDeadline } from './deadline.ts';
import {
  countReceives,
  handleFailures,
  type MessageResult,
  type QueueMiddleware,
} from './partial-batch-failures.ts';

/** Between two tries to give a message back while SQS is unavailable too. */
const TRY_AGAIN_MS = 2_000;

export const unavailableMessages = (name: QueueName, connection: FunctionConnection): QueueMiddleware => {
  const { services, returnMessage, isUnavailable } = connection;

  /** SQS hides a message that is not given back for the whole visibility timeout: try until the invocation ends. */
  const tryUntil = async ({ startedMs, deadlineMs }: ContextWithDeadline, call: () => Promise<void>) => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const mayTryAgain = services.now() + TRY_AGAIN_MS < deadlineMs;
        if (!mayTryAgain || !isUnavailable(error, startedMs)) throw error;
        await sleep(TRY_AGAIN_MS);
      }
    }
  };

  const sendAgain = async ({ body, attributes }: SQSRecord, delaySeconds: number) => {
    const { MessageGroupId: batch_id } = attributes;
    const message = { body: JSON.parse(body), delaySeconds };
    await services.queues.send(name, [{ ...message, ...(batch_id !== undefined && { batch_id }) }]);
  };

  const handle = async (
    record: SQSRecord,
    error: unknown,
    context: ContextWithDeadline,
  ): Promise<MessageResult> => {
    const { messageId: message_id, receiptHandle } = record;
    const receive_count = countReceives(record);
    const code = isDenied(error) ? 'aws_denied' : 'aws_unavailable';
    services.log('warn', code, { message_id, receive_count, error: findErrorCode(error) });
    const pauseSeconds = computeUnavailablePauseSeconds(name, receive_count);
    if (isReplacedAfter(name, receive_count)) {
      await tryUntil(context, () => sendAgain(record, pauseSeconds));
      return { status: 'done' };
    }
    await tryUntil(context, () => returnMessage(name, receiptHandle, pauseSeconds));
    return { status: 'returned' };
  };

  return handleFailures(services.log, (record, error, context) =>
    isUnavailable(error, context.startedMs) ? handle(record, error, context) : undefined,
  );
};
