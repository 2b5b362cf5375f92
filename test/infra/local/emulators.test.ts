import { readdir, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import {
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DeleteObjectsCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { expect, onTestFinished, test } from 'vitest';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { type EmulatorsOptions, startEmulators } from '../../../infra/local/emulators.ts';
import { createQueueUrl } from '../../../infra/local/queues.ts';
import {
  deadLetterRetentionSeconds,
  nameDeadLetterQueue,
  queueNames,
  queues,
  table,
} from '../../../lib/model/deployment.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import { eventually, temporaryFolder } from './helpers.ts';

const start = async (options: EmulatorsOptions = {}) => {
  const emulators = await startEmulators(options);
  const config = readConfig({ ...emulators.environment, MIXIN_URL: 'http://127.0.0.1:1' });
  const { dynamodb = '', s3 = '', sqs = '', secretsManager = '' } = config.aws.endpoints;
  const clients = {
    dynamodb: new DynamoDBClient(clientConfig(dynamodb)),
    s3: new S3Client({ ...clientConfig(s3), forcePathStyle: true }),
    sqs: new SQSClient(clientConfig(sqs)),
    secrets: new SecretsManagerClient(clientConfig(secretsManager)),
  };
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= emulators.stop();
    for (const client of Object.values(clients)) client.destroy();
    return stopping;
  };
  onTestFinished(stop);
  return { ...emulators, ...clients, config, sqsUrl: sqs, stop };
};
type RunningEmulators = Awaited<ReturnType<typeof start>>;

const attributes = async ({ sqs, sqsUrl }: RunningEmulators, name: string) => {
  const QueueUrl = createQueueUrl(sqsUrl, name);
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  return answer.Attributes ?? {};
};

const receive = async ({ sqs, config }: RunningEmulators) => {
  const QueueUrl = config.queueUrls.check;
  const answer = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return answer.Messages ?? [];
};

const send = ({ sqs, config }: RunningEmulators, MessageBody: string) =>
  sqs.send(new SendMessageCommand({ QueueUrl: config.queueUrls.check, MessageBody }));

test('the table of the emulators has the keys and indexes of the deployment', async () => {
  const { dynamodb, config } = await start();
  const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: config.table }));
  expect(Table?.TableStatus).toBe('ACTIVE');
  expect(Table?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST');
  expect(Table?.KeySchema?.map((key) => key.AttributeName)).toEqual(['pk', 'sk']);
  const indexes = Table?.GlobalSecondaryIndexes ?? [];
  expect(indexes.map((index) => index.IndexName).toSorted()).toEqual(Object.keys(table.indexes).toSorted());
  for (const index of indexes) {
    const expected = table.indexes[index.IndexName as keyof typeof table.indexes];
    expect(index.KeySchema).toEqual([
      { AttributeName: expected.partitionKey, KeyType: 'HASH' },
      { AttributeName: expected.sortKey, KeyType: 'RANGE' },
    ]);
    expect(index.Projection?.ProjectionType).toBe('KEYS_ONLY');
  }
});

test('every queue of the emulators has its settings and its dead-letter queue', async () => {
  const emulators = await start();
  for (const name of queueNames) {
    const work = await attributes(emulators, name);
    const dead = await attributes(emulators, nameDeadLetterQueue(name));
    expect(work.VisibilityTimeout).toBe(String(queues[name].visibilityTimeoutSeconds));
    expect(work.MessageRetentionPeriod).toBe(String(queues[name].retentionSeconds));
    expect(JSON.parse(work.RedrivePolicy ?? '{}')).toEqual({
      deadLetterTargetArn: dead.QueueArn,
      maxReceiveCount: queues[name].maxReceiveCount,
    });
    expect(dead.MessageRetentionPeriod).toBe(String(deadLetterRetentionSeconds));
  }
});

test('rows, objects, secrets and messages survive a restart with new ports', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  const first = await start({ dataDir });
  const { table: TableName, uploadsBucket: Bucket } = first.config;
  const key = { pk: { S: 'bot#1' }, sk: { S: 'bot' } };
  await first.dynamodb.send(new PutItemCommand({ TableName, Item: { ...key, state: { S: 'queued' } } }));
  await first.s3.send(new PutObjectCommand({ Bucket, Key: 'batches/1/list.csv', Body: 'a,b' }));
  await first.secrets.send(new CreateSecretCommand({ Name: 'enlist/1', SecretString: 'stored' }));
  await send(first, 'waiting');
  await first.stop();

  const second = await start({ dataDir });
  const { Item } = await second.dynamodb.send(new GetItemCommand({ TableName, Key: key }));
  expect(Item?.state).toEqual({ S: 'queued' });
  const object = await second.s3.send(new GetObjectCommand({ Bucket, Key: 'batches/1/list.csv' }));
  expect(await object.Body?.transformToString()).toBe('a,b');
  const secret = await second.secrets.send(new GetSecretValueCommand({ SecretId: 'enlist/1' }));
  expect(secret.SecretString).toBe('stored');
  expect((await receive(second)).map((message) => message.Body)).toEqual(['waiting']);
});

test('an object can be removed and leaves no file', async () => {
  const dataDir = await temporaryFolder();
  const { s3, config } = await start({ dataDir });
  const Bucket = config.uploadsBucket;
  await s3.send(new PutObjectCommand({ Bucket, Key: 'list', Body: Uint8Array.of(1, 2, 3) }));
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'list' }] } }));
  const objects = join(dataDir, 'uploads', 'buckets', Bucket, 'objects');
  expect(await readdir(objects)).toEqual([]);
});

