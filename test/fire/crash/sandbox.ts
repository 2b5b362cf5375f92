/**
 * All that one worker needs: emulators and a stand-in Mixin, proxies in front of them that count all calls together,
 * and a clock that can be moved on. Messages are taken out of the queues and wait here until they are due.
 */
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type MixinStandIn, startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { startEmulators } from '../../../infra/local/emulators.ts';
import { type QueueName, queueNames } from '../../../lib/model/deployment.ts';
import type { Message, Services } from '../../../lib/model/ports.ts';
import { type Environment, readConfig } from '../../../lib/runtime/config.ts';
import { connect } from '../../../lib/runtime/connect.ts';
import {
  type Answer,
  type Call,
  type Interceptor,
  type Outcome,
  type ServiceProxy,
  startProxy,
} from './proxy.ts';
import type { Task } from './steps.ts';
import type { Report } from './worker.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

/** A message that waits, and how often it crashed. */
export interface WaitingMessage {
  readonly queue: QueueName;
  readonly body: unknown;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly crashes: number;
}

/** What happens to the worker at its nth call. `held` delays the call until `pause` resolves. */
export type CrashPoint =
  | { readonly nth: number; readonly way: 'before' | 'unanswered' | 'answered' | 'lost' }
  | { readonly nth: number; readonly way: 'held'; readonly pause: () => Promise<void> };

export interface Run {
  readonly report: Report | 'killed';
  readonly calls: readonly Call[];
}

export interface Sandbox extends AsyncDisposable {
  readonly environment: Environment;
  readonly standIn: MixinStandIn;
  /** For this process, without the proxies. Their clock is the sandbox's, and their messages wait here. */
  readonly services: Services;
  /** Messages that wait. Those of the worker are included after `collect`. */
  readonly messages: WaitingMessage[];
  /** How far the sandbox's clock is ahead, in milliseconds. */
  aheadMs: number;
  /** Runs the task in a process of its own, and crashes it there. */
  run(task: Task, crash?: CrashPoint): Promise<Run>;
  /** Runs the task in two processes at once. */
  runTwice(task: Task): Promise<readonly Run['report'][]>;
  /** Moves what the worker has sent from the queues to `messages`. */
  collect(): Promise<void>;
}

const NOT_BEFORE = 'not_before';

/** So that no test waits for SQS: a delay becomes an attribute with the time at which the message is due. */
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

const startProxies = async (aws: Environment, mixinUrl: string, intercept: Interceptor) => {
  const to = (name: string) => aws[name] ?? '';
  const table = await startProxy('table', to('AWS_ENDPOINT_URL_DYNAMODB'), intercept);
  const vault = await startProxy('vault', to('AWS_ENDPOINT_URL_SECRETS_MANAGER'), intercept);
  const queues = await startProxy('queues', to('AWS_ENDPOINT_URL_SQS'), intercept, withoutDelays);
  const uploads = await startProxy('uploads', to('AWS_ENDPOINT_URL_S3'), intercept);
  const mixin = await startProxy('mixin', mixinUrl, intercept);
  return { table, vault, queues, uploads, mixin } satisfies Record<string, ServiceProxy>;
};

/** The same environment with the addresses of the proxies. */
const withProxies = (aws: Environment, proxies: Awaited<ReturnType<typeof startProxies>>): Environment => {
  const { table, vault, queues, uploads, mixin } = proxies;
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

const receive = async (sqs: SQSClient, queue: QueueName, QueueUrl: string): Promise<WaitingMessage[]> => {
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

/** Counts the calls of one run and applies the crash to one of them. After a kill no call gets through. */
const createInterceptor = () => {
  let calls: Call[] = [];
  let crash: CrashPoint | undefined;
  let kill = () => {};
  let isDead = false;
  const underWay = new Set<Promise<Answer>>();

  const die = () => {
    isDead = true;
    kill();
  };

  const applyCrash = async (by: CrashPoint, forward: () => Promise<Answer>): Promise<Outcome> => {
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

  const intercept: Interceptor = async (call, forward) => {
    if (isDead) return 'broken';
    calls.push(call);
    const tracked = () => {
      const effect = forward();
      underWay.add(effect);
      return effect.finally(() => underWay.delete(effect));
    };
    if (crash && calls.length === crash.nth) return applyCrash(crash, tracked);
    return { answer: await tracked() };
  };

  return {
    intercept,
    /** Starts the next run. */
    arm: (next: CrashPoint | undefined, killer: () => void) => {
      calls = [];
      crash = next;
      kill = killer;
      isDead = false;
    },
    calls: () => calls,
    /** Resolves when all calls under way have had their effect. */
    settled: () => Promise.allSettled([...underWay]),
  };
};

export const openSandbox = async (): Promise<Sandbox> => {
  await using opened = new AsyncDisposableStack();
  const standIn = await startMixinStandIn({});
  opened.defer(() => standIn.stop());
  const emulators = await startEmulators();
  opened.defer(() => emulators.stop());
  const { intercept, arm, calls, settled } = createInterceptor();
  const proxies = await startProxies(emulators.environment, standIn.url, intercept);
  for (const proxy of Object.values(proxies)) opened.defer(() => proxy.stop());
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  const config = readConfig(environment);
  const sqs = new SQSClient(clientConfig(config.aws.endpoints.sqs ?? ''));
  opened.defer(() => sqs.destroy());

  const workerEnvironment = withProxies(environment, proxies);
  let worker: WorkerProcess = startWorker(workerEnvironment);
  let other: WorkerProcess | undefined;
  opened.defer(() => worker.stop());
  opened.defer(() => other?.stop());

  const { services } = connect(config, () => undefined);
  const messages: WaitingMessage[] = [];
  const nowMs = () => Date.now() + sandbox.aheadMs;
  const post = async (queue: QueueName, posted: readonly Message[]) => {
    for (const { body, delaySeconds = 0 } of posted)
      messages.push({ queue, body, atMs: nowMs() + 1_000 * delaySeconds, crashes: 0 });
  };
  const running = opened.move();

  const sandbox: Sandbox = {
    environment,
    standIn,
    services: { ...services, now: nowMs, queues: { send: post } },
    messages,
    aheadMs: 0,
    run: async (task, crash) => {
      arm(crash, () => worker.kill());
      const report = await worker.run(task);
      await settled();
      const isKilled = crash !== undefined && !['lost', 'held'].includes(crash.way);
      if (isKilled) await worker.stop();
      if (isKilled) worker = startWorker(workerEnvironment);
      return { report, calls: calls() };
    },
    runTwice: async (task) => {
      arm(undefined, () => undefined);
      other ??= startWorker(workerEnvironment);
      const reports = await Promise.all([worker.run(task), other.run(task)]);
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
  return sandbox;
};
