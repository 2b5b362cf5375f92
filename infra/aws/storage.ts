/** What stores data: KMS keys, table, queues, and the bucket of lists. */
import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { CfnQueuePolicy, type Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type QueueName, queueNames, table as shape } from '../../lib/model/deployment.ts';
import { limits } from '../../lib/model/limits.ts';
import { createKeys, type Keys } from './keys.ts';
import { acceptNoAccessLog } from './nag-exceptions.ts';
import { capitalise, type Names } from './names.ts';
import { createQueue, type QueuePair } from './queue.ts';
import type { Settings } from './settings.ts';
import { ownAccount } from './statements.ts';

const describeAttribute = (name: string) => ({ name, type: AttributeType.STRING });

const createTable = (scope: Construct, names: Names, key: IKey): Table => {
  const table = new Table(scope, 'Table', {
    tableName: names.table,
    partitionKey: describeAttribute(shape.partitionKey),
    sortKey: describeAttribute(shape.sortKey),
    billingMode: BillingMode.PAY_PER_REQUEST,
    encryption: TableEncryption.CUSTOMER_MANAGED,
    encryptionKey: key,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  for (const [indexName, { partitionKey, sortKey, projection }] of Object.entries(shape.indexes)) {
    table.addGlobalSecondaryIndex({
      indexName,
      partitionKey: describeAttribute(partitionKey),
      sortKey: describeAttribute(sortKey),
      projectionType: ProjectionType[projection],
    });
  }
  return table;
};

/** Lists are stored until they are imported, for a day at most. */
const createUploads = (scope: Construct, names: Names, key: IKey): Bucket => {
  const bucket = new Bucket(scope, 'Uploads', {
    bucketName: names.bucket,
    encryption: BucketEncryption.KMS,
    encryptionKey: key,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    versioned: false,
    lifecycleRules: [{ expiration: Duration.days(1), abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    removalPolicy: RemovalPolicy.DESTROY,
  });
  acceptNoAccessLog(bucket);
  return bucket;
};

/** S3 sends intake a message for each list that is put into the inbox. */
const notifyIntakeOfInbox = (bucket: Bucket, queue: Queue, names: Names) => {
  queue.addToResourcePolicy(
    new PolicyStatement({
      sid: 'NotifyOfInbox',
      principals: [new ServicePrincipal('s3.amazonaws.com')],
      actions: ['sqs:SendMessage'],
      resources: [queue.queueArn],
      conditions: {
        ...ownAccount,
        ArnEquals: { 'aws:SourceArn': `arn:${Aws.PARTITION}:s3:::${names.bucket}` },
      },
    }),
  );
  const resource = bucket.node.defaultChild as CfnBucket;
  resource.notificationConfiguration = {
    queueConfigurations: [
      {
        event: 's3:ObjectCreated:*',
        queue: queue.queueArn,
        filter: { s3Key: { rules: [{ name: 'prefix', value: limits.inboxPrefix }] } },
      },
    ],
  };
  // S3 tests the queue when the notification is set up, so the policy of the queue must exist by then.
  for (const child of queue.node.findAll())
    if (child instanceof CfnQueuePolicy) resource.addResourceDependency(child);
};

export interface Storage {
  readonly keys: Keys;
  readonly table: Table;
  readonly uploads: Bucket;
  readonly queues: Readonly<Record<QueueName, QueuePair>>;
}

export const createStorage = (scope: Construct, names: Names, settings: Settings): Storage => {
  const keys = createKeys(scope, names, settings);
  const pairs = queueNames.map((name) => {
    const part = new Construct(scope, `${capitalise(name)}Messages`);
    return [name, createQueue(part, name, names, keys.data)] as const;
  });
  const queues = Object.fromEntries(pairs) as Record<QueueName, QueuePair>;
  const uploads = createUploads(scope, names, keys.data);
  notifyIntakeOfInbox(uploads, queues.intake.queue, names);
  return { keys, queues, uploads, table: createTable(scope, names, keys.data) };
};
