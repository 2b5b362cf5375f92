/** Every finding of cdk-nag (AwsSolutions) that is accepted, and why. */
import { type CfnElement, Stack, Validations } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { IConstruct } from 'constructs';

const accept = (construct: IConstruct, id: string, reason: string) =>
  Validations.of(construct).acknowledge({ id, reason });

const findLogicalId = (construct: IConstruct) =>
  Stack.of(construct).getLogicalId(construct.node.defaultChild as CfnElement);

/** The finding for a resource with a wildcard, as cdk-nag writes it. */
const wildcard = (resource: string) => `AwsSolutions-IAM5[Resource::${resource}]`;

export const acceptTraceWildcard = (role: IConstruct): void =>
  accept(
    role,
    wildcard('*'),
    'Only the two actions that send traces have it: X-Ray has no resources that a policy could name for them.',
  );

export const acceptObjectWildcard = (holder: IConstruct, bucket: Bucket, prefix = ''): void =>
  accept(
    holder,
    wildcard(`<${findLogicalId(bucket)}.Arn>/${prefix}*`),
    'Objects of this one bucket, which has nothing but lists: the key of each contains the id of its batch, so no key can be named in advance.',
  );

export const acceptSecretWildcard = (role: IConstruct, prefix: string): void =>
  accept(
    role,
    wildcard(`arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}/*`),
    "One secret a bot, named by the bot's user id: the bots of this stage and no other secret of the account. They are not known when the role is created.",
  );

export const acceptEnrolmentWildcard = (role: IConstruct, prefix: string): void =>
  accept(
    role,
    wildcard(`arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${prefix}/*`),
    "Only for the right to delete: the copy of a session key from the time before its account existed. No bot's own secret has such a name, and each can be restored for days.",
  );

export const acceptRouteWildcard = (policy: IConstruct, api: IConstruct): void =>
  accept(
    policy,
    wildcard(`arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${findLogicalId(api)}>/*/*/*`),
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
