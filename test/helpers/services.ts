/**
 * Services for a step, as on AWS: the real SDK with the emulators, and the stand-in for Mixin. Tests call the steps
 * themselves; nothing polls the queues.
 */
import { randomUUID } from 'node:crypto';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { startEmulators } from '../../infra/local/emulators.ts';
import type { Batch } from '../../lib/model/batch.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { LogCode, LogFields } from '../../lib/model/log.ts';
import type { Message, Services } from '../../lib/model/ports.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';

export interface TestServices extends AsyncDisposable {
  readonly services: Services;
  readonly standIn: MixinStandIn;
  /** Every variable that lib/runtime/config.ts reads. */
  readonly environment: Environment;
}

/** Starts separate services, for a test that reads the whole table or all queues. */
export const openServices = async (): Promise<TestServices> => {
  const [standIn, emulators] = await Promise.all([startMixinStandIn({}), startEmulators()]);
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  return {
    services: connect(readConfig(environment), () => undefined).services,
    standIn,
    environment,
    [Symbol.asyncDispose]: async () => {
      await emulators.stop();
      await standIn.stop();
    },
  };
};

let shared: Promise<TestServices> | undefined;

/** Starts services once for all test files of a worker process. Each test uses its own bots and batches. */
export const startServices = (): Promise<TestServices> => {
  shared ??= openServices();
  return shared;
};

/** The time of recorded services. */
export const NOW = Date.parse('2026-11-21T12:00:00.000Z');

/** ISO time so many seconds after NOW. */
export const isoTime = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();

/** A bot of a new list, but for `more`. */
export const buildBot = (more: Partial<Bot> = {}): Bot => ({
  bot_id: randomUUID(),
  session_id: randomUUID(),
  batch_id: randomUUID(),
  line: 2,
  row_digest: 'digest',
  state: 'queued',
  state_since: isoTime(-60),
  revision: 1,
  attempts: 0,
  history: [{ at: isoTime(-60), state: 'queued', step: 'intake' }],
  ...more,
});

/** A batch of one row that is imported, but for `more`. */
export const buildBatch = (more: Partial<Batch> = {}): Batch => ({
  batch_id: randomUUID(),
  status: 'imported',
  created_at: isoTime(-600),
  total: 1,
  invalid: 0,
  duplicates: 0,
  chunks: 1,
  chunks_done: [1],
  ...more,
});

/** Services whose time is always NOW, with a record of messages, log lines and writes. */
export interface Recorder {
  readonly services: Services;
  /** Messages are recorded here and go to no queue. */
  readonly messages: { readonly queue: QueueName; readonly message: Message }[];
  readonly logLines: { readonly code: LogCode; readonly fields: LogFields }[];
  /** How often the step wrote to a bot's row. */
  readonly countUpdates: () => number;
}

/** @param rows bots and batches that the table has before the test begins */
export const recordServices = async (
  rows: { readonly bots?: readonly Bot[]; readonly batches?: readonly Batch[] } = {},
): Promise<Recorder> => {
  const { services } = await startServices();
  for (const bot of rows.bots ?? []) await services.table.createBot(bot);
  for (const batch of rows.batches ?? []) await services.table.createBatch(batch);
  const messages: Recorder['messages'] = [];
  const logLines: Recorder['logLines'] = [];
  let updates = 0;
  return {
    messages,
    logLines,
    countUpdates: () => updates,
    services: {
      ...services,
      table: {
        ...services.table,
        updateBot: (...args) => {
          updates += 1;
          return services.table.updateBot(...args);
        },
      },
      queues: {
        send: async (queue, list) => void messages.push(...list.map((message) => ({ queue, message }))),
      },
      log: (_level, code, fields = {}) => void logLines.push({ code, fields }),
      now: () => NOW,
    },
  };
};

/** A time limit for a step, so long that no test reaches it. */
export const deadline = (services: Services): number => services.now() + 30_000;

/** The same services some minutes later, when leases have run out. */
export const minutesLater = (services: Services, minutes: number): Services => ({
  ...services,
  now: () => Date.now() + minutes * 60_000,
});

/** Thrown where a test lets a worker die. */
export class Death extends Error {}

/** Waits for work that dies by Death, or that ends; any other error is thrown on. */
export const survive = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => {
    if (!(error instanceof Death)) throw error;
  });
