/** Names of resources. They derive from the stage, so that one account can have several stacks. */
import { Aws } from 'aws-cdk-lib';
import { type FunctionName, nameDeadLetterQueue, type QueueName } from '../../lib/model/deployment.ts';

export interface Names {
  readonly stack: string;
  readonly table: string;
  /** Bucket names are unique over all accounts of AWS. */
  readonly bucket: string;
  readonly topic: string;
  readonly dashboard: string;
  /** Namespace of the metrics that are counted from log lines. */
  readonly metrics: string;
  readonly api: string;
  readonly operator: string;
  function(name: FunctionName): string;
  queue(name: QueueName): string;
  deadLetters(name: QueueName): string;
  scheduleDeadLetters(name: FunctionName): string;
  logGroup(name: string): string;
  alarm(id: string): string;
  alias(key: string): string;
}

export const deriveNames = (stage: string): Names => {
  const stack = `enlist-${stage}`;
  return {
    stack,
    table: stack,
    bucket: `${stack}-uploads-${Aws.ACCOUNT_ID}-${Aws.REGION}`,
    topic: `${stack}-alarms`,
    dashboard: stack,
    metrics: `Enlist/${stage}`,
    api: stack,
    operator: `${stack}-operator-${Aws.REGION}`,
    function: (name) => `${stack}-${name}`,
    queue: (name) => `${stack}-${name}`,
    deadLetters: (name) => `${stack}-${nameDeadLetterQueue(name)}`,
    scheduleDeadLetters: (name) => `${stack}-${name}-dead-letters`,
    logGroup: (name) => `/enlist/${stage}/${name}`,
    alarm: (id) => `${stack}-${id}`,
    alias: (key) => `alias/${stack}-${key}`,
  };
};
