/** Queues: encrypted, TLS only, each with its dead-letter queue. */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { deadLetterRetentionSeconds, type QueueName, queues } from '../../lib/model/deployment.ts';
import type { Names } from './names.ts';

export interface QueuePair {
  readonly queue: Queue;
  readonly deadLetters: Queue;
}

const encryptWith = (key: IKey) => ({
  encryption: QueueEncryption.KMS,
  encryptionMasterKey: key,
  enforceSSL: true,
});

/** A dead-letter queue. `from` names the only queue that may move its messages here; without it none may. */
export const createDeadLetters = (
  scope: Construct,
  id: string,
  queueName: string,
  key: IKey,
  from?: string,
) => {
  const stack = Stack.of(scope);
  const formatArn = (resource: string) =>
    stack.formatArn({ service: 'sqs', resource, arnFormat: ArnFormat.NO_RESOURCE_NAME });
  return new Queue(scope, id, {
    queueName,
    ...encryptWith(key),
    retentionPeriod: Duration.seconds(deadLetterRetentionSeconds),
    redriveAllowPolicy:
      from === undefined
        ? { redrivePermission: RedrivePermission.DENY_ALL }
        : {
            redrivePermission: RedrivePermission.BY_QUEUE,
            sourceQueues: [Queue.fromQueueArn(scope, `${id}Source`, formatArn(from))],
          },
  });
};

export const createQueue = (scope: Construct, name: QueueName, names: Names, key: IKey): QueuePair => {
  const shape = queues[name];
  const queueName = names.queue(name);
  const deadLetters = createDeadLetters(scope, 'DeadLetters', names.deadLetters(name), key, queueName);
  const queue = new Queue(scope, 'Queue', {
    queueName,
    ...encryptWith(key),
    visibilityTimeout: Duration.seconds(shape.visibilityTimeoutSeconds),
    retentionPeriod: Duration.seconds(shape.retentionSeconds),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: shape.maxReceiveCount },
  });
  return { queue, deadLetters };
};
