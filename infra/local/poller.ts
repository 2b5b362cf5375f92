/** Brings a queue's messages to a function, as Lambda's SQS event source does. */
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSEvent, SQSMessageAttributes, SQSRecord } from 'aws-lambda';
import type { QueueShape } from '../../lib/model/deployment.ts';
import { failedIds } from './batch-response.ts';
import { asError, type Handler, invoke, REGION } from './invocation.ts';

export interface PollerOptions {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly shape: QueueShape;
  readonly functionName: string;
  readonly timeoutSeconds: number;
  readonly handler: Handler<SQSEvent>;
  /** Hears of batches that failed as a whole and of SQS itself failing. */
  readonly onError?: (error: Error) => void;
}

export interface Poller {
  /** Receives no more and waits for the invocations under way. */
  stop(): Promise<void>;
}

const MAX_RECEIVE = 10;
/**
 * Between looks at an empty queue. A long poll that is aborted may still take messages with it, and one that is
 * not holds up the stop; a short pause does neither.
 */
const IDLE_PAUSE_MS = 100;
const HANG_MS = 2_000;
const PAUSE_AFTER_ERROR_MS = 1_000;

const toAttributes = (attributes: Message['MessageAttributes'] = {}): SQSMessageAttributes =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      {
        ...(StringValue !== undefined && { stringValue: StringValue }),
        ...(BinaryValue !== undefined && { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
        stringListValues: [],
        binaryListValues: [],
        dataType: DataType ?? 'String',
      },
    ]),
  );

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
  messageAttributes: toAttributes(message.MessageAttributes),
  ...(message.MD5OfMessageAttributes && { md5OfMessageAttributes: message.MD5OfMessageAttributes }),
  md5OfBody: message.MD5OfBody ?? '',
  eventSource: 'aws:sqs',
  eventSourceARN: queueArn,
  awsRegion: REGION,
});

const receive = async (options: PollerOptions, signal: AbortSignal): Promise<readonly SQSRecord[]> => {
  const { sqs, queueUrl, queueArn, shape } = options;
  const command = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: Math.min(shape.batchSize, MAX_RECEIVE),
    WaitTimeSeconds: 0,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
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

/** Runs the function on one batch and deletes what it has done; the rest comes back by itself. */
const deliver = async (options: PollerOptions, records: readonly SQSRecord[]): Promise<void> => {
  const { functionName, handler, timeoutSeconds } = options;
  const answer = await invoke({ functionName, handler, timeoutSeconds, event: { Records: [...records] } });
  const failed = failedIds(
    answer,
    records.map(({ messageId }) => messageId),
  );
  await remove(
    options,
    records.filter(({ messageId }) => !failed.has(messageId)),
  );
};

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });

/** Starts to poll: up to `shape.maxConcurrency` invocations at once, each with up to `shape.batchSize` messages. */
export const startPoller = (options: PollerOptions): Poller => {
  const { shape, onError } = options;
  const stopping = new AbortController();
  const hanging = new AbortController();
  const running = new Set<Promise<void>>();

  const start = (records: readonly SQSRecord[]) => {
    const run: Promise<void> = deliver(options, records)
      .catch((error) => onError?.(asError(error)))
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
      onError?.(asError(error));
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
    stop: async () => {
      stopping.abort();
      const timer = setTimeout(() => hanging.abort(), HANG_MS);
      await polling;
      clearTimeout(timer);
    },
  };
};
