import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { type Fauxqs, startLocalFauxqs } from '../../../infra/local/fauxqs.ts';
import type { Handler } from '../../../infra/local/invocation.ts';
import { readFailedIds, startPoller } from '../../../infra/local/poller.ts';
import { createQueueArn, createQueueUrl } from '../../../infra/local/queues.ts';
import type { QueueShape } from '../../../lib/model/deployment.ts';
import { eventually } from './helpers.ts';

let fauxqs: Fauxqs;
let sqs: SQSClient;
let count = 0;

beforeAll(async () => {
  fauxqs = await startLocalFauxqs();
  sqs = new SQSClient(clientConfig(fauxqs.url));
});
afterAll(async () => {
  sqs.destroy();
  await fauxqs.stop();
});

const plain: QueueShape = {
  batchSize: 10,
  maxConcurrency: 2,
  visibilityTimeoutSeconds: 1,
  maxReceiveCount: 3,
  retentionSeconds: 3_600,
};

interface Options {
  readonly shape?: Partial<QueueShape>;
  readonly timeoutSeconds?: number;
  readonly bodies: readonly string[];
}

/** Creates a queue with these messages, and starts a poller with this handler. */
const drain = async (handler: Handler<SQSEvent>, { shape = {}, timeoutSeconds = 5, bodies }: Options) => {
  count += 1;
  const name = `work-${count}`;
  const dead = `${name}-dead`;
  const full = { ...plain, ...shape };
  fauxqs.createQueue(dead);
  const redrive = { deadLetterTargetArn: createQueueArn(dead), maxReceiveCount: full.maxReceiveCount };
  fauxqs.createQueue(name, {
    attributes: {
      VisibilityTimeout: String(full.visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify(redrive),
    },
  });
  const QueueUrl = createQueueUrl(fauxqs.url, name);
  for (const MessageBody of bodies) await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
  const errors: Error[] = [];
  const poller = startPoller({
    sqs,
    queueUrl: QueueUrl,
    queueArn: createQueueArn(name),
    shape: full,
    functionName: 'work',
    timeoutSeconds,
    handler,
    onError: (error) => errors.push(error),
  });
  onTestFinished(() => poller.stop());
  const listBodies = (queue: string) => fauxqs.inspectQueue(queue)?.messages.ready.map(({ body }) => body);
  return {
    name,
    url: QueueUrl,
    errors,
    poller,
    inFlight: () => fauxqs.inspectQueue(name)?.messages.inflight.map(({ message }) => message.body),
    deadBodies: () => listBodies(dead),
    isEmpty: async () => {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      );
      expect(Attributes).toMatchObject({
        ApproximateNumberOfMessages: '0',
        ApproximateNumberOfMessagesNotVisible: '0',
      });
    },
  };
};

const numbers = (length: number) => Array.from({ length }, (_, index) => String(index));

/** A batch response in which the messages with these bodies failed. */
const failing = (records: readonly SQSRecord[], bodies: readonly string[]) => ({
  batchItemFailures: records
    .filter(({ body }) => bodies.includes(body))
    .map(({ messageId }) => ({ itemIdentifier: messageId })),
});

test('the poller delivers every message once, in batches of at most the given size, and deletes them', async () => {
  const batches: string[][] = [];
  const queue = await drain(
    async ({ Records }) => {
      batches.push(Records.map(({ body }) => body));
    },
    { shape: { batchSize: 4 }, bodies: numbers(10) },
  );
  await eventually(queue.isEmpty);
  expect(batches.flat().toSorted()).toEqual(numbers(10));
  expect(Math.max(...batches.map((batch) => batch.length))).toBe(4);
  expect(queue.errors).toEqual([]);
});

test('the poller gives a function records and a context as Lambda does', async () => {
  const received: { event: SQSEvent; remaining: number; name: string; id: string }[] = [];
  const queue = await drain(
    async (event, context) => {
      const { functionName: name, awsRequestId: id } = context;
      received.push({ event, remaining: context.getRemainingTimeInMillis(), name, id });
    },
    { bodies: [] },
  );
  await sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'hello' }));
  await eventually(() => expect(received).toHaveLength(1));
  expect(received[0]).toMatchObject({ name: 'work', id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect(received[0]?.remaining).toBeGreaterThan(4_000);
  expect(received[0]?.remaining).toBeLessThanOrEqual(5_000);
  expect(received[0]?.event.Records).toEqual([
    {
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiptHandle: expect.stringMatching(/./),
      body: 'hello',
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        SenderId: expect.stringMatching(/./),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
      },
      messageAttributes: {},
      md5OfBody: '5d41402abc4b2a76b9719d911017c592',
      eventSource: 'aws:sqs',
      eventSourceARN: createQueueArn(queue.name),
      awsRegion: 'us-east-1',
    },
  ]);
});

test('the poller runs as many invocations at once as allowed, and no more', async () => {
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const queue = await drain(
    async () => {
      running += 1;
      most = Math.max(most, running);
      if (running === 3) gate.resolve();
      await gate.promise;
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    },
    { shape: { batchSize: 1, maxConcurrency: 3 }, bodies: numbers(12) },
  );
  await eventually(queue.isEmpty);
  expect(most).toBe(3);
});

