/** AWS on one machine: DynamoDB, SQS, S3 and Secrets Manager, with the table, queues and bucket of the deployment. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { startSecretsManager } from '../../emulators/secrets-manager/server.ts';
import type { Environment } from '../../lib/runtime/config.ts';
import { clientConfig, credentials, REGION } from './client-config.ts';
import { startDynamoDb } from './dynamodb.ts';
import { startLocalFauxqs } from './fauxqs.ts';
import { createQueueUrl, ensureQueues, releaseInFlight } from './queues.ts';

export interface EmulatorsOptions {
  /** Where everything is stored (0700); without it all is in memory. */
  readonly dataDir?: string;
  /** Does not wait until the vault is read: calls to it wait instead. */
  readonly loadsLater?: boolean;
}

export interface Emulators {
  /** Every variable that lib/runtime/config.ts reads, except MIXIN_URL. The ports change at each start. */
  readonly environment: Environment;
  /**
   * Queues again the messages that a crashed process had received, and returns how many they were. Call it before
   * any poller starts.
   */
  releaseInFlight(): Promise<number>;
  /** Resolves when the vault is read; rejects when it cannot be. */
  readonly loaded: Promise<void>;
  stop(): Promise<void>;
}

const TABLE = 'enlist';
const BUCKET = 'enlist-uploads';
const SECRET_PREFIX = 'enlist';

const describeEnvironment = (urls: { dynamodb: string; fauxqs: string; secrets: string }): Environment => ({
  ENLIST_TABLE: TABLE,
  ENLIST_UPLOADS_BUCKET: BUCKET,
  ENLIST_SECRET_PREFIX: SECRET_PREFIX,
  ENLIST_INTAKE_QUEUE_URL: createQueueUrl(urls.fauxqs, 'intake'),
  ENLIST_ENROLL_QUEUE_URL: createQueueUrl(urls.fauxqs, 'enroll'),
  ENLIST_CHECK_QUEUE_URL: createQueueUrl(urls.fauxqs, 'check'),
  ENLIST_REGISTER_QUEUE_URL: createQueueUrl(urls.fauxqs, 'register'),
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_ENDPOINT_URL_DYNAMODB: urls.dynamodb,
  AWS_ENDPOINT_URL_S3: urls.fauxqs,
  AWS_ENDPOINT_URL_SECRETS_MANAGER: urls.secrets,
  AWS_ENDPOINT_URL_SQS: urls.fauxqs,
});

/** Starts them all on free ports of 127.0.0.1. If one cannot start, none is left running. */
export const startEmulators = async ({
  dataDir,
  loadsLater = false,
}: EmulatorsOptions = {}): Promise<Emulators> => {
  if (dataDir !== undefined) {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await chmod(dataDir, 0o700);
  }
  await using started = new AsyncDisposableStack();

  const dynamodb = await startDynamoDb(TABLE, dataDir && join(dataDir, 'dynamodb'));
  started.defer(() => dynamodb.stop());
  const fauxqs = await startLocalFauxqs(dataDir);
  started.defer(() => fauxqs.stop());
  const secrets = await startSecretsManager(
    dataDir === undefined ? {} : { dataDir: join(dataDir, 'secrets'), loadsLater },
  );
  started.defer(() => secrets.stop());

  const sqs = new SQSClient(clientConfig(fauxqs.url));
  started.defer(() => sqs.destroy());
  await ensureQueues(sqs, fauxqs.url);
  const s3 = new S3Client({ ...clientConfig(fauxqs.url), forcePathStyle: true });
  // A bucket that is there already stays as it is.
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET })).finally(() => s3.destroy());

  const running = started.move();
  return {
    environment: describeEnvironment({ dynamodb: dynamodb.url, fauxqs: fauxqs.url, secrets: secrets.url }),
    loaded: secrets.loaded,
    releaseInFlight: () => releaseInFlight(fauxqs, sqs),
    stop: () => running.disposeAsync(),
  };
};
