/** A worker: a queue, the function that drains it, and the alarms of both. */
import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { type QueueName, queues } from '../../lib/model/deployment.ts';
import { FIVE_MINUTES } from './alarms.ts';
import { type MadeFunction, makeFunction } from './function.ts';
import type { House } from './stack-context.ts';

export interface WorkerOptions {
  readonly name: QueueName;
  readonly description: string;
  /** What it means for a bot when this step does not get on: a sentence, read in the alarms. */
  readonly impact: string;
}

const HOUR_SECONDS = 3_600;

/**
 * The setting holds back or lets go the steps that speak to Mixin as many bots. Not enroll: all users of an owner
 * are made with the owner's one session, and cost money.
 */
const paced: readonly QueueName[] = ['check', 'register'];

const concurrencyOf = (name: QueueName, { settings }: House) =>
  (paced.includes(name) ? settings.mixinConcurrency : undefined) ?? queues[name].maxConcurrency;

export const makeWorker = (scope: Construct, house: House, options: WorkerOptions): MadeFunction => {
  const { name, description, impact } = options;
  const { keeping, alarms } = house;
  const { queue, deadLetters } = keeping.queues[name];
  const place = new Construct(scope, name);
  const made = makeFunction(place, house, { name, description, queue: name });
  new EventSourceMapping(place, 'Messages', {
    target: made.fn,
    eventSourceArn: queue.queueArn,
    batchSize: queues[name].batchSize,
    maxConcurrency: concurrencyOf(name, house),
    reportBatchItemFailures: true,
  });
  alarms.watchFunction(name, made.fn, impact);
  alarms.add(`${name}-dead-letters`, {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({
      period: FIVE_MINUTES,
      statistic: 'Maximum',
    }),
    threshold: 1,
    impact: `a message crashed ${name} ${queues[name].maxReceiveCount} times and was put aside; its bot is blocked with handler_crashed. ${impact}`,
    fix: `look for record_crashed in the log of ${name}, mend the cause, retry the batch, and only then redrive or purge the dead letters.`,
  });
  alarms.add(`${name}-oldest-message`, {
    metric: queue.metricApproximateAgeOfOldestMessage({ period: FIVE_MINUTES, statistic: 'Maximum' }),
    threshold: HOUR_SECONDS,
    periods: 3,
    impact: `messages wait longer than ${Duration.seconds(HOUR_SECONDS).toMinutes()} minutes. ${impact}`,
    fix: `see on the dashboard whether ${name} runs at all; while a long list is at work this is only slowness.`,
  });
  return made;
};
