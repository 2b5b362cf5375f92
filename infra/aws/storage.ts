/** What stores data: KMS keys, table, queues, bucket. */
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { type QueueName, queueNames } from '../../lib/model/deployment.ts';
import { createKeys, type Keys } from './keys.ts';
import type { Names } from './names.ts';
import { createQueue, type QueuePair } from './queue.ts';
import { enrolmentPrefix, type Settings, secretPrefix } from './settings.ts';
import { createTable } from './table.ts';
import { createUploads, notifyIntakeOfInbox } from './uploads.ts';

export interface Storage {
  readonly keys: Keys;
  readonly table: Table;
  readonly uploads: Bucket;
  readonly queues: Readonly<Record<QueueName, QueuePair>>;
  /** Secrets are named `<prefix>/<user_id>`. They are not part of the stack and outlive it. */
  readonly secretPrefix: string;
  /** Secrets of enrolments are named `<enrolmentPrefix>/<id>`. */
  readonly enrolmentPrefix: string;
}

const capitalise = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);

export const createStorage = (scope: Construct, names: Names, settings: Settings): Storage => {
  const keys = createKeys(scope, names, settings);
  const pairs = queueNames.map((name) => {
    const part = new Construct(scope, `${capitalise(name)}Messages`);
    return [name, createQueue(part, name, names, keys.data)] as const;
  });
  const queues = Object.fromEntries(pairs) as Record<QueueName, QueuePair>;
  const uploads = createUploads(scope, names, keys.data);
  notifyIntakeOfInbox(uploads, queues.intake.queue, names);
  return {
    keys,
    queues,
    uploads,
    table: createTable(scope, names, keys.data),
    secretPrefix: secretPrefix(settings.stage),
    enrolmentPrefix: enrolmentPrefix(settings.stage),
  };
};
