/** Messages between the steps, over SQS. */
import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { QueueName } from '../model/deployment.ts';
import type { Message, Queues } from '../model/ports.ts';
import { sendInParts } from './unavailable.ts';

const SEND_MAX = 10;

interface QueuesOptions {
  readonly client: SQSClient;
  readonly urls: Readonly<Record<QueueName, string>>;
}

const toEntry = (message: Message, index: number): SendMessageBatchRequestEntry => ({
  Id: String(index),
  MessageBody: JSON.stringify(message.body),
  // On a standard queue this asks for fairness among groups, not for an order.
  ...(message.batch_id !== undefined && { MessageGroupId: message.batch_id }),
  ...(message.delaySeconds !== undefined && { DelaySeconds: message.delaySeconds }),
});

export const createQueues = ({ client, urls }: QueuesOptions): Queues => ({
  send: (queue, messages) =>
    sendInParts(messages, SEND_MAX, async (part) => {
      const { Failed } = await client.send(
        new SendMessageBatchCommand({ QueueUrl: urls[queue], Entries: part.map(toEntry) }),
      );
      // SQS answers 200 even when entries failed.
      const failed = new Set((Failed ?? []).map((entry) => entry.Id));
      // guard: failed-entries-are-sent-again
      return part.filter((_, index) => failed.has(String(index)));
    }),
});
