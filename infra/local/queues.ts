/** The queues of the deployment, in the local SQS. */
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import {
  deadLetterRetentionSeconds,
  nameDeadLetterQueue,
  type QueueName,
  queueNames,
  queues,
} from '../../lib/model/deployment.ts';
import { ACCOUNT, REGION } from './client-config.ts';
import type { Fauxqs } from './fauxqs.ts';

/**
 * A queue's URL as fauxqs takes it. Its own URLs (http://sqs.us-east-1.localhost:…) need a resolver that knows
 * names under localhost, which not every machine has.
 */
export const createQueueUrl = (sqsUrl: string, name: string): string => `${sqsUrl}/${ACCOUNT}/${name}`;

export const createQueueArn = (name: string): string => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;

const describeQueue = (name: QueueName): Record<string, string> => ({
  VisibilityTimeout: String(queues[name].visibilityTimeoutSeconds),
  MessageRetentionPeriod: String(queues[name].retentionSeconds),
  RedrivePolicy: JSON.stringify({
    deadLetterTargetArn: createQueueArn(nameDeadLetterQueue(name)),
    maxReceiveCount: queues[name].maxReceiveCount,
  }),
});

/** Creates the queue where there is none, and sets its attributes (CreateQueue refuses to change any). */
const ensureQueue = async (
  sqs: SQSClient,
  sqsUrl: string,
  name: string,
  Attributes: Record<string, string>,
): Promise<void> => {
  await sqs.send(new CreateQueueCommand({ QueueName: name }));
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: createQueueUrl(sqsUrl, name), Attributes }));
};

/** Creates every queue with its dead-letter queue. Messages in existing queues stay. */
export const ensureQueues = async (sqs: SQSClient, sqsUrl: string): Promise<void> => {
  for (const name of queueNames) {
    await ensureQueue(sqs, sqsUrl, nameDeadLetterQueue(name), {
      MessageRetentionPeriod: String(deadLetterRetentionSeconds),
    });
    await ensureQueue(sqs, sqsUrl, name, describeQueue(name));
  }
};

type QueueInspection = NonNullable<ReturnType<Fauxqs['inspectQueue']>>;
type InflightMessage = QueueInspection['messages']['inflight'][number];

/** First the copy, then the original: a crash between the two leaves one message too many, never one too few. */
const releaseOne = async (
  sqs: SQSClient,
  QueueUrl: string,
  { message, receiptHandle }: InflightMessage,
): Promise<void> => {
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: message.body }));
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receiptHandle }));
};

/**
 * Replaces every message that a crashed process had received by a new copy, and returns how many there were. Call it
 * only while nothing receives. (Visibility 0 would be the natural way, but fauxqs 2.4.1 with persistence loses the
 * message until its next start.)
 */
export const releaseInFlight = async (fauxqs: Fauxqs, sqs: SQSClient): Promise<number> => {
  let released = 0;
  for (const name of queueNames.flatMap((queue) => [queue, nameDeadLetterQueue(queue)]))
    for (const inflight of fauxqs.inspectQueue(name)?.messages.inflight ?? []) {
      await releaseOne(sqs, createQueueUrl(fauxqs.url, name), inflight);
      released += 1;
    }
  return released;
};
