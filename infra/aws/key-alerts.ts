/**
 * Notices at once where somebody touches what holds keys. They come by CloudTrail: an account without a trail
 * gets none, and the stack works all the same.
 */
import { Aws } from 'aws-cdk-lib';
import { CfnRule, EventField, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { type IRole, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { House } from './stack-context.ts';

interface Notice {
  readonly id: string;
  readonly source: string;
  readonly detail: Record<string, unknown>;
  /** Which field of the request names what was touched. */
  readonly touched: string;
  readonly text: string;
}

/** Roles of the functions that handle secrets of enrolments: those come and go, and nobody is told of it. */
export interface Enrolling {
  readonly makers: readonly IRole[];
  readonly removers: readonly IRole[];
}

/** Whoever wears no role at all is told of, too. */
const anybodyBut = (roles: readonly IRole[]) => [
  { 'anything-but': roles.map(({ roleArn }) => roleArn) },
  { exists: false },
];

const noticesFor = ({ keeping, names }: House, enrolling: Enrolling): readonly Notice[] => {
  const prefix = `${keeping.secretPrefix}/`;
  const secretId = [
    { prefix },
    { prefix: `arn:${Aws.PARTITION}:secretsmanager:${Aws.REGION}:${Aws.ACCOUNT_ID}:secret:${prefix}` },
  ];
  const keyId = [keeping.keys.data, keeping.keys.vault].flatMap((key) => [key.keyId, key.keyArn]);
  return [
    {
      id: 'secret-deleted',
      source: 'aws.secretsmanager',
      detail: {
        eventName: ['DeleteSecret'],
        requestParameters: { secretId },
        // These delete the secrets of enrolments every day, and may delete no others.
        userIdentity: { sessionContext: { sessionIssuer: { arn: anybodyBut(enrolling.removers) } } },
      },
      touched: 'secretId',
      text: 'somebody deletes the secret of a bot. When the waiting time is over its key is lost for ever. Restore it with `aws secretsmanager restore-secret`.',
    },
    {
      id: 'secret-read-while-deleted',
      source: 'aws.secretsmanager',
      detail: {
        eventName: ['GetSecretValue'],
        errorCode: ['InvalidRequestException'],
        requestParameters: { secretId },
        // These may ask for an enrolment's secret that was removed, and tell of a bot's by an alarm.
        userIdentity: { sessionContext: { sessionIssuer: { arn: anybodyBut(enrolling.makers) } } },
      },
      touched: 'secretId',
      text: 'a secret of a bot was asked for that is scheduled for deletion. Restore it with `aws secretsmanager restore-secret`.',
    },
    {
      id: 'key-endangered',
      source: 'aws.kms',
      detail: {
        eventName: ['DisableKey', 'ScheduleKeyDeletion'],
        requestParameters: { keyId: [...keyId, names.alias('data'), names.alias('vault')] },
      },
      touched: 'keyId',
      text: 'somebody disables or deletes a KMS key of Enlist. With it goes all that it encrypts. Undo it with `aws kms cancel-key-deletion` and `aws kms enable-key`.',
    },
  ];
};

export const makeNotices = (scope: Construct, house: House, enrolling: Enrolling): void => {
  const { names, alarms, keeping, settings } = house;
  const place = new Construct(scope, 'Notices');
  const role = new Role(place, 'Role', {
    description: `Enlist ${settings.stage}: tells of touched secrets and keys`,
    assumedBy: new ServicePrincipal('events.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
    inlinePolicies: {
      tell: new PolicyDocument({
        statements: [
          new PolicyStatement({ actions: ['sns:Publish'], resources: [alarms.topic.topicArn] }),
          new PolicyStatement({
            actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
            resources: [keeping.keys.data.keyArn],
            conditions: { StringEquals: { 'kms:ViaService': `sns.${Aws.REGION}.${Aws.URL_SUFFIX}` } },
          }),
        ],
      }),
    },
  });
  for (const { id, source, detail, touched, text } of noticesFor(house, enrolling)) {
    const by = EventField.fromPath('$.detail.userIdentity.arn');
    const what = EventField.fromPath(`$.detail.requestParameters.${touched}`);
    const at = EventField.fromPath('$.detail.eventTime');
    const input = RuleTargetInput.fromText(
      `Enlist ${settings.stage}: ${text} It is ${what}. By ${by} at ${at}. See docs/runbook.md, ${id}.`,
    );
    const bound = input.bind({ node: place.node } as never);
    new CfnRule(place, id, {
      name: names.alarm(id),
      description: `Enlist ${settings.stage}: ${text}`.slice(0, 512),
      eventPattern: { source: [source], 'detail-type': ['AWS API Call via CloudTrail'], detail },
      // Reads are told of only to rules that ask for them.
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
