/**
 * Nothing is wrong with a message that AWS throttled: it comes back soon, and after its last delivery a new message
 * takes its place. It never goes to the dead-letter queue.
 */
import type { SQSRecord } from 'aws-lambda';
import {
  computeCrashRetrySeconds,
  type QueueName,
  queues,
  throttledPauseSeconds,
} from '../../model/deployment.ts';
import { findErrorCode } from '../../model/error-code.ts';
import type { FunctionConnection } from '../handler.ts';
import {
  countReceives,
  handleFailures,
  type MessageResult,
  type QueueMiddleware,
} from './partial-batch-failures.ts';

export const throttledMessages = (name: QueueName, connection: FunctionConnection): QueueMiddleware => {
  const { services, returnMessage, isThrottled } = connection;

  const sendAgain = async ({ body, attributes }: SQSRecord) => {
    const { MessageGroupId: batch_id } = attributes;
    const message = { body: JSON.parse(body), delaySeconds: throttledPauseSeconds };
    await services.queues.send(name, [{ ...message, ...(batch_id !== undefined && { batch_id }) }]);
  };

  const handle = async (record: SQSRecord, error: unknown): Promise<MessageResult> => {
    const { messageId: message_id, receiptHandle } = record;
    const receive_count = countReceives(record);
    services.log('warn', 'record_throttled', { message_id, receive_count, error: findErrorCode(error) });
    if (receive_count >= queues[name].maxReceiveCount) {
      await sendAgain(record);
      return { status: 'done' };
    }
    await returnMessage(name, receiptHandle, computeCrashRetrySeconds(name, receive_count));
    return { status: 'returned' };
  };

  return handleFailures(services.log, (record, error, { startedMs }) =>
    isThrottled(error, startedMs) ? handle(record, error) : undefined,
  );
};
