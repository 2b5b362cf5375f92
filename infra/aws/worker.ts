/** A worker: the function that receives the messages of a queue, and the alarms of both. */
import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { type QueueName, queues } from '../../lib/model/deployment.ts';
import { FIVE_MINUTES } from './alarms.ts';
import { createFunction, type FunctionResources } from './function.ts';
import type { StackContext } from './stack-context.ts';

export interface WorkerOptions {
  readonly name: QueueName;
  readonly description: string;
  /** What it means for a bot when this step does not work: a sentence for the alarms. */
  readonly impact: string;
}

const HOUR_SECONDS = 3_600;

/**
 * The steps that the setting mixinConcurrency is for. It is not for enroll: all users of an owner are created with the
 * owner's one session, and they cost money.
 */
const limitedBySetting: readonly QueueName[] = ['check', 'register'];

const chooseConcurrency = (name: QueueName, { settings }: StackContext) =>
  (limitedBySetting.includes(name) ? settings.mixinConcurrency : undefined) ?? queues[name].maxConcurrency;

export const createWorker = (
  scope: Construct,
  context: StackContext,
  options: WorkerOptions,
): FunctionResources => {
  const { name, description, impact } = options;
  const { storage, alarms } = context;
  const { queue, deadLetters } = storage.queues[name];
  const part = new Construct(scope, name);
  const resources = createFunction(part, context, { name, description, queue: name });
  new EventSourceMapping(part, 'Messages', {
    target: resources.fn,
    eventSourceArn: queue.queueArn,
    batchSize: queues[name].batchSize,
    maxConcurrency: chooseConcurrency(name, context),
    reportBatchItemFailures: true,
  });
  alarms.watchFunction(name, resources.fn, impact);
  alarms.add(`${name}-dead-letters`, {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({
      period: FIVE_MINUTES,
      statistic: 'Maximum',
    }),
    threshold: 1,
    impact: `a message crashed ${name} ${queues[name].maxReceiveCount} times and went to the dead-letter queue; its bot is blocked with handler_crashed. ${impact}`,
    fix: `look for record_crashed in the log of ${name}, fix the cause, retry the batch, and only then redrive or purge the dead letters.`,
  });
  alarms.add(`${name}-oldest-message`, {
    metric: queue.metricApproximateAgeOfOldestMessage({ period: FIVE_MINUTES, statistic: 'Maximum' }),
    threshold: HOUR_SECONDS,
    periods: 3,
    impact: `messages wait longer than ${Duration.seconds(HOUR_SECONDS).toMinutes()} minutes. ${impact}`,
    fix: `check on the dashboard whether ${name} runs; while it works on a long list it is only slow.`,
  });
  return resources;
};
