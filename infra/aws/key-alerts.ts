/**
 * Alerts when somebody deletes or disables what holds keys. They come from CloudTrail: an account without a trail gets
 * none, and the stack works all the same.
 */
import { Aws } from 'aws-cdk-lib';
import { CfnRule, EventField, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { EnlistStack } from './stack.ts';
import { allow, createServiceRole, messageActions, restrictToService } from './statements.ts';

interface KeyAlert {
  readonly id: string;
  readonly source: string;
  readonly detail: Record<string, unknown>;
  /** The field of the request that names the secret or key. */
  readonly target: string;
  readonly text: string;
}

/** Roles of the functions that create and remove secrets of enrolments, which is no reason for an alert. */
export interface EnrolmentRoles {
  readonly creators: readonly IRole[];
  readonly removers: readonly IRole[];
}

/** Matches every caller but these roles, also a caller without a role. */
const matchAnyoneExcept = (roles: readonly IRole[]) => [
  { 'anything-but': roles.map(({ roleArn }) => roleArn) },
  { exists: false },
];

const listKeyAlerts = ({ storage, names }: EnlistStack, roles: EnrolmentRoles): readonly KeyAlert[] => {
  const prefix = `${names.secretPrefix}/`;
  const secretId = [
    { prefix },
    { prefix: `arn:${Aws.PARTITION}:secretsmanager:${Aws.REGION}:${Aws.ACCOUNT_ID}:secret:${prefix}` },
  ];
  const keyId = [storage.keys.data, storage.keys.vault].flatMap((key) => [key.keyId, key.keyArn]);
  return [
    {
      id: 'secret-deleted',
      source: 'aws.secretsmanager',
      detail: {
        eventName: ['DeleteSecret'],
        requestParameters: { secretId },
        // These delete secrets of enrolments every day, and may delete no others.
        userIdentity: { sessionContext: { sessionIssuer: { arn: matchAnyoneExcept(roles.removers) } } },
      },
      target: 'secretId',
      text: 'somebody deleted the secret of a bot. After the recovery period its key is lost for ever. Restore it with `aws secretsmanager restore-secret`.',
    },
    {
      id: 'secret-read-while-deleted',
      source: 'aws.secretsmanager',
      detail: {
        eventName: ['GetSecretValue'],
        errorCode: ['InvalidRequestException'],
        requestParameters: { secretId },
        // These may read the secret of an enrolment that was removed; for a bot's secret there is an alarm.
        userIdentity: { sessionContext: { sessionIssuer: { arn: matchAnyoneExcept(roles.creators) } } },
      },
      target: 'secretId',
      text: 'somebody read the secret of a bot, and it is scheduled for deletion. Restore it with `aws secretsmanager restore-secret`.',
    },
    {
      id: 'key-endangered',
      source: 'aws.kms',
      detail: {
        eventName: ['DisableKey', 'ScheduleKeyDeletion'],
        requestParameters: { keyId: [...keyId, names.alias('data'), names.alias('vault')] },
      },
      target: 'keyId',
      text: 'somebody disabled or deleted a KMS key of Enlist. All that it encrypts is lost with it. Undo this with `aws kms cancel-key-deletion` and `aws kms enable-key`.',
    },
  ];
};

export const createKeyAlerts = (stack: EnlistStack, roles: EnrolmentRoles): void => {
  const { names, alarms, storage, settings } = stack;
  const part = new Construct(stack, 'KeyAlerts');
  const role = createServiceRole(part, 'Role', {
    service: 'events',
    description: `Enlist ${settings.stage}: sends alerts about secrets and keys`,
    policyName: 'publish',
    statements: [
      ...allow(['sns:Publish'], [alarms.topic.topicArn]),
      ...allow(messageActions, [storage.keys.data.keyArn], restrictToService('sns')),
    ],
  });
  for (const { id, source, detail, target, text } of listKeyAlerts(stack, roles)) {
    const by = EventField.fromPath('$.detail.userIdentity.arn');
    const what = EventField.fromPath(`$.detail.requestParameters.${target}`);
    const at = EventField.fromPath('$.detail.eventTime');
    const input = RuleTargetInput.fromText(
      `Enlist ${settings.stage}: ${text} It is ${what}. It was done by ${by} at ${at}. See docs/runbook.md, ${id}.`,
    );
    const bound = input.bind({ node: part.node } as never);
    new CfnRule(part, id, {
      name: names.alarm(id),
      description: `Enlist ${settings.stage}: ${text}`.slice(0, 512),
      eventPattern: { source: [source], 'detail-type': ['AWS API Call via CloudTrail'], detail },
      // Only rules with this state get events of reads.
      state: 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS',
      targets: [
        {
          id: 'topic',
          arn: alarms.topic.topicArn,
          roleArn: role.roleArn,
          inputTransformer: {
            inputPathsMap: bound.inputPathsMap ?? {},
            inputTemplate: bound.inputTemplate ?? '""',
          },
        },
      ],
    });
  }
};
