/**
 * A world for one worker: emulators and a stand-in Mixin, doors before all of them with one common count of
 * calls, and a clock that can be moved on. Messages wait here, out of the queues, until their time has come.
 */
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type MixinStandIn, startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { startEmulators } from '../../../infra/local/emulators.ts';
import { type QueueName, queueNames } from '../../../lib/model/deployment.ts';
import type { Message, Services } from '../../../lib/model/ports.ts';
import { type Environment, readConfig } from '../../../lib/runtime/config.ts';
import { connect } from '../../../lib/runtime/connect.ts';
import { type Hand, startWorker } from './hand.ts';
import { type Answer, type Call, type Door, type Fate, type Gate, startDoor } from './proxy.ts';
import type { Task } from './steps.ts';
import type { Report } from './worker.ts';

/** A message on its way, and how often it crashed. */
export interface Waiting {
  readonly queue: QueueName;
  readonly body: unknown;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly crashes: number;
}

/** What strikes the worker at its nth call. `pause` holds the call back until it is done. */
export type Strike =
  | { readonly nth: number; readonly way: 'before' | 'unanswered' | 'answered' | 'lost' }
  | { readonly nth: number; readonly way: 'held'; readonly pause: () => Promise<void> };

export interface Run {
  readonly report: Report | 'killed';
  readonly calls: readonly Call[];
}

export interface Lane extends AsyncDisposable {
  readonly environment: Environment;
  readonly standIn: MixinStandIn;
  /** In this process, past the doors; their clock is the lane's, and their messages wait here. */
  readonly services: Services;
  /** Messages that wait, those of the worker included once they are collected. */
  readonly messages: Waiting[];
  /** How far the lane's clock is ahead, in milliseconds. */
  aheadMs: number;
  /** Runs the task in a process of its own, and strikes it. */
  run(task: Task, strike?: Strike): Promise<Run>;
  /** Runs the task in two processes at once. */
  runTwice(task: Task): Promise<readonly Run['report'][]>;
  /** Takes what the worker has sent out of the queues. */
  collect(): Promise<void>;
}

const NOT_BEFORE = 'not_before';

/** No test waits for SQS: a delay goes along as the time at which the message may come. */
const withoutDelays = (action: string, body: Buffer): Buffer => {
  if (action !== 'SendMessageBatch') return body;
  const { Entries, ...rest } = JSON.parse(body.toString('utf8'));
  const entries = Entries.map(({ DelaySeconds = 0, ...entry }: Record<string, unknown>) => ({
    ...entry,
    MessageAttributes: {
      [NOT_BEFORE]: { DataType: 'Number', StringValue: String(Date.now() + 1_000 * Number(DelaySeconds)) },
    },
  }));
  return Buffer.from(JSON.stringify({ ...rest, Entries: entries }));
};

const openDoors = async (aws: Environment, mixinUrl: string, gate: Gate) => {
  const to = (name: string) => aws[name] ?? '';
  const table = await startDoor('table', to('AWS_ENDPOINT_URL_DYNAMODB'), gate);
  const vault = await startDoor('vault', to('AWS_ENDPOINT_URL_SECRETS_MANAGER'), gate);
  const queues = await startDoor('queues', to('AWS_ENDPOINT_URL_SQS'), gate, withoutDelays);
  const uploads = await startDoor('uploads', to('AWS_ENDPOINT_URL_S3'), gate);
  const mixin = await startDoor('mixin', mixinUrl, gate);
  return { table, vault, queues, uploads, mixin } satisfies Record<string, Door>;
};

/** The same places, through the doors. */
const proxied = (aws: Environment, doors: Awaited<ReturnType<typeof openDoors>>): Environment => {
  const { table, vault, queues, uploads, mixin } = doors;
  const queueUrls = Object.entries(aws).flatMap(([name, url]) =>
    name.endsWith('_QUEUE_URL') && url ? [[name, queues.url + new URL(url).pathname]] : [],
  );
  return {
    ...aws,
    ...Object.fromEntries(queueUrls),
    AWS_ENDPOINT_URL_DYNAMODB: table.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: vault.url,
    AWS_ENDPOINT_URL_SQS: queues.url,
    AWS_ENDPOINT_URL_S3: uploads.url,
    MIXIN_URL: mixin.url,
  };
};

