/**
 * The world of one history: a table, secrets and a Mixin of its own, the real steps over the real AWS SDK, and a
 * clock and a post office that the history moves. The emulators below are one set for all histories.
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
import { type Member, makeCast, rsaPem } from './cast.ts';
import { type Clock, startClock } from './clock.ts';
import { type Dice, dice } from './dice.ts';
import type { Story } from './story.ts';
import { createWire, type Wire } from './wire.ts';
import { countedKeys } from './workers.ts';

/** What all histories stand on. */
export interface Grounds extends AsyncDisposable {
  readonly table: DynamoDBDocumentClient;
  readonly secrets: SecretsManagerClient;
  readonly uploads: Uploads;
  readonly keys: Keys;
}

export const openGrounds = async (): Promise<Grounds> => {
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
    keys: { ...countedKeys(services.keys), generateRsaKey: async () => rsaPem },
    [Symbol.asyncDispose]: async () => {
      table.destroy();
      secrets.destroy();
      await emulators.stop();
    },
  };
};

/** A message under way. */
export interface Mail {
  readonly queue: QueueName;
  readonly body: Message['body'];
  /** Nobody receives it before. */
  dueMs: number;
  receives: number;
}

/** A list as an operator sent it. */
export interface List {
  readonly key: string;
  readonly body: Uint8Array;
  /** Numbers of the cast's members in it. */
  readonly members: readonly number[];
  /** Told by the API, if its answer came. */
  batch_id?: string;
}

export interface World extends AsyncDisposable {
  readonly grounds: Grounds;
  /** What every random number of it follows from. */
  readonly chance: number;
  /** Name of its table, and prefix of its secrets. */
  readonly name: string;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly wire: Wire;
  readonly standIn: MixinStandIn;
  readonly services: Services;
  readonly members: readonly Member[];
  readonly mail: Mail[];
  readonly lists: List[];
  readonly faults: Fault[];
  /** Public keys of somebody else's. */
  readonly strangers: Set<string>;
  /** Bots that somebody else's program made PIN calls for. */
  readonly touched: Set<string>;
  /** Names of network users that an operator would pay again for, once each time. */
  readonly paysAgain: string[];
  /** What nobody expected: steps that crashed, requests that failed. */
  readonly crashes: string[];
  /** Lets those who sleep go on, and waits until they are done. */
  readonly sleepers: { wake(): void; readonly done: Promise<void> }[];
  /** What happened below the sentences, for whoever reads the story of a failure. */
  readonly notes: string[];
}

/** SQS takes no longer delay, and only whole seconds. */
const checkDelay = (seconds: number) => {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 900)
    throw new RangeError(`SQS takes no delay of ${seconds} seconds`);
};

const postOffice = (mail: Mail[], clock: Clock): Queues => ({
  send: async (queue, messages) => {
    for (const { body, delaySeconds = 0 } of messages) {
      checkDelay(delaySeconds);
      mail.push({ queue, body, dueMs: clock.right() + delaySeconds * 1_000, receives: 0 });
    }
  },
});

/** Ids repeat when a history is run again: its lists must not. */
const underPrefix = (uploads: Uploads, prefix: string): Uploads => ({
  put: (key, body, type) => uploads.put(`${prefix}/${key}`, body, type),
  get: (key) => uploads.get(`${prefix}/${key}`),
  remove: (keys) => uploads.remove(keys.map((key) => `${prefix}/${key}`)),
  createForm: (form) => uploads.createForm(form),
});

const speakMixin = (url: string, clock: Clock, dice: Dice, wire: Wire) => {
  const client = createMixinClient({
    baseUrl: url,
    timeoutMs: mixin.timeoutMs,
    maxAnswerBytes: mixin.maxAnswerBytes,
    tokenLifetimeSeconds: mixin.tokenLifetimeSeconds,
    now: clock.now,
    randomId: randomUUID,
    fetch: wire.fetch,
  });
  return {
    mixin: createMixinSafe(client, {
      now: clock.now,
      randomBytes: dice.bytes,
      registrationSignature: 'shipped',
    }),
    accounts: createMixinAccounts(client),
  };
};

let worlds = 0;

export const openWorld = async (grounds: Grounds, { chance, cast }: Story): Promise<World> => {
  worlds += 1;
  const name = `history-${worlds}`;
  const { table: client, secrets, keys } = grounds;
  const clock = startClock();
  const thrown = dice(chance);
  const wire = createWire(clock);
  const mail: Mail[] = [];
  const notes: string[] = [];
  await using opened = new AsyncDisposableStack();
  await client.send(new CreateTableCommand(describeTable(name)));
  opened.defer(async () => void (await client.send(new DeleteTableCommand({ TableName: name }))));
  const standIn = await startMixinStandIn({ now: clock.right, wait: async (delayMs) => clock.pass(delayMs) });
  opened.defer(() => standIn.stop());
  const services: Services = {
    compression,
    keys,
    table: createTable({ client, tableName: name, randomId: randomUUID }),
    vault: createVault({ client: secrets, prefix: name, keys }),
    queues: postOffice(mail, clock),
    uploads: underPrefix(grounds.uploads, name),
    ...speakMixin(standIn.url, clock, thrown, wire),
    log: (_, code, { step, from, to, reason } = {}) => {
      if (code !== 'bot_moved') return;
      notes.push(`${step}: ${from} → ${to}${reason === undefined ? '' : ` (${reason})`}`);
    },
    auditSeconds: timing.auditSeconds,
    now: clock.now,
    randomBytes: thrown.bytes,
    randomId: thrown.uuid,
  };
  const members = await makeCast(standIn, cast, thrown);
  const running = opened.move();
  return {
    grounds,
    chance,
    name,
    clock,
    dice: thrown,
    wire,
    standIn,
    services,
    members,
    mail,
    lists: [],
    faults: [],
    strangers: new Set(),
    touched: new Set(),
    paysAgain: [],
    crashes: [],
    sleepers: [],
    notes,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
};
