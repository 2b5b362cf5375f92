/** From needs.ts to IAM: what the role of each function may do, and nothing else. */
import { ArnFormat, Aws, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { FunctionName, QueueName } from '../../lib/model/deployment.ts';
import { type Permissions, permissions, type SecretAction } from '../../lib/model/permissions.ts';
import type { Keeping } from './storage.ts';

const allow = (
  actions: readonly string[],
  resources: readonly string[],
  conditions = {},
): PolicyStatement[] =>
  actions.length === 0 || resources.length === 0
    ? []
    : [new PolicyStatement({ actions: [...actions], resources: [...resources], conditions })];

/** A key may be used only through the service that holds what it encrypts. */
const through = (service: string) => ({
  StringEquals: { 'kms:ViaService': `${service}.${Aws.REGION}.${Aws.URL_SUFFIX}` },
});

/** DynamoDB works with the key in the name of whoever uses the table. */
const tableKeyActions = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

const tableStatements = ({ table, keys }: Keeping, { table: actions, indexes }: Permissions) => [
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

const queueStatements = ({ queues, keys }: Keeping, { sends }: Permissions, own: QueueName | undefined) => {
  const arnOf = (name: QueueName) => queues[name].queue.queueArn;
  return [
    ...allow(['sqs:GetQueueAttributes', 'sqs:SendMessage'], sends.map(arnOf)),
    ...allow(
      ['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
      own === undefined ? [] : [arnOf(own)],
    ),
    ...allow(['kms:Decrypt', 'kms:GenerateDataKey'], [keys.data.keyArn], through('sqs')),
  ];
};

const objectActions = { put: 's3:PutObject', get: 's3:GetObject', delete: 's3:DeleteObject' } as const;

const listStatements = ({ uploads, keys }: Keeping, { lists }: Permissions) => {
  const reads = lists.includes('get');
  return [
    ...allow(
      lists.map((right) => objectActions[right]),
      [uploads.arnForObjects('*')],
    ),
    // Without it S3 calls a list that is gone "forbidden" in place of "not there".
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

/** What is deleted can be restored for some days. */
const withRecovery = { BoolIfExists: { 'secretsmanager:ForceDeleteWithoutRecovery': 'false' } };

const secretStatements = (scope: Construct, keeping: Keeping, { secrets }: Permissions) => {
  const { keys, secretPrefix, enrolmentPrefix } = keeping;
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

/** Everything the role of a function may do. `own` is the queue it drains. */
export const statementsFor = (
  scope: Construct,
  name: FunctionName,
  keeping: Keeping,
  logs: ILogGroup,
  own: QueueName | undefined,
): PolicyStatement[] => [
  ...tableStatements(keeping, permissions[name]),
  ...queueStatements(keeping, permissions[name], own),
  ...listStatements(keeping, permissions[name]),
  ...secretStatements(scope, keeping, permissions[name]),
  ...allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logs.logGroupArn]),
  // Traces have no resource that could be named.
  ...allow(['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], ['*']),
];
