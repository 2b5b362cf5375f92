/**
 * Messages that no step of Enlist sends. They may end in the dead-letter queue, but whichever queue they arrive in, none
 * may harm a bot or a batch.
 */
import { randomUUID } from 'node:crypto';
import type { Context, SQSBatchResponse } from 'aws-lambda';
import fc from 'fast-check';
import type { Batch } from '../../lib/model/batch.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { type QueueName, queueNames, queues } from '../../lib/model/deployment.ts';
import type { Services } from '../../lib/model/ports.ts';
import { states } from '../../lib/model/states.ts';
import type { Handler } from '../../lib/runtime/handler.ts';
import { byteDamage, CANARY, damageBytes, nastyValues } from './bad-lists.ts';

export interface BadMessage {
  readonly queue: QueueName;
  readonly body: string;
}

/** Rows and a list that must be the same at the end as at the start. */
export interface ControlRows {
  readonly bots: readonly Bot[];
  readonly batches: readonly Batch[];
  readonly list?: string | undefined;
}

const LIST = 'another-batch/list';

const aDay = 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString();

const createControlBot = (services: Services, state: Bot['state']): Bot => ({
  bot_id: randomUUID(),
  session_id: randomUUID(),
  batch_id: randomUUID(),
  line: 1,
  row_digest: 'x',
  state,
  state_since: iso(services.now()),
  // Not due, so that a valid message changes nothing either.
  wait_until: iso(services.now() + aDay),
  due_at: iso(services.now() + 2 * aDay),
  ...(state === 'registering' && {
    lease_owner: 'another worker',
    lease_until: iso(services.now() + 600_000),
  }),
  revision: 1,
  attempts: 0,
  history: [],
});

const createControlBatch = (services: Services, status: Batch['status'], chunks: number): Batch => ({
  batch_id: randomUUID(),
  status,
  created_at: iso(services.now()),
  total: 1,
  invalid: 0,
  duplicates: 0,
  chunks,
  chunks_done: [],
});

/** A bot in every state, and a batch in every status that waits for no message. */
export const createControlRows = async (services: Services): Promise<ControlRows> => {
  const bots = states.map((state) => createControlBot(services, state));
  const batches = [
    createControlBatch(services, 'planned', 2),
    createControlBatch(services, 'rejected', 0),
    createControlBatch(services, 'imported', 0),
  ];
  for (const bot of bots) await services.table.createBot(bot);
  for (const batch of batches) await services.table.createBatch(batch);
  await services.uploads.put(LIST, Buffer.from('[]'), 'application/json');
  return readControlRows(services, { bots, batches });
};

export const readControlRows = async (
  services: Services,
  { bots, batches }: ControlRows,
): Promise<ControlRows> => ({
  bots: await Promise.all(bots.map(async ({ bot_id }) => (await services.table.readBot(bot_id)) as Bot)),
  batches: await Promise.all(
    batches.map(async ({ batch_id }) => (await services.table.readBatch(batch_id)) as Batch),
  ),
  list: Buffer.from((await services.uploads.get(LIST))?.body ?? []).toString(),
});

const inboxEvent = (object: unknown) => ({ Records: [{ s3: { object } }] });
const anObject = { key: 'inbox/a.csv', size: 10, eTag: 'e', sequencer: 's' };

