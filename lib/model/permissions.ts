/**
 * What each function needs, as data: its bundle holds the clients of these keepers only, and its role may do
 * these things only. Who needs a keeper must say here what for.
 */
import type { FunctionName, QueueName, table } from './deployment.ts';

export type IndexName = keyof typeof table.indexes;
/** The AWS clients of lib/aws. */
export type Keeper = 'dynamodb' | 's3' | 'secrets-manager' | 'sqs';

export interface Needs {
  /** Actions on the table itself. */
  readonly table: readonly TableAction[];
  /** Indexes it queries. */
  readonly indexes: readonly IndexName[];
  /** Queues it sends to. It may also look at them: an empty event makes it try (lib/runtime/smoke-test.ts). */
  readonly sends: readonly QueueName[];
  /** What it does with the lists in the bucket. */
  readonly lists: readonly ListRight[];
  /** What it does with secrets, of bots and of enrolments; nothing here means that it cannot read any. */
  readonly secrets: readonly SecretRight[];
}

export type TableAction = 'BatchGetItem' | 'BatchWriteItem' | 'GetItem' | 'PutItem' | 'Query' | 'UpdateItem';
export type ListRight = 'put' | 'get' | 'delete';
/** `removeEnrolment` is for the secrets of enrolments alone: nobody may delete a bot's. */
export type SecretRight = 'create' | 'put' | 'read' | 'removeEnrolment';

export const needs: Readonly<Record<FunctionName, Needs>> = {
  api: {
    table: ['BatchGetItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'],
    indexes: ['by_batch'],
    sends: ['intake', 'enroll', 'check'],
    lists: ['put'],
    secrets: [],
  },
  accounts: {
    table: ['GetItem', 'PutItem', 'UpdateItem'],
    indexes: [],
    sends: ['enroll', 'check'],
    lists: [],
    secrets: ['create', 'put', 'read', 'removeEnrolment'],
  },
  intake: {
    table: ['BatchWriteItem', 'GetItem', 'PutItem', 'UpdateItem'],
    indexes: [],
    sends: ['intake', 'enroll', 'check'],
    lists: ['put', 'get', 'delete'],
    secrets: ['create', 'put', 'read'],
  },
  enroll: {
    table: ['GetItem', 'PutItem', 'UpdateItem'],
    indexes: [],
    sends: ['enroll', 'check'],
    lists: [],
    secrets: ['create', 'put', 'read', 'removeEnrolment'],
  },
  check: {
    table: ['GetItem', 'UpdateItem'],
    indexes: [],
    sends: ['enroll', 'check', 'register'],
    lists: [],
    secrets: ['read'],
  },
  register: {
    table: ['GetItem', 'UpdateItem'],
    indexes: [],
    sends: ['check', 'register'],
    lists: [],
    secrets: ['put', 'read'],
  },
  recheck: {
    table: ['GetItem', 'UpdateItem'],
    indexes: ['by_due'],
    sends: ['enroll', 'check'],
    lists: [],
    secrets: [],
  },
};

export const hasSecretRight = (name: FunctionName, right: SecretRight): boolean =>
  needs[name].secrets.includes(right);

/** The clients a function's bundle must hold; every function has rows and messages. */
export const keepersOf = (name: FunctionName): readonly Keeper[] => [
  'dynamodb',
  'sqs',
  ...(needs[name].lists.length > 0 ? (['s3'] as const) : []),
  ...(needs[name].secrets.length > 0 ? (['secrets-manager'] as const) : []),
];
