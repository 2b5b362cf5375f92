/** The IAM policy of each function's role, from lib/model/permissions.ts and from nothing else. */
import { ArnFormat, Aws, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { FunctionName, QueueName } from '../../lib/model/deployment.ts';
import { type Permissions, permissions, type SecretAction } from '../../lib/model/permissions.ts';
import type { Storage } from './storage.ts';

const allow = (
  actions: readonly string[],
  resources: readonly string[],
  conditions = {},
): PolicyStatement[] =>
  actions.length === 0 || resources.length === 0
    ? []
    : [new PolicyStatement({ actions: [...actions], resources: [...resources], conditions })];

/** A key may be used only through the service whose data it encrypts. */
const through = (service: string) => ({
  StringEquals: { 'kms:ViaService': `${service}.${Aws.REGION}.${Aws.URL_SUFFIX}` },
});

/** DynamoDB uses the key on behalf of whoever uses the table. */
const tableKeyActions = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

const tableStatements = ({ table, keys }: Storage, { table: actions, indexes }: Permissions) => [
  ...allow(
    actions.map((action) => `dynamodb:${action}`),
    [table.tableArn],
  ),
  ...allow(
    ['dynamodb:Query'],
    indexes.map((index) => `${table.tableArn}/index/${index}`),
  ),
  ...allow(tableKeyActions, [keys.data.keyArn], through('dynamodb')),
];

const queueStatements = ({ queues, keys }: Storage, { sends }: Permissions, own: QueueName | undefined) => {
  const findArn = (name: QueueName) => queues[name].queue.queueArn;
  return [
    ...allow(['sqs:GetQueueAttributes', 'sqs:SendMessage'], sends.map(findArn)),
    ...allow(
      ['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
      own === undefined ? [] : [findArn(own)],
    ),
    ...allow(['kms:Decrypt', 'kms:GenerateDataKey'], [keys.data.keyArn], through('sqs')),
  ];
};

const objectActions = { put: 's3:PutObject', get: 's3:GetObject', delete: 's3:DeleteObject' } as const;

const uploadStatements = ({ uploads, keys }: Storage, { lists }: Permissions) => {
  const reads = lists.includes('get');
  return [
    ...allow(
      lists.map((right) => objectActions[right]),
      [uploads.arnForObjects('*')],
    ),
    // Without it S3 answers "forbidden" in place of "not found" for a list that is gone.
    ...allow(reads ? ['s3:ListBucket'] : [], [uploads.bucketArn]),
    ...allow(
      [...(lists.includes('put') ? ['kms:GenerateDataKey'] : []), ...(reads ? ['kms:Decrypt'] : [])],
      [keys.data.keyArn],
      through('s3'),
    ),
  ];
};

const secretActions: Readonly<Record<SecretAction, string>> = {
  create: 'secretsmanager:CreateSecret',
  put: 'secretsmanager:PutSecretValue',
  read: 'secretsmanager:GetSecretValue',
  removeEnrolment: 'secretsmanager:DeleteSecret',
};

/** A deleted secret can be restored for some days. */
const withRecovery = { BoolIfExists: { 'secretsmanager:ForceDeleteWithoutRecovery': 'false' } };

const secretStatements = (scope: Construct, storage: Storage, { secrets }: Permissions) => {
  const { keys, secretPrefix, enrolmentPrefix } = storage;
  const under = (prefix: string) =>
    Stack.of(scope).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `${prefix}/*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  const [removing, others] = [
    secrets.filter((right) => right === 'removeEnrolment'),
    secrets.filter((right) => right !== 'removeEnrolment'),
  ];
  const writes = others.some((right) => right !== 'read');
  const keyActions = [
    ...(others.length > 0 ? ['kms:Decrypt'] : []),
    ...(writes ? ['kms:GenerateDataKey'] : []),
  ];
  return [
    ...allow(
      others.map((right) => secretActions[right]),
      [under(secretPrefix)],
    ),
    ...allow(
      removing.map((right) => secretActions[right]),
      [under(enrolmentPrefix)],
      withRecovery,
    ),
    ...allow(keyActions, [keys.vault.keyArn], through('secretsmanager')),
  ];
};

/** Everything that the role of a function may do. `own` is the queue whose messages it receives. */
export const createStatements = (
  scope: Construct,
  name: FunctionName,
  storage: Storage,
  logs: ILogGroup,
  own: QueueName | undefined,
): PolicyStatement[] => [
  ...tableStatements(storage, permissions[name]),
  ...queueStatements(storage, permissions[name], own),
  ...uploadStatements(storage, permissions[name]),
  ...secretStatements(scope, storage, permissions[name]),
  ...allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logs.logGroupArn]),
  // X-Ray has no resources that a policy could name.
  ...allow(['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], ['*']),
];
