/** What runs by the clock, by EventBridge Scheduler with a role that can start this one function. */
import { Aws, Duration } from 'aws-cdk-lib';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import type { schedules } from '../../lib/model/deployment.ts';
import { FIVE_MINUTES } from './alarms.ts';
import { type MadeFunction, makeFunction } from './function.ts';
import { argueLastQueue } from './nag-exceptions.ts';
import { makeDeadLetters } from './queue.ts';
import type { House } from './stack-context.ts';

export type ScheduleName = keyof typeof schedules;

export interface ScheduleOptions {
  readonly name: ScheduleName;
  readonly description: string;
  /** What it means for a bot when this does not run: a sentence, read in the alarms. */
  readonly impact: string;
}

/** EventBridge Scheduler counts in whole minutes. */
export const rateOf = (everySeconds: number): string => {
  const minutes = everySeconds / 60;
  if (!Number.isInteger(minutes) || minutes < 1)
    throw new Error(`a schedule of ${everySeconds} s is not in whole minutes`);
  return `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`;
};

export const makeSchedule = (scope: Construct, house: House, options: ScheduleOptions): MadeFunction => {
  const { name, description, impact } = options;
  const { names, keeping, alarms } = house;
  const key = keeping.keys.data;
  const place = new Construct(scope, name);
  const made = makeFunction(place, house, { name, description });
  // The next run comes soon and does the same: one that failed is not tried again.
  made.fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.seconds(60) });
  const deadLetters = makeDeadLetters(place, 'DeadLetters', names.scheduleDeadLetters(name), key);
  argueLastQueue(deadLetters);
  const role = new Role(place, 'ClockRole', {
    description: `Enlist ${house.settings.stage}: starts ${name}`,
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
    inlinePolicies: {
      start: new PolicyDocument({
        statements: [
          new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [made.fn.functionArn] }),
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
  const group = new CfnScheduleGroup(place, 'Group', { name: names.function(name) });
  new CfnSchedule(place, 'Schedule', {
    name: names.function(name),
    groupName: group.ref,
    description,
    scheduleExpression: rateOf(60 * house.settings.recheckMinutes),
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: made.fn.functionArn,
      roleArn: role.roleArn,
      // An event without anything in it is a smoke test (lib/runtime/middlewares/smoke-test.ts).
      input: JSON.stringify({ 'detail-type': 'Scheduled Event', source: 'aws.scheduler' }),
      deadLetterConfig: { arn: deadLetters.queueArn },
      retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 1 },
    },
  });
  alarms.watchFunction(name, made.fn, impact);
  alarms.add(`${name}-dead-letters`, {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({
      period: FIVE_MINUTES,
      statistic: 'Maximum',
    }),
    threshold: 1,
    impact,
    fix: `the schedule could not start ${name}: look at the error in the dead letter, mend it, then purge the queue; nothing in it is needed.`,
  });
  return made;
};
