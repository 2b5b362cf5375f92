/** The IAM policy of each function's role, from lib/model/permissions.ts and from nothing else. */
import { ArnFormat } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { type FunctionName, type QueueName, queueNames } from '../../lib/model/deployment.ts';
import {
  isForEnrolments,
  type Permissions,
  permissions,
  type SecretAction,
} from '../../lib/model/permissions.ts';
import type { EnlistStack } from './stack.ts';
import { allow, encryptionActions, messageActions, restrictToService } from './statements.ts';
import type { Storage } from './storage.ts';

const allowTable = ({ table, keys }: Storage, { table: actions, indexes }: Permissions) => [
  ...allow(
    actions.map((action) => `dynamodb:${action}`),
    [table.tableArn],
  ),
  ...allow(
    ['dynamodb:Query'],
    indexes.map((index) => `${table.tableArn}/index/${index}`),
  ),
  // DynamoDB uses the key on behalf of whoever uses the table.
  ...allow(encryptionActions, [keys.data.keyArn], restrictToService('dynamodb')),
];

/** A function receives the messages of the queue that has its name. */
const allowQueues = ({ queues, keys }: Storage, { sends }: Permissions, name: FunctionName) => {
  const findArn = (queue: QueueName) => queues[queue].queue.queueArn;
  return [
    ...allow(['sqs:GetQueueAttributes', 'sqs:SendMessage'], sends.map(findArn)),
    ...allow(
      ['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
      queueNames.filter((queue) => queue === name).map(findArn),
    ),
    ...allow(messageActions, [keys.data.keyArn], restrictToService('sqs')),
  ];
};

const objectActions = { put: 's3:PutObject', get: 's3:GetObject', delete: 's3:DeleteObject' } as const;

const allowUploads = ({ uploads, keys }: Storage, { lists }: Permissions) => {
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
      restrictToService('s3'),
    ),
  ];
};

const secretActions: Readonly<Record<SecretAction, string>> = {
  create: 'secretsmanager:CreateSecret',
  put: 'secretsmanager:PutSecretValue',
  read: 'secretsmanager:GetSecretValue',
  createEnrolment: 'secretsmanager:CreateSecret',
  readEnrolment: 'secretsmanager:GetSecretValue',
  removeEnrolment: 'secretsmanager:DeleteSecret',
};

/** A deleted secret can be restored for some days. */
const withRecovery = { BoolIfExists: { 'secretsmanager:ForceDeleteWithoutRecovery': 'false' } };

const allowSecrets = (stack: EnlistStack, { secrets }: Permissions) => {
  const { names, storage } = stack;
  const formatArn = (prefix: string) =>
    stack.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `${prefix}/*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  const removals = secrets.filter((right) => right === 'removeEnrolment');
  const others = secrets.filter((right) => right !== 'removeEnrolment');
  const writes = others.some((right) => right !== 'read' && right !== 'readEnrolment');
  return [
    ...allow(
      others.filter((right) => !isForEnrolments(right)).map((right) => secretActions[right]),
      [formatArn(names.secretPrefix)],
    ),
    ...allow(
      others.filter(isForEnrolments).map((right) => secretActions[right]),
      [formatArn(names.enrolmentPrefix)],
    ),
    ...allow(
      removals.map((right) => secretActions[right]),
      [formatArn(names.enrolmentPrefix)],
      withRecovery,
    ),
    ...allow(
      [...(others.length > 0 ? ['kms:Decrypt'] : []), ...(writes ? ['kms:GenerateDataKey'] : [])],
      [storage.keys.vault.keyArn],
      restrictToService('secretsmanager'),
    ),
  ];
};

/** Everything that the role of a function may do. */
export const createStatements = (
  stack: EnlistStack,
  name: FunctionName,
  logs: ILogGroup,
): PolicyStatement[] => [
  ...allowTable(stack.storage, permissions[name]),
  ...allowQueues(stack.storage, permissions[name], name),
  ...allowUploads(stack.storage, permissions[name]),
  ...allowSecrets(stack, permissions[name]),
  ...allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logs.logGroupArn]),
  // X-Ray has no resources that a policy could name.
  ...allow(['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], ['*']),
];
