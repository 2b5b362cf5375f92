/** Messages between the steps, over SQS. */
import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { QueueName } from '../model/deployment.ts';
import type { Message, Queues } from '../model/ports.ts';
import { pauseAfter } from './throttling.ts';

const SEND_MAX = 10;

export interface QueuesOptions {
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

export const createQueues = ({ client, urls }: QueuesOptions): Queues => {
  /** SQS answers 200 even when entries failed. Those are sent again; entries that go on failing are an error. */
  const sendBatch = async (QueueUrl: string, messages: readonly Message[]) => {
    let entries = messages.map(toEntry);
    for (let attempt = 0; ; attempt += 1) {
      const { Failed } = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries }));
      const failed = new Set((Failed ?? []).map((entry) => entry.Id));
      // guard: failed-entries-are-sent-again
      entries = entries.filter((entry) => failed.has(entry.Id));
      if (entries.length === 0) return;
      await pauseAfter(attempt, `SQS refused ${entries.length} of ${messages.length} messages`);
    }
  };

  return {
    send: async (queue, messages) => {
      for (let start = 0; start < messages.length; start += SEND_MAX) {
        await sendBatch(urls[queue], messages.slice(start, start + SEND_MAX));
      }
    },
  };
};