/** Texts that are not messages. */
const invalidTexts: readonly string[] = [
  ...[
    '',
    ' ',
    'null',
    'true',
    '1',
    '"x"',
    '[]',
    '{}',
    '{',
    '\0',
    '\ufeff{}',
    CANARY,
    `{"bot_id":"${CANARY}"}`,
  ],
  ...[
    '{"bot_id":null}',
    '{"bot_id":["x"]}',
    '{"batch_id":{}}',
    '{"__proto__":{"bot_id":"x"}}',
    '{"chunk":1}',
  ],
  '['.repeat(200_000),
  `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  `{"bot_id":"${CANARY.repeat(40_000)}"}`,
];

const invalidInboxEvents: readonly unknown[] = [
  { Records: [] },
  { Records: {} },
  { Records: [{}] },
  { Records: [{ s3: {} }, null] },
  { Event: 's3:TestEvent' },
  { Event: CANARY },
  inboxEvent({ ...anObject, key: LIST }),
  inboxEvent({ ...anObject, key: '%' }),
  inboxEvent({ ...anObject, key: 'inbox/%E0%A4%A' }),
  inboxEvent({ ...anObject, key: 'inbox/\ud800.csv' }),
  inboxEvent({ ...anObject, key: '' }),
  inboxEvent({ ...anObject, key: `inbox/../${CANARY}` }),
  inboxEvent({ ...anObject, key: 'a'.repeat(5_000) }),
  inboxEvent({ ...anObject, size: -1 }),
  inboxEvent({ ...anObject, size: '10' }),
  inboxEvent({ ...anObject, size: 1e308 }),
  inboxEvent({ ...anObject, eTag: null }),
  inboxEvent({ ...anObject, sequencer: 1 }),
];

/** Valid messages in the wrong queue, or about rows that do not exist. */
const misaddressed = ({ bots, batches }: ControlRows): readonly BadMessage[] => [
  ...bots.flatMap(({ bot_id }) =>
    (['intake', 'enroll', 'check', 'register'] as const).map((queue) => ({
      queue,
      body: JSON.stringify({ bot_id }),
    })),
  ),
  ...batches.flatMap(({ batch_id }) =>
    queueNames.flatMap((queue) =>
      [
        { batch_id },
        { batch_id, chunk: 1 },
        { batch_id, chunk: 99 },
        { batch_id, chunk: 2 ** 52 },
        { batch_id, chunk: 0 },
        { batch_id, chunk: '1' },
      ].map((message) => ({ queue, body: JSON.stringify(message) })),
    ),
  ),
  ...queueNames.flatMap((queue) => [
    { queue, body: JSON.stringify({ bot_id: randomUUID() }) },
    { queue, body: JSON.stringify({ batch_id: randomUUID() }) },
    { queue, body: JSON.stringify({ batch_id: randomUUID(), chunk: 1 }) },
  ]),
];

export const nastyMessages = (control: ControlRows): readonly BadMessage[] => [
  ...misaddressed(control),
  ...queueNames.flatMap((queue) =>
    [...invalidTexts, ...invalidInboxEvents.map((it) => JSON.stringify(it))].map((body) => ({ queue, body })),
  ),
];

/** A valid message with damaged fields or bytes. */
export const badMessage = (control: ControlRows): fc.Arbitrary<BadMessage> => {
  const { bots, batches } = control;
  const right = fc.oneof(
    fc.constantFrom(...bots).map(({ bot_id }) => ({ bot_id })),
    fc.constantFrom(...batches).map(({ batch_id }) => ({ batch_id, chunk: 1 })),
    fc.constant(inboxEvent(anObject)),
  ) as fc.Arbitrary<Record<string, unknown>>;
  const damaged = fc.tuple(right, fc.nat(3), fc.constantFrom(...nastyValues)).map(([message, at, value]) => {
    const names = [...Object.keys(message), '__proto__', 'constructor'];
    return JSON.stringify({ ...message, [names[at % names.length] ?? '']: value });
  });
  const broken = fc
    .tuple(right, byteDamage)
    .map(([message, damage]) => damageBytes(Buffer.from(JSON.stringify(message)), damage).toString());
  return fc.record({ queue: fc.constantFrom(...queueNames), body: fc.oneof(damaged, broken) });
};

const createRecord = (body: string, receiveCount: number) => ({
  messageId: randomUUID(),
  receiptHandle: 'none',
  body,
  attributes: { ApproximateReceiveCount: String(receiveCount) },
});

const context = { getRemainingTimeInMillis: () => 25_000 } as Context;

/** Delivers a message as often as SQS would, and says whether it then goes to the dead-letter queue. */
export const deliver = async (
  handlers: Readonly<Record<QueueName, Handler>>,
  { queue, body }: BadMessage,
): Promise<'done' | 'dead-letter queue'> => {
  // The first delivery and the last; those in the middle do not differ.
  for (const count of [1, queues[queue].maxReceiveCount]) {
    const Records = [createRecord(body, count)];
    const answer = (await handlers[queue]({ Records }, context)) as SQSBatchResponse;
    if (answer.batchItemFailures.length === 0) return 'done';
  }
  return 'dead-letter queue';
};
