/** From a config to the services: the only place that creates clients. */
import { randomBytes, randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ChangeMessageVisibilityCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { createQueues } from '../aws/queues.ts';
import { createTable, translateConfig } from '../aws/table/table.ts';
import { isUnavailable } from '../aws/unavailable.ts';
import { createUploads } from '../aws/uploads.ts';
import { createVault } from '../aws/vault/vault.ts';
import { createMixinAccounts } from '../mixin/accounts.ts';
import { createMixinClient } from '../mixin/client.ts';
import * as keys from '../mixin/keys.ts';
import { createMixinSafe } from '../mixin/safe.ts';
import type { QueueName } from '../model/deployment.ts';
import type { Log } from '../model/log.ts';
import { mixin } from '../model/mixin.ts';
import type { Services } from '../model/ports.ts';
import { compression } from './compression.ts';
import type { Config } from './config.ts';

/**
 * All AWS calls here are idempotent (conditions, tokens), so the SDK may repeat them. Its pauses are random: up to 1, 2, 4, 8
 * and 16 seconds where AWS throttles, much shorter after other errors. A call that is throttled each time still fails
 * before its function times out.
 */
const MAX_ATTEMPTS = 6;
const CONNECTION_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 8_000;

export interface Connection {
  readonly services: Services;
  /** Throws what SQS answers when the queue does not exist or may not be used. */
  readonly tryQueue: (queue: QueueName) => Promise<void>;
  /** Makes a message visible again after so many seconds, in place of its whole visibility timeout. */
  readonly returnMessage: (queue: QueueName, receiptHandle: string, seconds: number) => Promise<void>;
  /** Has AWS been unavailable for any call since then (milliseconds since 1970), or is a call waiting for its answer? */
  readonly unavailableSince: (ms: number) => boolean;
}

/** Inside its retries, the SDK has not marked a broken connection yet as an error of its own. */
const markAsSdkError = (error: unknown): unknown =>
  error instanceof Error && !('$metadata' in error) ? Object.assign(error, { $metadata: {} }) : error;

export const connect = (config: Config, log: Log): Connection => {
  const { region, endpoints, credentials } = config.aws;
  const options = (endpoint: string | undefined) => ({
    region,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      // Without this the SDK only warns and keeps waiting.
      // guard: unanswered-aws-call-is-given-up
      throwOnRequestTimeout: true,
    },
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
  });
  const now = Date.now;
  const dynamodb = DynamoDBDocumentClient.from(
    new DynamoDBClient(options(endpoints.dynamodb)),
    translateConfig,
  );
  const secrets = new SecretsManagerClient(options(endpoints.secretsManager));
  const s3 = new S3Client({ ...options(endpoints.s3), forcePathStyle: endpoints.s3 !== undefined });
  const sqs = new SQSClient(options(endpoints.sqs));
  let unavailableAtMs = Number.NEGATIVE_INFINITY;
  const sentAtMs = new Set<{ readonly ms: number }>();
  const recordUnavailability =
    <Args, Answer>(next: (args: Args) => Promise<Answer>) =>
    async (args: Args): Promise<Answer> => {
      const sent = { ms: now() };
      sentAtMs.add(sent);
      try {
        return await next(args);
      } catch (error) {
        if (isUnavailable(markAsSdkError(error))) unavailableAtMs = now();
        throw error;
      } finally {
        sentAtMs.delete(sent);
      }
    };
  // Inside the SDK's own retries, so that each attempt is seen.
  const innermost = { step: 'finalizeRequest', priority: 'low', name: 'recordUnavailability' } as const;
  // A bundle leaves out the clients that its function may not use: those have no middlewareStack.
  dynamodb.middlewareStack?.add(recordUnavailability, innermost);
  secrets.middlewareStack?.add(recordUnavailability, innermost);
  s3.middlewareStack?.add(recordUnavailability, innermost);
  sqs.middlewareStack?.add(recordUnavailability, innermost);
  const client = createMixinClient({
    baseUrl: config.mixinUrl,
    timeoutMs: mixin.timeoutMs,
    maxAnswerBytes: mixin.maxAnswerBytes,
    tokenLifetimeSeconds: mixin.tokenLifetimeSeconds,
    now,
    randomId: randomUUID,
  });
  return {
    services: {
      compression,
      keys,
      log,
      auditSeconds: config.auditSeconds,
      now,
      randomBytes,
      randomId: randomUUID,
      table: createTable({ client: dynamodb, tableName: config.table, randomId: randomUUID }),
      vault: createVault({
        client: secrets,
        prefix: config.secretPrefix,
        keys,
        ...(config.kmsKeyId !== undefined && { kmsKeyId: config.kmsKeyId }),
      }),
      queues: createQueues({ client: sqs, urls: config.queueUrls }),
      uploads: createUploads({ client: s3, bucket: config.uploadsBucket }),
      mixin: createMixinSafe(client, {
        now,
        randomBytes,
        registrationSignature: config.registrationSignature,
      }),
      accounts: createMixinAccounts(client),
    },
    tryQueue: async (queue) => {
      await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: config.queueUrls[queue], AttributeNames: ['QueueArn'] }),
      );
    },
    returnMessage: async (queue, ReceiptHandle, VisibilityTimeout) => {
      await sqs.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: config.queueUrls[queue],
          ReceiptHandle,
          VisibilityTimeout,
        }),
      );
    },
    unavailableSince: (ms) =>
      unavailableAtMs >= ms || [...sentAtMs].some((sent) => now() - sent.ms >= CONNECTION_TIMEOUT_MS),
  };
};
