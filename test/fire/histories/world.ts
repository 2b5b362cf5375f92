/**
 * The world of one history: a table, secrets and a Mixin of its own, the real steps over the real AWS SDK, and a
 * clock and queues that the history controls. All histories share one set of emulators.
 */
import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { type Fault, type MixinStandIn, startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { describeTable } from '../../../infra/local/dynamodb.ts';
import { startEmulators } from '../../../infra/local/emulators.ts';
import { createTable, translateConfig } from '../../../lib/aws/table/table.ts';
import { createVault } from '../../../lib/aws/vault/vault.ts';
import { createMixinAccounts } from '../../../lib/mixin/accounts.ts';
import { createMixinClient } from '../../../lib/mixin/client.ts';
import { createMixinSafe } from '../../../lib/mixin/safe.ts';
import type { QueueName } from '../../../lib/model/deployment.ts';
import { mixin } from '../../../lib/model/mixin.ts';
import type { Keys, Message, Queues, Services, Uploads } from '../../../lib/model/ports.ts';
import { timing } from '../../../lib/model/timing.ts';
import { compression } from '../../../lib/runtime/compression.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import { connect } from '../../../lib/runtime/connect.ts';
import { type Actor, createActors, rsaPem } from './actors.ts';
import { type Clock, startClock } from './clock.ts';
import { createNetwork, type Network } from './network.ts';
import { createRandomSource, type RandomSource } from './random.ts';
import type { Scenario } from './scenario.ts';
import { countKeyWork } from './workers.ts';

/** The emulators that all histories share. */
export interface SharedEmulators extends AsyncDisposable {
  readonly table: DynamoDBDocumentClient;
  readonly secrets: SecretsManagerClient;
  readonly uploads: Uploads;
  readonly keys: Keys;
}

export const startSharedEmulators = async (): Promise<SharedEmulators> => {
  const emulators = await startEmulators();
  const config = readConfig({ ...emulators.environment, MIXIN_URL: 'http://127.0.0.1:1' });
  const { endpoints } = config.aws;
  const table = DynamoDBDocumentClient.from(
    new DynamoDBClient(clientConfig(endpoints.dynamodb ?? '')),
    translateConfig,
  );
  const secrets = new SecretsManagerClient(clientConfig(endpoints.secretsManager ?? ''));
  const { services } = connect(config, () => undefined);
  return {
    table,
    secrets,
    uploads: services.uploads,
    keys: { ...countKeyWork(services.keys), generateRsaKey: async () => rsaPem },
    [Symbol.asyncDispose]: async () => {
      table.destroy();
      secrets.destroy();
      await emulators.stop();
    },
  };
};

/** A message in a queue. */
export interface PendingMessage {
  readonly queue: QueueName;
  readonly body: Message['body'];
  /** It is not delivered before this time. */
  dueMs: number;
  receives: number;
}

/** A list as an operator uploaded it. */
export interface List {
  readonly key: string;
  readonly body: Uint8Array;
  /** The indexes of the actors in it. */
  readonly actors: readonly number[];
  /** From the API, if its answer arrived. */
  batch_id?: string;
}

export interface World extends AsyncDisposable {
  readonly shared: SharedEmulators;
  /** Seed of every random number in it. */
  readonly seed: number;
  /** The name of its table and the prefix of its secrets. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly network: Network;
  readonly standIn: MixinStandIn;
  readonly services: Services;
  readonly actors: readonly Actor[];
  readonly messages: PendingMessage[];
  readonly lists: List[];
  readonly faults: Fault[];
  /** Public keys of other programs. */
  readonly foreignKeys: Set<string>;
  /** Bots for which another program made PIN calls. */
  readonly usedByOthers: Set<string>;
  /** The names of network users that an operator agreed to pay again, once for each time. */
  readonly paysAgain: string[];
  /** How many network users an operator has accepted, by batch. */
  readonly acceptedUsers: Map<string, number>;
  /** Unexpected: steps that crashed, requests that failed. */
  readonly crashes: string[];
  /** Workers that are paused: `wake` lets one go on, `done` is its end. */
  readonly pausedWorkers: { wake(): void; readonly done: Promise<void> }[];
  /** Events and their details, printed when the history fails. */
  readonly notes: string[];
}

/** SQS accepts whole seconds up to 15 minutes. */
const checkDelay = (seconds: number) => {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 900)
    throw new RangeError(`SQS accepts no delay of ${seconds} seconds`);
};