test('a start removes uploads that a killed process left incomplete, and no others', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  const Bucket = first.config.uploadsBucket;
  for (const Key of ['a/list', 'b/list', 'c/list'])
    await first.s3.send(new PutObjectCommand({ Bucket, Key, Body: Uint8Array.of(1, 2, 3) }));
  await first.stop();
  const bucket = join(dataDir, 'uploads', 'buckets', Bucket);
  await writeFile(join(bucket, 'objects', 'a', 'list.meta.json'), '');
  await writeFile(join(bucket, 'objects', 'c', 'list.data'), '');

  const second = await start({ dataDir });
  const read = (Key: string) => second.s3.send(new GetObjectCommand({ Bucket, Key }));
  for (const key of ['a/list', 'c/list'])
    await expect(read(key)).rejects.toThrow('The specified key does not exist.');
  expect(await (await read('b/list')).Body?.transformToByteArray()).toEqual(Uint8Array.of(1, 2, 3));
  expect(await readdir(join(bucket, 'objects', 'a'))).toEqual([]);
});

test('a start creates a bucket again that a killed process left incomplete', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  const Bucket = first.config.uploadsBucket;
  await first.stop();
  await writeFile(join(dataDir, 'uploads', 'buckets', Bucket, '.bucket.json'), '{"name":');
  const second = await start({ dataDir });
  await second.s3.send(new PutObjectCommand({ Bucket, Key: 'list', Body: Uint8Array.of(1) }));
});

test('a start updates changed queue settings and keeps the messages', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  const { SetQueueAttributesCommand } = await import('@aws-sdk/client-sqs');
  const Attributes = { VisibilityTimeout: '1', RedrivePolicy: '' };
  await first.sqs.send(new SetQueueAttributesCommand({ QueueUrl: first.config.queueUrls.check, Attributes }));
  await send(first, 'waiting');
  await first.stop();
  const second = await start({ dataDir });
  const { VisibilityTimeout, RedrivePolicy } = await attributes(second, 'check');
  expect(VisibilityTimeout).toBe(String(queues.check.visibilityTimeoutSeconds));
  expect(RedrivePolicy).toContain(nameDeadLetterQueue('check'));
  expect(await receive(second)).toHaveLength(1);
});

test('messages that a crashed process had received come back, as if never received', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  for (const body of ['one', 'two']) await send(first, body);
  expect(await receive(first)).toHaveLength(2);
  await send(first, 'three');
  await first.stop();

  const second = await start({ dataDir });
  expect(await attributes(second, 'check')).toMatchObject({
    ApproximateNumberOfMessages: '1',
    ApproximateNumberOfMessagesNotVisible: '2',
  });
  expect(await second.releaseInFlight()).toBe(2);
  const messages = await receive(second);
  expect(messages.map((message) => message.Body).toSorted()).toEqual(['one', 'three', 'two']);
  for (const message of messages) expect(message.Attributes?.ApproximateReceiveCount).toBe('1');
  await second.stop();
  const third = await start({ dataDir });
  expect(await attributes(third, 'check')).toMatchObject({
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesNotVisible: '3',
  });
});

test('a message can become visible again after a second', async () => {
  const dataDir = await temporaryFolder();
  const emulators = await start({ dataDir });
  await send(emulators, 'again');
  const [message] = await receive(emulators);
  await emulators.sqs.send(
    new ChangeMessageVisibilityCommand({
      QueueUrl: emulators.config.queueUrls.check,
      ReceiptHandle: message?.ReceiptHandle,
      VisibilityTimeout: 1,
    }),
  );
  await eventually(async () => expect(await receive(emulators)).toHaveLength(1));
});

test('only the owner can read the data folder', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  await start({ dataDir });
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
});

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('SQS can be reached by the queue URL too, without any resolver', async () => {
  const { config } = await start();
  const { endpoint: _left, ...rest } = clientConfig('');
  const sqs = new SQSClient({ ...rest, useQueueUrlAsEndpoint: true, logger: quiet });
  onTestFinished(() => sqs.destroy());
  const QueueUrl = config.queueUrls.intake;
  const { MessageId } = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }));
  expect(MessageId).toBeTypeOf('string');
});

const readStatus = (url: string, headers: Record<string, string>): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const outgoing = request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on('error', reject).end();
  });

test('emulators refuse web pages and other machines', async () => {
  const { environment } = await start();
  const urls = Object.entries(environment).flatMap(([name, url = '']) =>
    name.startsWith('AWS_ENDPOINT_URL') ? [url] : [],
  );
  expect(urls).toHaveLength(4);
  const own = Object.values(networkInterfaces()).flatMap((all = []) =>
    all.filter(({ internal, family }) => !internal && family === 'IPv4'),
  );
  for (const url of urls) {
    expect(await readStatus(url, {})).not.toBe(403);
    expect(await readStatus(url, { host: 'rebound.example' })).toBe(403);
    expect(await readStatus(url, { origin: 'https://evil.example' })).toBe(403);
    for (const { address } of own) {
      const outside = url.replace('127.0.0.1', address);
      await expect(readStatus(outside, {})).rejects.toThrow('ECONNREFUSED');
    }
  }
});
