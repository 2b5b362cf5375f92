/** AWS and the embedded stack use the same numbers: the template is compared with lib/model/deployment.ts. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  deadLetterRetentionSeconds,
  functionNames,
  functions,
  nameDeadLetterQueue,
  queueNames,
  queues,
  schedules,
  table,
} from '../../../lib/model/deployment.ts';
import { limits } from '../../../lib/model/limits.ts';
import {
  findResources,
  flatten,
  type Resource,
  readTarget,
  synthesise,
  type Template,
} from './synthesised.ts';

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise());
}, 60_000);

const find = (type: string, property: string, value: string): readonly [string, Resource] => {
  const matches = findResources(template, type).find(
    ([, { Properties }]) => flatten(Properties[property]) === value,
  );
  if (!matches) throw new Error(`no ${type} with ${property} ${value}`);
  return matches;
};
const queue = (name: string) => find('AWS::SQS::Queue', 'QueueName', `enlist-prod-${name}`);
const fn = (name: string) => find('AWS::Lambda::Function', 'FunctionName', `enlist-prod-${name}`);

describe.each(queueNames)('the queue %s', (name) => {
  test('a queue has the times and receive count of lib/model/deployment.ts', () => {
    const [, { Properties }] = queue(name);
    expect(Properties).toMatchObject({
      VisibilityTimeout: queues[name].visibilityTimeoutSeconds,
      MessageRetentionPeriod: queues[name].retentionSeconds,
      RedrivePolicy: { maxReceiveCount: queues[name].maxReceiveCount },
    });
    expect(Properties.VisibilityTimeout).toBeGreaterThanOrEqual(6 * functions[name].timeoutSeconds);
  });

  test('a queue has a dead-letter queue that stores messages longer', () => {
    const [deadId, dead] = queue(nameDeadLetterQueue(name));
    const [, { Properties }] = queue(name);
    expect(readTarget(Properties.RedrivePolicy.deadLetterTargetArn)).toBe(deadId);
    expect(dead.Properties.MessageRetentionPeriod).toBe(deadLetterRetentionSeconds);
    expect(deadLetterRetentionSeconds).toBeGreaterThan(queues[name].retentionSeconds);
    const { redrivePermission, sourceQueueArns } = dead.Properties.RedriveAllowPolicy;
    expect(redrivePermission).toBe('byQueue');
    expect(sourceQueueArns.map(flatten)).toEqual([
      expect.stringMatching(new RegExp(`^arn:.*:sqs:.*:enlist-prod-${name}$`)),
    ]);
  });

  test('the function of a queue receives its messages, with partial batch failures and limited concurrency', () => {
    const [queueId] = queue(name);
    const mappings = findResources(template, 'AWS::Lambda::EventSourceMapping').filter(
      ([, { Properties }]) => readTarget(Properties.EventSourceArn) === queueId,
    );
    expect(mappings).toHaveLength(1);
    expect(readTarget(mappings[0]?.[1].Properties.FunctionName)).toBe(fn(name)[0]);
    expect(mappings[0]?.[1].Properties).toMatchObject({
      BatchSize: queues[name].batchSize,
      ScalingConfig: { MaximumConcurrency: queues[name].maxConcurrency },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
  });
});

describe.each(functionNames)('the function %s', (name) => {
  test('a function has the timeout and memory of lib/model/deployment.ts, on arm64 and Node 24', () => {
    expect(fn(name)[1].Properties).toMatchObject({
      Timeout: functions[name].timeoutSeconds,
      MemorySize: functions[name].memoryMb,
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
    });
  });

  test('Lambda does not stop a message that a function gets back more often than 16 times', () => {
    expect(fn(name)[1].Properties.RecursiveLoop).toBe('Allow');
  });

  test('a function logs JSON to its own log group, which expires, and is traced', () => {
    const { LoggingConfig, TracingConfig } = fn(name)[1].Properties;
    expect(LoggingConfig.LogFormat).toBe('JSON');
    const logs = template.Resources[readTarget(LoggingConfig.LogGroup) ?? ''];
    expect(logs?.Properties).toMatchObject({ LogGroupName: `/enlist/prod/${name}`, RetentionInDays: 90 });
    expect(TracingConfig).toEqual({ Mode: 'Active' });
  });

  test('a function has every variable that lib/runtime/config.ts reads, and no secret', () => {
    const { Variables } = fn(name)[1].Properties.Environment;
    expect(Object.keys(Variables).sort()).toEqual([
      'ENLIST_AUDIT_DAYS',
      'ENLIST_CHECK_QUEUE_URL',
      'ENLIST_ENROLL_QUEUE_URL',
      'ENLIST_INTAKE_QUEUE_URL',
      'ENLIST_KMS_KEY_ID',
      'ENLIST_REGISTER_QUEUE_URL',
      'ENLIST_SECRET_PREFIX',
      'ENLIST_TABLE',
      'ENLIST_UPLOADS_BUCKET',
      'MIXIN_REGISTRATION_SIGNATURE',
      'MIXIN_URL',
    ]);
    for (const step of queueNames) {
      const url = Variables[`ENLIST_${step.toUpperCase()}_QUEUE_URL`];
      expect([step, readTarget(url)]).toEqual([step, queue(step)[0]]);
    }
  });
});

test('the schedule runs recheck as often as the settings say, and retries once', () => {
  const matches = findResources(template, 'AWS::Scheduler::Schedule');
  expect(matches).toHaveLength(Object.keys(schedules).length);
  const { ScheduleExpression, Target } = matches[0]?.[1].Properties ?? {};
  expect(ScheduleExpression).toBe(`rate(${schedules.recheck.everySeconds / 60} minute)`);
  expect(readTarget(Target.Arn)).toBe(fn('recheck')[0]);
  expect(readTarget(Target.DeadLetterConfig.Arn)).toBe(queue('recheck-dead-letters')[0]);
  // An empty event would start a smoke test.
  expect(Object.keys(JSON.parse(Target.Input)).length).toBeGreaterThan(0);
});

test('the table has the keys and indexes of lib/model/deployment.ts, and is protected against deletion', () => {
  const [[, tableResource] = []] = findResources(template, 'AWS::DynamoDB::Table');
  const keys = (partition: string, sort: string) => [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ];
  expect(tableResource?.Properties).toMatchObject({
    KeySchema: keys(table.partitionKey, table.sortKey),
    BillingMode: 'PAY_PER_REQUEST',
    DeletionProtectionEnabled: true,
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    GlobalSecondaryIndexes: Object.entries(table.indexes).map(([IndexName, index]) => ({
      IndexName,
      KeySchema: keys(index.partitionKey, index.sortKey),
      Projection: { ProjectionType: index.projection },
    })),
  });
  expect([tableResource?.DeletionPolicy, tableResource?.UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
});

test('only the bucket of lists may send intake a message about a list in the inbox', () => {
  const [[, bucket] = []] = findResources(template, 'AWS::S3::Bucket');
  const [notification] = bucket?.Properties.NotificationConfiguration.QueueConfigurations ?? [];
  expect(readTarget(notification.Queue)).toBe(queue('intake')[0]);
  expect(notification.Filter.S3Key.Rules).toEqual([{ Name: 'prefix', Value: limits.inboxPrefix }]);
  const policies = findResources(template, 'AWS::SQS::QueuePolicy').flatMap(
    ([, { Properties }]) => Properties.PolicyDocument.Statement,
  );
  const allows = policies.filter(({ Effect }) => Effect === 'Allow');
  expect(allows).toHaveLength(1);
  expect(allows[0]).toMatchObject({ Action: 'sqs:SendMessage', Principal: { Service: 's3.amazonaws.com' } });
  expect(flatten(allows[0].Condition.ArnEquals['aws:SourceArn'])).toBe(
    `arn:\${AWS::Partition}:s3:::${flatten(bucket?.Properties.BucketName)}`,
  );
});

test('the outputs name everything that the command line and the operator need', () => {
  expect(Object.keys(template.Outputs).sort()).toEqual([
    'AlarmTopic',
    'ApiUrl',
    'DashboardUrl',
    'DataKeyArn',
    'FunctionNameAccounts',
    'FunctionNameApi',
    'FunctionNameCheck',
    'FunctionNameEnroll',
    'FunctionNameIntake',
    'FunctionNameRecheck',
    'FunctionNameRegister',
    'OperatorPolicy',
    'TableName',
    'UploadsBucket',
    'VaultKeyArn',
  ]);
});

test('the periods and rates of the settings reach the template', async () => {
  const other = await synthesise({ recheckMinutes: '5', auditDays: '30', mixinConcurrency: '40' });
  const [[, clock] = []] = findResources(other.template, 'AWS::Scheduler::Schedule');
  expect(clock?.Properties.ScheduleExpression).toBe('rate(5 minutes)');
  const limits = findResources(other.template, 'AWS::Lambda::EventSourceMapping').map(
    ([, { Properties }]) => Properties.ScalingConfig.MaximumConcurrency,
  );
  const { intake, enroll } = queues;
  expect(limits.sort()).toEqual([intake.maxConcurrency, enroll.maxConcurrency, 40, 40].sort());
  const variables = findResources(other.template, 'AWS::Lambda::Function').flatMap(
    ([, { Properties }]) => Properties.Environment?.Variables?.ENLIST_AUDIT_DAYS ?? [],
  );
  expect(new Set(variables)).toEqual(new Set(['30']));
}, 60_000);