test('only the failed messages of a batch come back', async () => {
  const counts: Record<string, number> = {};
  const queue = await drain(
    async ({ Records }) => {
      for (const { body } of Records) counts[body] = (counts[body] ?? 0) + 1;
      const first = Records.filter(({ attributes }) => attributes.ApproximateReceiveCount === '1');
      return failing(first, ['1']);
    },
    { bodies: numbers(3) },
  );
  await eventually(() => expect(queue.inFlight()).toEqual(['1']));
  await eventually(queue.isEmpty);
  expect(counts).toEqual({ 0: 1, 1: 2, 2: 1 });
  expect(queue.errors).toEqual([]);
});

test('after a crash the whole batch comes back, and after its last delivery it is in the dead-letter queue', async () => {
  const deliveries: (string | undefined)[] = [];
  const queue = await drain(
    async ({ Records }) => {
      for (const { attributes } of Records) deliveries.push(attributes.ApproximateReceiveCount);
      throw new Error('crash');
    },
    { shape: { maxReceiveCount: 2 }, bodies: ['poison'] },
  );
  await eventually(() => expect(queue.deadBodies()).toEqual(['poison']));
  expect(deliveries).toEqual(['1', '2']);
  expect(queue.errors.map(({ message }) => message)).toEqual(['crash', 'crash']);
});

test.each([
  [
    'throws before it awaits',
    (() => {
      throw new Error('at once');
    }) as Handler<SQSEvent>,
    'at once',
  ],
  ['answers something else', async () => ['not a batch response'], 'not a batch response'],
  ['names no message', async () => ({ batchItemFailures: [{ itemIdentifier: '' }] }), 'not a batch response'],
  [
    'names an unknown message',
    async () => ({ batchItemFailures: [{ itemIdentifier: 'x' }] }),
    'not in the batch',
  ],
])('a batch fails as a whole when the function %s', async (_what, handler, message) => {
  const queue = await drain(handler, { shape: { visibilityTimeoutSeconds: 60 }, bodies: numbers(2) });
  await eventually(() => expect(queue.errors.length).toBeGreaterThan(0));
  expect(queue.errors[0]?.message).toContain(message);
  await eventually(() => expect(queue.inFlight()?.toSorted()).toEqual(numbers(2)));
});

test('a batch that times out fails, and the next one can run', async () => {
  const finished: string[] = [];
  const late = Promise.withResolvers<void>();
  const queue = await drain(
    async ({ Records }) => {
      for (const { body } of Records) {
        if (body === 'slow') await late.promise;
        finished.push(body);
      }
    },
    {
      shape: { batchSize: 1, maxConcurrency: 1, visibilityTimeoutSeconds: 60 },
      timeoutSeconds: 0.05,
      bodies: ['slow', 'quick'],
    },
  );
  await eventually(() => expect(finished).toEqual(['quick']));
  expect(queue.errors.map(({ name }) => name)).toEqual(['InvocationTimeout']);
  late.resolve();
  await eventually(() => expect(finished).toEqual(['quick', 'slow']));
  expect(queue.inFlight()).toEqual(['slow']);
});

test('stop waits for the running batch and deletes it, and the poller receives no more', async () => {
  const gate = Promise.withResolvers<void>();
  const received: string[] = [];
  const queue = await drain(
    async ({ Records }) => {
      received.push(...Records.map(({ body }) => body));
      await gate.promise;
    },
    { shape: { maxConcurrency: 1 }, bodies: ['one'] },
  );
  await eventually(() => expect(received).toEqual(['one']));
  const stopping = queue.poller.stop();
  await sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'two' }));
  gate.resolve();
  await stopping;
  expect(received).toEqual(['one']);
  expect(queue.inFlight()).toEqual([]);
  expect(fauxqs.inspectQueue(queue.name)?.messages.ready.map(({ body }) => body)).toEqual(['two']);
});

test('an idle poller stops promptly', async () => {
  const queue = await drain(async () => undefined, { bodies: [] });
  const start = performance.now();
  await queue.poller.stop();
  expect(performance.now() - start).toBeLessThan(500);
});

test('the poller continues after SQS could not be reached for some time', async () => {
  const errors: Error[] = [];
  const disconnected = new SQSClient({ ...clientConfig('http://127.0.0.1:1'), maxAttempts: 1 });
  onTestFinished(() => disconnected.destroy());
  const poller = startPoller({
    sqs: disconnected,
    queueUrl: createQueueUrl('http://127.0.0.1:1', 'none'),
    queueArn: createQueueArn('none'),
    shape: plain,
    functionName: 'work',
    timeoutSeconds: 1,
    handler: async () => undefined,
    onError: (error) => errors.push(error),
  });
  await eventually(() => expect(errors.length).toBeGreaterThan(1));
  await poller.stop();
});

describe('readFailedIds', () => {
  test.each([[undefined], [null], [{}], [{ batchItemFailures: null }], [{ batchItemFailures: [] }]])(
    'the answer %j means that no message failed',
    (answer) => expect(readFailedIds(answer, ['a'])).toEqual(new Set()),
  );
  test.each([
    ['text'],
    [[]],
    [{ batchItemFailures: 'a' }],
    [{ batchItemFailures: [{}] }],
    [{ batchItemFailures: [{ itemIdentifier: null }] }],
    [{ batchItemFailures: [{ itemIdentifier: 'b' }] }],
  ])('the answer %j fails the whole batch', (answer) => expect(() => readFailedIds(answer, ['a'])).toThrow());
});