const createQueues = (pending: PendingMessage[], clock: Clock): Queues => ({
  send: async (queue, messages) => {
    for (const { body, delaySeconds = 0 } of messages) {
      checkDelay(delaySeconds);
      pending.push({ queue, body, dueMs: clock.right() + delaySeconds * 1_000, receives: 0 });
    }
  },
});

/** The same history has the same ids each time, so its lists need a prefix. */
const withPrefix = (uploads: Uploads, prefix: string): Uploads => ({
  put: (key, body, type) => uploads.put(`${prefix}/${key}`, body, type),
  get: (key) => uploads.get(`${prefix}/${key}`),
  removeVersion: (key, version) => uploads.removeVersion(`${prefix}/${key}`, version),
  remove: (keys) => uploads.remove(keys.map((key) => `${prefix}/${key}`)),
  createForm: (form) => uploads.createForm(form),
});

const createMixin = (url: string, clock: Clock, random: RandomSource, network: Network) => {
  const client = createMixinClient({
    baseUrl: url,
    timeoutMs: mixin.timeoutMs,
    maxAnswerBytes: mixin.maxAnswerBytes,
    tokenLifetimeSeconds: mixin.tokenLifetimeSeconds,
    now: clock.now,
    randomId: randomUUID,
    fetch: network.fetch,
  });
  return {
    mixin: createMixinSafe(client, {
      now: clock.now,
      randomBytes: random.bytes,
      registrationSignature: 'shipped',
    }),
    accounts: createMixinAccounts(client),
  };
};

let worlds = 0;

export const createWorld = async (shared: SharedEmulators, { seed, roles }: Scenario): Promise<World> => {
  worlds += 1;
  const name = `history-${worlds}`;
  const { table: client, secrets, keys } = shared;
  const clock = startClock();
  const random = createRandomSource(seed);
  const network = createNetwork(clock);
  const messages: PendingMessage[] = [];
  const notes: string[] = [];
  await using resources = new AsyncDisposableStack();
  await client.send(new CreateTableCommand(describeTable(name)));
  resources.defer(async () => void (await client.send(new DeleteTableCommand({ TableName: name }))));
  const standIn = await startMixinStandIn({ now: clock.right, wait: async (delayMs) => clock.pass(delayMs) });
  resources.defer(() => standIn.stop());
  const services: Services = {
    compression,
    keys,
    table: createTable({ client, tableName: name, randomId: randomUUID }),
    vault: createVault({ client: secrets, prefix: name, keys }),
    queues: createQueues(messages, clock),
    uploads: withPrefix(shared.uploads, name),
    ...createMixin(standIn.url, clock, random, network),
    log: (_, code, { step, from, to, reason } = {}) => {
      if (code !== 'bot_moved') return;
      notes.push(`${step}: ${from} → ${to}${reason === undefined ? '' : ` (${reason})`}`);
    },
    auditSeconds: timing.auditSeconds,
    now: clock.now,
    randomBytes: random.bytes,
    randomId: random.uuid,
  };
  const actors = await createActors(standIn, roles, random);
  const running = resources.move();
  return {
    shared,
    seed,
    name,
    clock,
    random,
    network,
    standIn,
    services,
    actors,
    messages,
    lists: [],
    faults: [],
    foreignKeys: new Set(),
    usedByOthers: new Set(),
    paysAgain: [],
    acceptedUsers: new Map(),
    crashes: [],
    pausedWorkers: [],
    notes,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
};
