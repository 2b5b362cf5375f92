/** The cloud and the laptop read the same numbers: the template is compared with lib/model/deployment.ts. */
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
import { flatten, type Resource, resourcesOf, synthesise, type Template, targetOf } from './synthesised.ts';

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise());
}, 60_000);

const find = (type: string, property: string, value: string): readonly [string, Resource] => {
  const found = resourcesOf(template, type).find(
    ([, { Properties }]) => flatten(Properties[property]) === value,
  );
  if (!found) throw new Error(`no ${type} with ${property} ${value}`);
  return found;
};
const queue = (name: string) => find('AWS::SQS::Queue', 'QueueName', `enlist-prod-${name}`);
const fn = (name: string) => find('AWS::Lambda::Function', 'FunctionName', `enlist-prod-${name}`);

describe.each(queueNames)('the queue %s', (name) => {
  test('the queue has the times and receive count of lib/model/deployment.ts', () => {
    const [, { Properties }] = queue(name);
    expect(Properties).toMatchObject({
      VisibilityTimeout: queues[name].visibilityTimeoutSeconds,
      MessageRetentionPeriod: queues[name].retentionSeconds,
      RedrivePolicy: { maxReceiveCount: queues[name].maxReceiveCount },
    });
    expect(Properties.VisibilityTimeout).toBeGreaterThanOrEqual(6 * functions[name].timeoutSeconds);
  });

  test('the queue has a dead-letter queue that keeps messages longer', () => {
    const [deadId, dead] = queue(nameDeadLetterQueue(name));
    const [, { Properties }] = queue(name);
    expect(targetOf(Properties.RedrivePolicy.deadLetterTargetArn)).toBe(deadId);
    expect(dead.Properties.MessageRetentionPeriod).toBe(deadLetterRetentionSeconds);
    expect(deadLetterRetentionSeconds).toBeGreaterThan(queues[name].retentionSeconds);
    const { redrivePermission, sourceQueueArns } = dead.Properties.RedriveAllowPolicy;
    expect(redrivePermission).toBe('byQueue');
    expect(sourceQueueArns.map(flatten)).toEqual([
      expect.stringMatching(new RegExp(`^arn:.*:sqs:.*:enlist-prod-${name}$`)),
    ]);
  });

  test('its function receives the messages, with partial batch failures and limited concurrency', () => {
    const [queueId] = queue(name);
    const mappings = resourcesOf(template, 'AWS::Lambda::EventSourceMapping').filter(
      ([, { Properties }]) => targetOf(Properties.EventSourceArn) === queueId,
    );
    expect(mappings).toHaveLength(1);
    expect(targetOf(mappings[0]?.[1].Properties.FunctionName)).toBe(fn(name)[0]);
    expect(mappings[0]?.[1].Properties).toMatchObject({
      BatchSize: queues[name].batchSize,
      ScalingConfig: { MaximumConcurrency: queues[name].maxConcurrency },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
  });
});

describe.each(functionNames)('the function %s', (name) => {
  test('the function has the timeout and memory of lib/model/deployment.ts, on arm64 and Node 24', () => {
    expect(fn(name)[1].Properties).toMatchObject({
      Timeout: functions[name].timeoutSeconds,
      MemorySize: functions[name].memoryMb,
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
    });
  });

  test('Lambda does not stop a message that comes back more often than 16 times', () => {
    expect(fn(name)[1].Properties.RecursiveLoop).toBe('Allow');
  });

  test('the function logs JSON to its own log group, which expires, and is traced', () => {
    const { LoggingConfig, TracingConfig } = fn(name)[1].Properties;
    expect(LoggingConfig.LogFormat).toBe('JSON');
    const logs = template.Resources[targetOf(LoggingConfig.LogGroup) ?? ''];
    expect(logs?.Properties).toMatchObject({ LogGroupName: `/enlist/prod/${name}`, RetentionInDays: 90 });
    expect(TracingConfig).toEqual({ Mode: 'Active' });
  });

  test('the function has every variable that lib/runtime/config.ts reads, and no secret', () => {
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
      expect([step, targetOf(url)]).toEqual([step, queue(step)[0]]);
    }
  });
});

test('recheck runs as often as the settings say, and is retried once', () => {
  const found = resourcesOf(template, 'AWS::Scheduler::Schedule');
  expect(found).toHaveLength(Object.keys(schedules).length);
  const { ScheduleExpression, Target } = found[0]?.[1].Properties ?? {};
  expect(ScheduleExpression).toBe(`rate(${schedules.recheck.everySeconds / 60} minute)`);
  expect(targetOf(Target.Arn)).toBe(fn('recheck')[0]);
  expect(targetOf(Target.DeadLetterConfig.Arn)).toBe(queue('recheck-dead-letters')[0]);
  // An empty event would be taken for a smoke test.
  expect(Object.keys(JSON.parse(Target.Input)).length).toBeGreaterThan(0);
});

test('the table has the keys and indexes of lib/model/deployment.ts, and is protected against deletion', () => {
  const [[, made] = []] = resourcesOf(template, 'AWS::DynamoDB::Table');
  const keys = (partition: string, sort: string) => [
    { AttributeName: partition, KeyType: 'HASH' },
    { AttributeName: sort, KeyType: 'RANGE' },
  ];
  expect(made?.Properties).toMatchObject({
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
  expect([made?.DeletionPolicy, made?.UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
});

test('only this bucket may send intake a message about a list in the inbox', () => {
  const [[, bucket] = []] = resourcesOf(template, 'AWS::S3::Bucket');
  const [told] = bucket?.Properties.NotificationConfiguration.QueueConfigurations ?? [];
  expect(targetOf(told.Queue)).toBe(queue('intake')[0]);
  expect(told.Filter.S3Key.Rules).toEqual([{ Name: 'prefix', Value: limits.inboxPrefix }]);
  const policies = resourcesOf(template, 'AWS::SQS::QueuePolicy').flatMap(
    ([, { Properties }]) => Properties.PolicyDocument.Statement,
  );
  const allowed = policies.filter(({ Effect }) => Effect === 'Allow');
  expect(allowed).toHaveLength(1);
  expect(allowed[0]).toMatchObject({ Action: 'sqs:SendMessage', Principal: { Service: 's3.amazonaws.com' } });
  expect(flatten(allowed[0].Condition.ArnEquals['aws:SourceArn'])).toBe(
    `arn:\${AWS::Partition}:s3:::${flatten(bucket?.Properties.BucketName)}`,
  );
});

test('the outputs name what the command line and the operator need', () => {
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
  const chosen = await synthesise({ recheckMinutes: '5', auditDays: '30', mixinConcurrency: '40' });
  const [[, clock] = []] = resourcesOf(chosen.template, 'AWS::Scheduler::Schedule');
  expect(clock?.Properties.ScheduleExpression).toBe('rate(5 minutes)');
  const limits = resourcesOf(chosen.template, 'AWS::Lambda::EventSourceMapping').map(
    ([, { Properties }]) => Properties.ScalingConfig.MaximumConcurrency,
  );
  const { intake, enroll } = queues;
  expect(limits.sort()).toEqual([intake.maxConcurrency, enroll.maxConcurrency, 40, 40].sort());
  const variables = resourcesOf(chosen.template, 'AWS::Lambda::Function').flatMap(
    ([, { Properties }]) => Properties.Environment?.Variables?.ENLIST_AUDIT_DAYS ?? [],
  );
  expect(new Set(variables)).toEqual(new Set(['30']));
}, 60_000);
