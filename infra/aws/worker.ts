/** A worker: the function that receives the messages of a queue, and the alarms of both. */
import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { type QueueName, queues } from '../../lib/model/deployment.ts';
import { maximum } from './alarms.ts';
import { createFunction, type FunctionResources, functionTexts } from './function.ts';
import type { EnlistStack } from './stack.ts';

const HOUR_SECONDS = 3_600;

/**
 * The steps that the setting mixinConcurrency is for. It is not for enroll: all users of an owner are created with the
 * owner's one session, and they cost money.
 */
const limitedBySetting: readonly QueueName[] = ['check', 'register'];

export const createWorker = (stack: EnlistStack, name: QueueName): FunctionResources => {
  const { alarms, settings, storage } = stack;
  const { queue, deadLetters } = storage.queues[name];
  const { batchSize, maxConcurrency, maxReceiveCount } = queues[name];
  const { impact } = functionTexts[name];
  const resources = createFunction(stack, name);
  new EventSourceMapping(resources.part, 'Messages', {
    target: resources.fn,
    eventSourceArn: queue.queueArn,
    batchSize,
    maxConcurrency:
      (limitedBySetting.includes(name) ? settings.mixinConcurrency : undefined) ?? maxConcurrency,
    reportBatchItemFailures: true,
  });
  alarms.add(`${name}-dead-letters`, {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible(maximum),
    threshold: 1,
    impact: `a message crashed ${name} ${maxReceiveCount} times and went to the dead-letter queue; its bot is blocked with handler_crashed. ${impact}`,
    fix: `look for record_crashed in the log of ${name}, fix the cause, retry the batch, and only then redrive or purge the dead letters.`,
  });
  alarms.add(`${name}-oldest-message`, {
    metric: queue.metricApproximateAgeOfOldestMessage(maximum),
    threshold: HOUR_SECONDS,
    periods: 3,
    impact: `messages wait longer than ${Duration.seconds(HOUR_SECONDS).toMinutes()} minutes. ${impact}`,
    fix: `check on the dashboard whether ${name} runs; while it works on a long list it is only slow.`,
  });
  return resources;
};
