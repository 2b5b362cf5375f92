/** The topology's queues in the local SQS. */
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
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
import { ACCOUNT, REGION } from './invocation.ts';

/** Every queue there is, dead-letter queues included. */
export const allQueueNames = (): readonly string[] =>
  queueNames.flatMap((name) => [name, nameDeadLetterQueue(name)]);

/**
 * A queue's URL as fauxqs takes it. Its own URLs (http://sqs.us-east-1.localhost:…) need a resolver that knows
 * names under localhost; not every machine has one.
 */
export const queueUrl = (sqsUrl: string, name: string): string => `${sqsUrl}/${ACCOUNT}/${name}`;

export const queueArn = (name: string): string => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;

const workAttributes = (name: QueueName): Record<string, string> => ({
  VisibilityTimeout: String(queues[name].visibilityTimeoutSeconds),
  MessageRetentionPeriod: String(queues[name].retentionSeconds),
  RedrivePolicy: JSON.stringify({
    deadLetterTargetArn: queueArn(nameDeadLetterQueue(name)),
    maxReceiveCount: queues[name].maxReceiveCount,
  }),
});

const isThere = async (sqs: SQSClient, name: string): Promise<boolean> => {
  try {
    await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    return true;
  } catch (error) {
    if (error instanceof QueueDoesNotExist) return false;
    throw error;
  }
};

/** Makes the queue, or brings its settings up to date (CreateQueue refuses to change any). */
const ensureQueue = async (
  sqs: SQSClient,
  sqsUrl: string,
  name: string,
  Attributes: Record<string, string>,
): Promise<void> => {
  if (await isThere(sqs, name))
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl: queueUrl(sqsUrl, name), Attributes }));
  else await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }));
};

/** Makes every queue with its dead-letter queue. Messages that are there stay. */
export const ensureQueues = async (sqs: SQSClient, sqsUrl: string): Promise<void> => {
  for (const name of queueNames) {
    await ensureQueue(sqs, sqsUrl, nameDeadLetterQueue(name), {
      MessageRetentionPeriod: String(deadLetterRetentionSeconds),
    });
    await ensureQueue(sqs, sqsUrl, name, workAttributes(name));
  }
};
