/**
 * A backend for the contracts, chosen by the environment: a real account, or an emulator at AWS_ENDPOINT_URL (or
 * AWS_ENDPOINT_URL_DYNAMODB, _SQS, _S3, _SECRETS_MANAGER). Everything that it creates has a new name and is removed at
 * the end.
 */
import { randomBytes } from 'node:crypto';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  DeleteSecretCommand,
  paginateListSecrets,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { CreateQueueCommand, DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describeTable } from '../../infra/local/dynamodb.ts';
import { queueNames } from '../../lib/model/deployment.ts';
import type { Backend } from './backend.ts';

const endpointVariables = [
  'AWS_ENDPOINT_URL_DYNAMODB',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL_SECRETS_MANAGER',
  'AWS_ENDPOINT_URL_SQS',
] as const;

/** The endpoint of each service. */
const endpoints = () =>
  Object.fromEntries(
    endpointVariables.map((variable) => [variable, process.env[variable] ?? process.env.AWS_ENDPOINT_URL]),
  );

/** Removes the secrets under a prefix at once, so that their names are free. */
const removeSecrets = async (client: SecretsManagerClient, prefix: string) => {
  const pages = paginateListSecrets({ client }, { IncludePlannedDeletion: true });
  for await (const { SecretList = [] } of pages) {
    for (const { Name, DeletedDate } of SecretList) {
      if (!Name?.startsWith(`${prefix}/`) || DeletedDate) continue;
      await client.send(new DeleteSecretCommand({ SecretId: Name, ForceDeleteWithoutRecovery: true }));
    }
  }
};

const emptyBucket = async (client: S3Client, Bucket: string) => {
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
    for (const { Key } of Contents) await client.send(new DeleteObjectCommand({ Bucket, Key }));
  }
};

export const startRemote = async (): Promise<Backend> => {
  const region = process.env.AWS_REGION ?? 'us-east-1';
  const name = `enlist-contract-${randomBytes(6).toString('hex')}`;
  const dynamodb = new DynamoDBClient({ region });
  const s3 = new S3Client({ region, forcePathStyle: true });
  const secrets = new SecretsManagerClient({ region });
  const sqs = new SQSClient({ region });
  await using resources = new AsyncDisposableStack();

  await dynamodb.send(new CreateTableCommand(describeTable(name)));
  resources.defer(async () => void (await dynamodb.send(new DeleteTableCommand({ TableName: name }))));
  await waitUntilTableExists({ client: dynamodb, maxWaitTime: 120 }, { TableName: name });
  const constraint = region === 'us-east-1' ? {} : { LocationConstraint: region as never };
  const location = region === 'us-east-1' ? {} : { CreateBucketConfiguration: constraint };
  await s3.send(new CreateBucketCommand({ Bucket: name, ...location }));
  resources.defer(async () => {
    await emptyBucket(s3, name);
    await s3.send(new DeleteBucketCommand({ Bucket: name }));
  });
  resources.defer(() => removeSecrets(secrets, name));
  const urls: Record<string, string> = {};
  for (const queue of queueNames) {
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: `${name}-${queue}` }));
    resources.defer(async () => void (await sqs.send(new DeleteQueueCommand({ QueueUrl }))));
    urls[`ENLIST_${queue.toUpperCase()}_QUEUE_URL`] = QueueUrl;
  }

  const cleanUp = resources.move();
  return {
    environment: {
      ...endpoints(),
      AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY,
      ...urls,
      AWS_REGION: region,
      ENLIST_TABLE: name,
      ENLIST_UPLOADS_BUCKET: name,
      ENLIST_SECRET_PREFIX: name,
    },
    receiveWaitSeconds: 2,
    stop: () => cleanUp.disposeAsync(),
  };
};
