/**
 * Answers SQS with the messages that failed, and with no others: those come back.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
import type { MiddlewareObj } from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { findErrorCode } from '../../model/error-code.ts';
import type { Log } from '../../model/log.ts';
import type { ContextWithDeadline } from './deadline.ts';

/** What became of one message. A `returned` one goes back to its queue, and everything else is done for it. */
export type MessageResult =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'returned' };

/** A middleware around a handler that answers with a result for each message, in the order of the event. */
export type QueueMiddleware<Response = readonly MessageResult[]> = MiddlewareObj<
  SQSEvent,
  Response,
  Error,
  ContextWithDeadline
>;

export const partialBatchFailures = (): QueueMiddleware<readonly MessageResult[] | SQSBatchResponse> => ({
  after: (request) => {
    const results = request.response as readonly MessageResult[];
    request.response = {
      batchItemFailures: request.event.Records.filter((_, i) => results[i]?.status !== 'done').map(
        ({ messageId }) => ({ itemIdentifier: messageId }),
      ),
    };
  },
});

/**
 * Lets `handle` deal with every message that failed; its answer replaces the result. Undefined leaves the message to
 * the next middleware. A message that cannot be dealt with is logged and returned.
 */
export const handleFailures = (
  log: Log,
  handle: (
    record: SQSRecord,
    error: unknown,
    context: ContextWithDeadline,
  ) => Promise<MessageResult> | undefined,
): QueueMiddleware => ({
  after: async (request) => {
    const { event, context, response } = request;
    const handleOne = async (result: MessageResult, i: number): Promise<MessageResult> => {
      const record = event.Records[i];
      if (result.status !== 'failed' || !record) return result;
      try {
        return (await handle(record, result.error, context)) ?? result;
      } catch (error) {
        log('error', 'record_crashed', { message_id: record.messageId, error: findErrorCode(error) });
        return { status: 'returned' };
      }
    };
    request.response = await Promise.all((response ?? []).map(handleOne));
  },
});

/** How often SQS has delivered the message, this time included. */
export const countReceives = ({ attributes }: SQSRecord): number =>
  Number(attributes.ApproximateReceiveCount);
