/** Every finding of cdk-nag (AwsSolutions) that is accepted, and why. */
import { type CfnElement, Stack, Validations } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { IConstruct } from 'constructs';

const accept = (construct: IConstruct, id: string, reason: string) =>
  Validations.of(construct).acknowledge({ id, reason });

const findLogicalId = (construct: IConstruct) =>
  Stack.of(construct).getLogicalId(construct.node.defaultChild as CfnElement);

/** Accepts a wildcard; the resource is written as cdk-nag writes it. */
const acceptWildcard = (holder: IConstruct, resource: string, reason: string): void =>
  accept(holder, `AwsSolutions-IAM5[Resource::${resource}]`, reason);

const formatArn = (service: string, resource: string) =>
  `arn:<AWS::Partition>:${service}:<AWS::Region>:<AWS::AccountId>:${resource}`;

export const acceptTraceWildcard = (role: IConstruct): void =>
  acceptWildcard(
    role,
    '*',
    'Only the two actions that send traces have it: X-Ray has no resources that a policy could name for them.',
  );

export const acceptObjectWildcard = (holder: IConstruct, bucket: Bucket, prefix = ''): void =>
  acceptWildcard(
    holder,
    `<${findLogicalId(bucket)}.Arn>/${prefix}*`,
    'Objects of this one bucket, which has nothing but lists: the key of each contains the id of its batch, so no key can be named in advance.',
  );

export const acceptSecretWildcard = (role: IConstruct, prefix: string): void =>
  acceptWildcard(
    role,
    formatArn('secretsmanager', `secret:${prefix}/*`),
    "One secret a bot, named by the bot's user id: the bots of this stage and no other secret of the account. They are not known when the role is created.",
  );

export const acceptEnrolmentWildcard = (role: IConstruct, prefix: string): void =>
  acceptWildcard(
    role,
    formatArn('secretsmanager', `secret:${prefix}/*`),
    "Only for enrolments: the copy of a session key from the time before its account existed. No bot's own secret has such a name, and each can be restored for days.",
  );

export const acceptStackWildcard = (policy: IConstruct, stack: string): void =>
  acceptWildcard(
    policy,
    formatArn('cloudformation', `stack/${stack}/*`),
    'The one stack of this name: what follows the name is an id that AWS draws, and the enlist command asks by name.',
  );

export const acceptRouteWildcard = (policy: IConstruct, api: IConstruct): void =>
  acceptWildcard(
    policy,
    formatArn('execute-api', `<${findLogicalId(api)}>/*/*/*`),
    'An operator may call every route of this one API; nobody has the policy until it is attached by hand.',
  );

export const acceptNoAccessLog = (bucket: Bucket): void =>
  accept(
    bucket,
    'AwsSolutions-S1',
    'Lists are deleted when they are imported, after a day at the latest, and only two roles of the stack can read or write them. An access log would be a second bucket that outlives them; data events of CloudTrail show who reads lists.',
  );

export const acceptNoDeadLetterQueue = (queue: Queue): void =>
  accept(
    queue,
    'AwsSolutions-SQS3',
    'This is the dead-letter queue of EventBridge Scheduler, which this rule cannot see. A dead-letter queue needs no other one.',
  );
