/** A message that crashed its step comes back soon. At its last delivery the step gives it up. */
import { computeCrashRetrySeconds, type QueueName, queues } from '../../model/deployment.ts';
import { findErrorCode } from '../../model/error-code.ts';
import type { FunctionConnection } from '../handler.ts';
import { countReceives, handleFailures, type QueueMiddleware } from './partial-batch-failures.ts';

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** @param giveUp records that SQS moves the message (parsed JSON) to the dead-letter queue */
export const crashedMessages = (
  name: QueueName,
  { services, returnMessage }: FunctionConnection,
  giveUp: (message: unknown) => Promise<void>,
): QueueMiddleware =>
  handleFailures(services.log, async (record, error) => {
    const { messageId: message_id, receiptHandle } = record;
    const receive_count = countReceives(record);
    services.log('error', 'record_crashed', {
      message_id,
      receive_count,
      // guard: crash-log-has-no-body
      // guard: crash-log-has-no-error-text
      error: findErrorCode(error),
    });
    if (receive_count >= queues[name].maxReceiveCount) await giveUp(parse(record.body));
    await returnMessage(name, receiptHandle, computeCrashRetrySeconds(name, receive_count));
    return { status: 'returned' };
  });
