/** What keeps things: keys, table, queues, bucket. The functions are built on it. */
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { type QueueName, queueNames } from '../../lib/model/deployment.ts';
import { type Keys, makeKeys } from './keys.ts';
import type { Names } from './names.ts';
import { makeQueue, type QueuePair } from './queue.ts';
import { enrolmentPrefix, type Settings, secretPrefix } from './settings.ts';
import { makeTable } from './table.ts';
import { makeUploads, notifyOfInbox } from './uploads.ts';

export interface Keeping {
  readonly keys: Keys;
  readonly table: Table;
  readonly uploads: Bucket;
  readonly queues: Readonly<Record<QueueName, QueuePair>>;
  /** Secrets are named `<prefix>/<user_id>`; they are no part of the stack and outlive it. */
  readonly secretPrefix: string;
  /** … and `<enrolmentPrefix>/<id>` while an account is being made. */
  readonly enrolmentPrefix: string;
}

const pascal = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);

export const makeKeeping = (scope: Construct, names: Names, settings: Settings): Keeping => {
  const keys = makeKeys(scope, names, settings);
  const made = queueNames.map((name) => {
    const place = new Construct(scope, `${pascal(name)}Messages`);
    return [name, makeQueue(place, name, names, keys.data)] as const;
  });
  const queues = Object.fromEntries(made) as Record<QueueName, QueuePair>;
  const uploads = makeUploads(scope, names, keys.data);
  notifyOfInbox(uploads, queues.intake.queue, names);
  return {
    keys,
    queues,
    uploads,
    table: makeTable(scope, names, keys.data),
    secretPrefix: secretPrefix(settings.stage),
    enrolmentPrefix: enrolmentPrefix(settings.stage),
  };
};