const receive = async (sqs: SQSClient, queue: QueueName, QueueUrl: string): Promise<Waiting[]> => {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 0,
      MessageAttributeNames: ['All'],
    }),
  );
  for (const { ReceiptHandle } of Messages)
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  return Messages.map(({ Body = '', MessageAttributes }) => ({
    queue,
    body: JSON.parse(Body),
    atMs: Number(MessageAttributes?.[NOT_BEFORE]?.StringValue),
    crashes: 0,
  }));
};

/** Counts the calls of one run and strikes at one of them. After a kill nothing more gets through. */
const createGate = () => {
  let calls: Call[] = [];
  let strike: Strike | undefined;
  let kill = () => {};
  let isDead = false;
  const underWay = new Set<Promise<Answer>>();

  const die = () => {
    isDead = true;
    kill();
  };

  const struck = async (by: Strike, forward: () => Promise<Answer>): Promise<Fate> => {
    if (by.way === 'before') {
      die();
      return 'broken';
    }
    if (by.way === 'held') await by.pause();
    const answer = await forward();
    if (by.way === 'held') return { answer };
    if (by.way === 'unanswered') die();
    if (by.way !== 'answered') return 'broken';
    isDead = true;
    return { answer, after: kill };
  };

  const gate: Gate = async (call, forward) => {
    if (isDead) return 'broken';
    calls.push(call);
    const tracked = () => {
      const effect = forward();
      underWay.add(effect);
      return effect.finally(() => underWay.delete(effect));
    };
    if (strike && calls.length === strike.nth) return struck(strike, tracked);
    return { answer: await tracked() };
  };

  return {
    gate,
    /** Begins anew. */
    arm: (next: Strike | undefined, killer: () => void) => {
      calls = [];
      strike = next;
      kill = killer;
      isDead = false;
    },
    calls: () => calls,
    /** Calls that were on the wire at the end have their effect. */
    settled: () => Promise.allSettled([...underWay]),
  };
};

export const openLane = async (): Promise<Lane> => {
  await using opened = new AsyncDisposableStack();
  const standIn = await startMixinStandIn({});
  opened.defer(() => standIn.stop());
  const emulators = await startEmulators();
  opened.defer(() => emulators.stop());
  const { gate, arm, calls, settled } = createGate();
  const doors = await openDoors(emulators.environment, standIn.url, gate);
  for (const door of Object.values(doors)) opened.defer(() => door.stop());
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  const config = readConfig(environment);
  const sqs = new SQSClient(clientConfig(config.aws.endpoints.sqs ?? ''));
  opened.defer(() => sqs.destroy());

  const workerEnvironment = proxied(environment, doors);
  let hand: Hand = startWorker(workerEnvironment);
  let other: Hand | undefined;
  opened.defer(() => hand.stop());
  opened.defer(() => other?.stop());

  const { services } = connect(config, () => undefined);
  const messages: Waiting[] = [];
  const nowMs = () => Date.now() + lane.aheadMs;
  const post = async (queue: QueueName, posted: readonly Message[]) => {
    for (const { body, delaySeconds = 0 } of posted)
      messages.push({ queue, body, atMs: nowMs() + 1_000 * delaySeconds, crashes: 0 });
  };
  const running = opened.move();

  const lane: Lane = {
    environment,
    standIn,
    services: { ...services, now: nowMs, queues: { send: post } },
    messages,
    aheadMs: 0,
    run: async (task, strike) => {
      arm(strike, () => hand.kill());
      const report = await hand.run(task);
      await settled();
      const isKilled = strike !== undefined && !['lost', 'held'].includes(strike.way);
      if (isKilled) await hand.stop();
      if (isKilled) hand = startWorker(workerEnvironment);
      return { report, calls: calls() };
    },
    runTwice: async (task) => {
      arm(undefined, () => undefined);
      other ??= startWorker(workerEnvironment);
      const reports = await Promise.all([hand.run(task), other.run(task)]);
      await settled();
      return reports;
    },
    collect: async () => {
      for (const queue of queueNames)
        for (;;) {
          const received = await receive(sqs, queue, config.queueUrls[queue]);
          if (received.length === 0) break;
          messages.push(...received);
        }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
  return lane;
};
