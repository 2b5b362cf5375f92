/** What every implementation of `Queues` must do. */
import { randomUUID } from 'node:crypto';
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { Message, Queues } from '../../lib/model/ports.ts';
import {
  type Backend,
  type Call,
  clientOptions,
  connectServices,
  type Fault,
  type StartBackend,
  startProxy,
} from './backend.ts';

interface SendBatch {
  readonly Entries: readonly { readonly Id: string; readonly MessageBody: string }[];
}

const messages = (count: number): Message[] =>
  Array.from({ length: count }, () => ({ body: { bot_id: randomUUID() } }));
const listIds = (list: readonly Message[]) => list.map(({ body }) => body.bot_id).sort();

/** Answers that these entries failed, and does not pass them on to the queue. */
const refuseEntries =
  (isRefused: (body: string) => boolean) =>
  ({ body }: Call): Fault => {
    const batch = JSON.parse(body.toString()) as SendBatch;
    const bad = batch.Entries.filter(({ MessageBody }) => isRefused(MessageBody));
    const Entries = batch.Entries.filter((entry) => !bad.includes(entry));
    const Failed = bad.map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError', Message: 'busy' }));
    if (Entries.length === 0) return { instead: Buffer.from(JSON.stringify({ Successful: [], Failed })) };
    return {
      body: Buffer.from(JSON.stringify({ ...batch, Entries })),
      answer: (answer) => Buffer.from(JSON.stringify({ ...JSON.parse(answer.toString()), Failed })),
    };
  };

/** @param start starts a backend with empty queues */
export const describeQueues = (name: string, start: StartBackend) => {
  describe(`queues: ${name}`, () => {
    let backend: Backend;
    let queues: Queues;
    let sqs: SQSClient;
    beforeAll(async () => {
      backend = await start();
      queues = connectServices(backend.environment).queues;
      sqs = new SQSClient(clientOptions(backend.environment, 'sqs'));
    });
    afterAll(async () => {
      sqs?.destroy();
      await backend?.stop();
    });

    const findQueueUrl = (queue: QueueName) => backend.environment[`ENLIST_${queue.toUpperCase()}_QUEUE_URL`];
    /** Receives all messages that are visible now: each test leaves the queues empty (SQS purges once a minute at most). */
    const receiveAll = async (queue: QueueName) => {
      const bodies: Record<string, unknown>[] = [];
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: findQueueUrl(queue),
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: backend.receiveWaitSeconds ?? 0,
          }),
        );
        if (Messages.length === 0) return bodies;
        bodies.push(...Messages.map(({ Body }) => JSON.parse(Body ?? '')));
        const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
        await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: findQueueUrl(queue), Entries }));
      }
    };
    const receiveIds = async (queue: QueueName) =>
      (await receiveAll(queue)).map(({ bot_id }) => bot_id).sort();

    test.each([0, 1, 10, 11, 35])('each of %i messages is received once', async (count) => {
      const list = messages(count);
      await queues.send('check', list);
      expect(await receiveIds('check')).toEqual(listIds(list));
    });

    test('a message is received from its own queue, as it was sent', async () => {
      const body = { batch_id: randomUUID(), chunk: 7 };
      await queues.send('intake', [{ body }]);
      expect(await receiveAll('check')).toEqual([]);
      expect(await receiveAll('register')).toEqual([]);
      expect(await receiveAll('intake')).toEqual([body]);
    });

    test('a delayed message does not delay the others', async () => {
      const [soon, late] = messages(2);
      if (!soon || !late) throw new Error('no messages');
      await queues.send('check', [
        { ...late, delaySeconds: 900 },
        { ...soon, delaySeconds: 0 },
      ]);
      expect(await receiveIds('check')).toEqual(listIds([soon]));
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: findQueueUrl('check'), AttributeNames: ['All'] }),
      );
      expect(Attributes?.ApproximateNumberOfMessagesDelayed).toBe('1');
    });

    const connectThroughProxy = async (chooseFault: (call: Call) => Fault | undefined, skip: () => void) => {
      const endpoint = backend.environment.AWS_ENDPOINT_URL_SQS;
      if (endpoint === undefined) throw skip();
      const proxy = await startProxy(endpoint, chooseFault);
      const toProxy = (url: string | undefined) => url?.replace(endpoint, proxy.url);
      const services = connectServices({
        ...backend.environment,
        AWS_ENDPOINT_URL_SQS: proxy.url,
        ENLIST_CHECK_QUEUE_URL: toProxy(findQueueUrl('check')),
      });
      return { queues: services.queues, proxy };
    };

    test('entries that failed in an answer with status 200 are sent again, and no others', async ({
      skip,
    }) => {
      const list = messages(10);
      const failing = new Set([2, 5, 9].map((i) => JSON.stringify(list[i]?.body)));
      const { queues: flaky, proxy } = await connectThroughProxy(
        refuseEntries((body) => failing.delete(body)),
        skip,
      );
      await flaky.send('check', list);
      expect(proxy.actions).toEqual(['SendMessageBatch', 'SendMessageBatch']);
      expect(await receiveIds('check')).toEqual(listIds(list));
    });

    test('messages that SQS refuses again and again are an error with their number, and the others are received', async ({
      skip,
    }) => {
      const list = messages(10);
      const refusedBodies = new Set([4, 6].map((i) => JSON.stringify(list[i]?.body)));
      const { queues: flaky, proxy } = await connectThroughProxy(
        refuseEntries((body) => refusedBodies.has(body)),
        skip,
      );
      await expect(flaky.send('check', list)).rejects.toThrow('2 of 10');
      expect(proxy.actions.length).toBeGreaterThan(1);
      expect(await receiveIds('check')).toEqual(
        listIds(list.filter(({ body }) => !refusedBodies.has(JSON.stringify(body)))),
      );
    });

    test('a queue that does not exist is an error', async () => {
      const lost = connectServices({
        ...backend.environment,
        ENLIST_CHECK_QUEUE_URL: `${findQueueUrl('check')}-lost`,
      });
      await expect(lost.queues.send('check', messages(1))).rejects.toThrow();
    });
  });
};
