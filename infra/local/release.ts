/** Gives back the messages that a crashed house had received. */
import {
  DeleteMessageCommand,
  type MessageAttributeValue,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Fauxqs } from './fauxqs.ts';
import { allQueueNames, queueUrl } from './queues.ts';

type Inspected = NonNullable<ReturnType<Fauxqs['inspectQueue']>>;
type Inflight = Inspected['messages']['inflight'][number];

const toAttributes = ({ message }: Inflight): Record<string, MessageAttributeValue> =>
  Object.fromEntries(
    Object.entries(message.messageAttributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      {
        DataType,
        ...(StringValue !== undefined && { StringValue }),
        ...(BinaryValue !== undefined && { BinaryValue: Buffer.from(BinaryValue, 'base64') }),
      },
    ]),
  );

/** First the copy, then the original: a crash between the two leaves one message too many, never one too few. */
const releaseOne = async (sqs: SQSClient, QueueUrl: string, inflight: Inflight): Promise<void> => {
  const { message, receiptHandle } = inflight;
  const MessageAttributes = toAttributes(inflight);
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: message.body, MessageAttributes }));
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receiptHandle }));
};

/**
 * Replaces every message in flight by a fresh copy and returns how many there were. Only for a time when
 * nobody receives. (Visibility 0 would be the natural way, but fauxqs 2.4.1 with persistence loses the message
 * until its next start.)
 */
export const releaseInFlight = async (fauxqs: Fauxqs, sqs: SQSClient): Promise<number> => {
  let released = 0;
  for (const name of allQueueNames())
    for (const inflight of fauxqs.inspectQueue(name)?.messages.inflight ?? []) {
      await releaseOne(sqs, queueUrl(fauxqs.url, name), inflight);
      released += 1;
    }
  return released;
};
