/** Every finding of cdk-nag (AwsSolutions) that stands, and why. */
import { type CfnElement, Stack, Validations } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { IConstruct } from 'constructs';

const argue = (construct: IConstruct, id: string, reason: string) =>
  Validations.of(construct).acknowledge({ id, reason });

const idOf = (construct: IConstruct) =>
  Stack.of(construct).getLogicalId(construct.node.defaultChild as CfnElement);

/** A wildcard in what a policy names, as cdk-nag writes it. */
const wildcard = (resource: string) => `AwsSolutions-IAM5[Resource::${resource}]`;

export const argueTraces = (role: IConstruct): void =>
  argue(
    role,
    wildcard('*'),
    'Of all actions only the two that send traces have it: X-Ray knows no resource that a policy could name for them.',
  );

export const argueObjects = (holder: IConstruct, bucket: Bucket, prefix = ''): void =>
  argue(
    holder,
    wildcard(`<${idOf(bucket)}.Arn>/${prefix}*`),
    'Objects of this one bucket, which holds nothing but lists: each has the id of its batch in its key, so no key can be named beforehand.',
  );

export const argueSecrets = (role: IConstruct, prefix: string): void =>
  argue(
    role,
    wildcard(`arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}/*`),
    "One secret a bot, named by the bot's user id: the bots of this stage and no other secret of the account. They are not known when the role is made.",
  );

export const argueEnrolments = (role: IConstruct, prefix: string): void =>
  argue(
    role,
    wildcard(`arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}/*`),
    "Only for the right to delete: the copy of a session key from the time before its account was made. No bot's own secret has such a name, and each waits for days before it is gone.",
  );

export const argueRoutes = (policy: IConstruct, api: IConstruct): void =>
  argue(
    policy,
    wildcard(`arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${idOf(api)}>/*/*/*`),
    'An operator may call every route of this one API; nobody has the policy until it is attached by hand.',
  );

export const argueNoAccessLog = (bucket: Bucket): void =>
  argue(
    bucket,
    'AwsSolutions-S1',
    'Lists are deleted when they are taken in, after a day at the latest, and only two roles of the stack reach them. An access log would be a second bucket that outlives them; who wants to know turns on data events in CloudTrail.',
  );

export const argueLastQueue = (queue: Queue): void =>
  argue(
    queue,
    'AwsSolutions-SQS3',
    'It is itself where EventBridge Scheduler puts starts that failed, which this rule cannot see. There is nothing behind a dead-letter queue.',
  );
