/** Brings the messages of a queue to a function, as Lambda's SQS event source does. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import * as z from 'zod';
import type { QueueShape } from '../../lib/model/deployment.ts';
import { REGION } from './client-config.ts';
import { invoke, type LocalFunction, toError } from './invocation.ts';

export interface PollerOptions extends LocalFunction<SQSEvent> {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly shape: QueueShape;
  /** Called when a whole batch failed, and when SQS failed. */
  readonly onError?: (error: Error) => void;
}

/**
 * The pause after an empty answer, in place of a long poll: one that is aborted may still take messages, and one
 * that is not aborted delays the stop.
 */
const IDLE_PAUSE_MS = 100;
const STOP_GRACE_MS = 2_000;
const PAUSE_AFTER_ERROR_MS = 1_000;

const toRecord = (message: Message, queueArn: string): SQSRecord => ({
  messageId: message.MessageId ?? '',
  receiptHandle: message.ReceiptHandle ?? '',
  body: message.Body ?? '',
  attributes: {
    ApproximateReceiveCount: '1',
    SentTimestamp: '',
    SenderId: '',
    ApproximateFirstReceiveTimestamp: '',
    ...message.Attributes,
  },
  // Enlist sends none.
  messageAttributes: {},
  md5OfBody: message.MD5OfBody ?? '',
  eventSource: 'aws:sqs',
  eventSourceARN: queueArn,
  awsRegion: REGION,
});

const receive = async (options: PollerOptions, signal: AbortSignal): Promise<readonly SQSRecord[]> => {
  const { sqs, queueUrl, queueArn, shape } = options;
  const command = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: shape.batchSize,
    WaitTimeSeconds: 0,
    MessageSystemAttributeNames: ['All'],
  });
  const { Messages = [] } = await sqs.send(command, { abortSignal: signal });
  return Messages.map((message) => toRecord(message, queueArn));
};

const remove = async ({ sqs, queueUrl }: PollerOptions, records: readonly SQSRecord[]): Promise<void> => {
  if (records.length === 0) return;
  const { Failed = [] } = await sqs.send(
    new DeleteMessageBatchCommand({
      QueueUrl: queueUrl,
      Entries: records.map(({ receiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle: receiptHandle,
      })),
    }),
  );
  if (Failed.length > 0) throw new Error(`${Failed.length} messages were handled but could not be deleted`);
};

/** What a function answers for a batch of messages (ReportBatchItemFailures). */
const batchResponse = z.object({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish(),
});

/**
 * The ids of the messages that failed. Nothing, an empty object and an empty list mean that none failed. Throws
 * when the answer is malformed or names a message that was not in the batch: then the whole batch has failed
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
 */
export const readFailedIds = (answer: unknown, batch: readonly string[]): ReadonlySet<string> => {
  if (answer === undefined || answer === null) return new Set();
  const parsed = batchResponse.safeParse(answer);
  if (!parsed.success) throw new Error('the function answered something that is not a batch response');
  const failed = (parsed.data.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  if (failed.some((id) => !batch.includes(id)))
    throw new Error('the batch response names a message that was not in the batch');
  return new Set(failed);
};

/** Runs the function on one batch and deletes the messages that succeeded; SQS delivers the others again. */
const deliver = async (options: PollerOptions, records: readonly SQSRecord[]): Promise<void> => {
  const answer = await invoke(options, { Records: [...records] });
  const failed = readFailedIds(
    answer,
    records.map(({ messageId }) => messageId),
  );
  await remove(
    options,
    records.filter(({ messageId }) => !failed.has(messageId)),
  );
};

/** Ends early, without an error, when it is aborted. */
const pause = (delayMs: number, signal: AbortSignal): Promise<void> =>
  sleep(delayMs, undefined, { signal }).catch(() => undefined);

/** Starts to poll: up to `shape.maxConcurrency` invocations at once, each with up to `shape.batchSize` messages. */
export const startPoller = (options: PollerOptions) => {
  const { shape, onError } = options;
  const stopping = new AbortController();
  const hanging = new AbortController();
  const running = new Set<Promise<void>>();

  const start = (records: readonly SQSRecord[]) => {
    const run: Promise<void> = deliver(options, records)
      .catch((error) => onError?.(toError(error)))
      .finally(() => running.delete(run));
    running.add(run);
  };

  const receiveOnce = async () => {
    try {
      const records = await receive(options, hanging.signal);
      if (records.length > 0) start(records);
      else await pause(IDLE_PAUSE_MS, stopping.signal);
    } catch (error) {
      if (stopping.signal.aborted) return;
      onError?.(toError(error));
      await pause(PAUSE_AFTER_ERROR_MS, stopping.signal);
    }
  };

  const poll = async () => {
    while (!stopping.signal.aborted) {
      if (running.size >= shape.maxConcurrency) await Promise.race(running);
      else await receiveOnce();
    }
    await Promise.all(running);
  };
  const polling = poll();

  return {
    /** Receives no more messages and waits for the running invocations. */
    stop: async (): Promise<void> => {
      stopping.abort();
      const timer = setTimeout(() => hanging.abort(), STOP_GRACE_MS);
      await polling;
      clearTimeout(timer);
    },
  };
};
