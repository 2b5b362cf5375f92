/**
 * What each function may touch, as data. From it come the IAM policy of its role (infra/aws/grants.ts), the AWS clients
 * in its bundle (infra/aws/bundle.ts) and the probes of its smoke test (lib/runtime/smoke-test.ts).
 */
import type { FunctionName, QueueName, table } from './deployment.ts';

export type IndexName = keyof typeof table.indexes;
/** Names of the AWS SDK: `@aws-sdk/client-<name>`. */
type AwsClient = 'dynamodb' | 's3' | 'secrets-manager' | 'sqs';

export interface Permissions {
  /** Actions on the table itself. */
  readonly table: readonly TableAction[];
  /** Indexes that it queries. */
  readonly indexes: readonly IndexName[];
  /** Queues that it sends to. */
  readonly sends: readonly QueueName[];
  /** What it does with uploaded lists. */
  readonly lists: readonly ListAction[];
  /** What it does with the secrets of bots and enrolments. Without any of these it can read none. */
  readonly secrets: readonly SecretAction[];
  /** Does it call Mixin? */
  readonly mixin: boolean;
}

type TableAction = 'BatchGetItem' | 'BatchWriteItem' | 'GetItem' | 'PutItem' | 'Query' | 'UpdateItem';
type ListAction = 'put' | 'get' | 'delete';
/**
 * `createEnrolment`, `readEnrolment` and `removeEnrolment` are for the secrets of enrolments alone: no function may
 * delete a bot's secret, and the one that signs accounts in over HTTP touches none.
 */
export type SecretAction =
  | 'create'
  | 'put'
  | 'read'
  | 'createEnrolment'
  | 'readEnrolment'
  | 'removeEnrolment';

export const permissions: Readonly<Record<FunctionName, Permissions>> = {
  api: {
    table: ['BatchGetItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'],
    indexes: ['by_batch'],
    sends: ['intake', 'enroll', 'check'],
    lists: ['put'],
    secrets: [],
    mixin: false,
  },
  accounts: {
    table: ['GetItem', 'PutItem', 'UpdateItem'],
    indexes: [],
    sends: ['enroll'],
    lists: [],
    secrets: ['createEnrolment', 'readEnrolment'],
    mixin: true,
  },
  intake: {
    table: ['BatchGetItem', 'BatchWriteItem', 'GetItem', 'PutItem', 'UpdateItem'],
    indexes: [],
    sends: ['intake', 'enroll', 'check'],
    lists: ['put', 'get', 'delete'],
    secrets: ['create', 'put', 'read'],
    mixin: false,
  },
  enroll: {
    table: ['GetItem', 'PutItem', 'UpdateItem'],
    indexes: [],
    sends: ['enroll', 'check'],
    lists: [],
    secrets: ['create', 'put', 'read', 'removeEnrolment'],
    mixin: true,
  },
  check: {
    table: ['GetItem', 'UpdateItem'],
    indexes: [],
    sends: ['enroll', 'check', 'register'],
    lists: [],
    secrets: ['read'],
    mixin: true,
  },
  register: {
    table: ['GetItem', 'UpdateItem'],
    indexes: [],
    sends: ['check', 'register'],
    lists: [],
    secrets: ['put', 'read'],
    mixin: true,
  },
  recheck: {
    table: ['GetItem', 'UpdateItem'],
    indexes: ['by_due'],
    sends: ['enroll', 'check'],
    lists: [],
    secrets: [],
    mixin: false,
  },
};

/** May the function do this with secrets? */
export const canDoWithSecrets = (name: FunctionName, action: SecretAction): boolean =>
  permissions[name].secrets.includes(action);

/** Is the action for the secrets of enrolments alone? */
export const isForEnrolments = (action: SecretAction): boolean => action.endsWith('Enrolment');

/** The clients that a function's bundle has; every function uses the table and queues. */
export const listAwsClients = (name: FunctionName): readonly AwsClient[] => [
  'dynamodb',
  'sqs',
  ...(permissions[name].lists.length > 0 ? (['s3'] as const) : []),
  ...(permissions[name].secrets.length > 0 ? (['secrets-manager'] as const) : []),
];
