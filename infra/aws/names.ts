/** Names of resources. They derive from the stage, so that one account can have several stacks. */
import { Aws } from 'aws-cdk-lib';
import { type FunctionName, nameDeadLetterQueue, type QueueName } from '../../lib/model/deployment.ts';

export const deriveNames = (stage: string) => {
  const stack = `enlist-${stage}`;
  const secretPrefix = stage === 'prod' ? 'enlist' : stack;
  return {
    stack,
    table: stack,
    /** Bucket names are unique over all accounts of AWS. */
    bucket: `${stack}-uploads-${Aws.ACCOUNT_ID}-${Aws.REGION}`,
    topic: `${stack}-alarms`,
    dashboard: stack,
    /** Namespace of the metrics that are counted from log lines. */
    metrics: `Enlist/${stage}`,
    api: stack,
    operator: `${stack}-operator-${Aws.REGION}`,
    /** Secrets are named `<prefix>/<user_id>` (lib/aws/vault/vault.ts). They are not part of the stack and outlive it. */
    secretPrefix,
    /** Secrets of enrolments, which have no account yet, are named `<prefix>/<id>`. No user id begins so. */
    enrolmentPrefix: `${secretPrefix}/enrolment`,
    function: (name: FunctionName) => `${stack}-${name}`,
    queue: (name: QueueName) => `${stack}-${name}`,
    deadLetters: (name: QueueName) => `${stack}-${nameDeadLetterQueue(name)}`,
    scheduleDeadLetters: (name: FunctionName) => `${stack}-${name}-dead-letters`,
    logGroup: (name: string) => `/enlist/${stage}/${name}`,
    alarm: (id: string) => `${stack}-${id}`,
    alias: (key: string) => `alias/${stack}-${key}`,
  };
};

export type Names = Readonly<ReturnType<typeof deriveNames>>;

/** The name as part of a logical id. */
export const capitalise = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);
