/** A function that EventBridge Scheduler starts, with a role that may start this one function. */
import { Duration } from 'aws-cdk-lib';
import { CfnSchedule, CfnScheduleGroup, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import type { schedules } from '../../lib/model/deployment.ts';
import { maximum } from './alarms.ts';
import { createFunction, type FunctionResources, functionTexts } from './function.ts';
import { acceptNoDeadLetterQueue } from './nag-exceptions.ts';
import { createDeadLetters } from './queue.ts';
import type { EnlistStack } from './stack.ts';
import { allow, createServiceRole, messageActions, restrictToService } from './statements.ts';

export const createSchedule = (stack: EnlistStack, name: keyof typeof schedules): FunctionResources => {
  const { names, storage, alarms, settings } = stack;
  const key = storage.keys.data;
  const resources = createFunction(stack, name);
  const { part, fn } = resources;
  // The next run does the same soon, so one that failed is not tried again.
  fn.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.seconds(60) });
  const deadLetters = createDeadLetters(part, 'DeadLetters', names.scheduleDeadLetters(name), key);
  acceptNoDeadLetterQueue(deadLetters);
  const role = createServiceRole(part, 'SchedulerRole', {
    service: 'scheduler',
    description: `Enlist ${settings.stage}: starts ${name}`,
    policyName: 'start',
    statements: [
      ...allow(['lambda:InvokeFunction'], [fn.functionArn]),
      ...allow(['sqs:SendMessage'], [deadLetters.queueArn]),
      ...allow(messageActions, [key.keyArn], restrictToService('sqs')),
    ],
  });
  const group = new CfnScheduleGroup(part, 'Group', { name: names.function(name) });
  new CfnSchedule(part, 'Schedule', {
    name: names.function(name),
    groupName: group.ref,
    description: functionTexts[name].description,
    scheduleExpression: ScheduleExpression.rate(Duration.minutes(settings.recheckMinutes)).expressionString,
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: fn.functionArn,
      roleArn: role.roleArn,
      // An empty event would be a smoke test (lib/runtime/middlewares/smoke-test.ts).
      input: JSON.stringify({ 'detail-type': 'Scheduled Event', source: 'aws.scheduler' }),
      deadLetterConfig: { arn: deadLetters.queueArn },
      retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 1 },
    },
  });
  alarms.add(`${name}-dead-letters`, {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible(maximum),
    threshold: 1,
    impact: functionTexts[name].impact,
    fix: `the schedule could not start ${name}: read the error in the dead letter, fix its cause, then purge the queue; nothing in it is needed.`,
  });
  return resources;
};
