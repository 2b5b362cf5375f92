/** The bucket that stores lists until they are imported, for a day at most. */
import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib';
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
import type { Construct } from 'constructs';
import { limits } from '../../lib/model/limits.ts';
import { acceptNoAccessLog } from './nag-exceptions.ts';
import type { Names } from './names.ts';

export const createUploads = (scope: Construct, names: Names, key: IKey): Bucket => {
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
export const notifyIntakeOfInbox = (bucket: Bucket, queue: Queue, names: Names) => {
  queue.addToResourcePolicy(
    new PolicyStatement({
      sid: 'NotifyOfInbox',
      principals: [new ServicePrincipal('s3.amazonaws.com')],
      actions: ['sqs:SendMessage'],
      resources: [queue.queueArn],
      conditions: {
        StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
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
