/** A function that EventBridge Scheduler starts, with a role that may start this one function. */
import { Aws, Duration } from 'aws-cdk-lib';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import type { schedules } from '../../lib/model/deployment.ts';
import { FIVE_MINUTES } from './alarms.ts';
import { createFunction, type FunctionResources } from './function.ts';
import { acceptNoDeadLetterQueue } from './nag-exceptions.ts';
import { createDeadLetters } from './queue.ts';
import type { StackContext } from './stack-context.ts';

export type ScheduleName = keyof typeof schedules;

export interface ScheduleOptions {
  readonly name: ScheduleName;
  readonly description: string;
  /** What it means for a bot when this does not run: a sentence for the alarms. */
  readonly impact: string;
}

/** As EventBridge Scheduler writes it, in whole minutes. Throws for anything else. */
export const formatRate = (everySeconds: number): string => {
  const minutes = everySeconds / 60;
  if (!Number.isInteger(minutes) || minutes < 1)
    throw new Error(`a schedule of ${everySeconds} s is not in whole minutes`);
  return `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`;
};

export const createSchedule = (
  scope: Construct,
  context: StackContext,
  options: ScheduleOptions,
): FunctionResources => {
  const { name, description, impact } = options;
  const { names, storage, alarms } = context;
  const key = storage.keys.data;
  const part = new Construct(scope, name);
  const resources = createFunction(part, context, { name, description });
  // The next run does the same soon, so one that failed is not tried again.
  resources.fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.seconds(60) });
  const deadLetters = createDeadLetters(part, 'DeadLetters', names.scheduleDeadLetters(name), key);
  acceptNoDeadLetterQueue(deadLetters);
  const role = new Role(part, 'SchedulerRole', {
    description: `Enlist ${context.settings.stage}: starts ${name}`,
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
    inlinePolicies: {
      start: new PolicyDocument({
        statements: [
          new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [resources.fn.functionArn] }),
          new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [deadLetters.queueArn] }),
          new PolicyStatement({
            actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
            resources: [key.keyArn],
            conditions: { StringEquals: { 'kms:ViaService': `sqs.${Aws.REGION}.${Aws.URL_SUFFIX}` } },
          }),
        ],
      }),
    },
  });
  const group = new CfnScheduleGroup(part, 'Group', { name: names.function(name) });
  new CfnSchedule(part, 'Schedule', {
    name: names.function(name),
    groupName: group.ref,
    description,
    scheduleExpression: formatRate(60 * context.settings.recheckMinutes),
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: resources.fn.functionArn,
      roleArn: role.roleArn,
      // An empty event would be a smoke test (lib/runtime/middlewares/smoke-test.ts).
      input: JSON.stringify({ 'detail-type': 'Scheduled Event', source: 'aws.scheduler' }),
      deadLetterConfig: { arn: deadLetters.queueArn },
      retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 1 },
    },
  });
  alarms.watchFunction(name, resources.fn, impact);
  alarms.add(`${name}-dead-letters`, {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({
      period: FIVE_MINUTES,
      statistic: 'Maximum',
    }),
    threshold: 1,
    impact,
    fix: `the schedule could not start ${name}: read the error in the dead letter, fix its cause, then purge the queue; nothing in it is needed.`,
  });
  return resources;
};
