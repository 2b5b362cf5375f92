/** What the policies of the stack have in common. */
import { Aws } from 'aws-cdk-lib';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

type Conditions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** One statement, or none where there is nothing to allow. */
export const allow = (
  actions: readonly string[],
  resources: readonly string[],
  conditions: Conditions = {},
): PolicyStatement[] =>
  actions.length === 0 || resources.length === 0
    ? []
    : [new PolicyStatement({ actions: [...actions], resources: [...resources], conditions })];

/** A key may be used only through the service whose data it encrypts. */
export const restrictToService = (service: string) => ({
  StringEquals: { 'kms:ViaService': `${service}.${Aws.REGION}.${Aws.URL_SUFFIX}` },
});

/** Against requests that a service makes for another account. */
export const ownAccount = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };

/** What services need that encrypt their data with a key at once, such as DynamoDB and CloudWatch Logs. */
export const encryptionActions = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** What is needed to send and to receive encrypted messages. */
export const messageActions = ['kms:Decrypt', 'kms:GenerateDataKey'];

export interface ServiceRole {
  /** Such as `events`. */
  readonly service: string;
  readonly description: string;
  readonly policyName: string;
  readonly statements: PolicyStatement[];
}

/** The role of a service that acts for this account alone. */
export const createServiceRole = (
  scope: Construct,
  id: string,
  { service, description, policyName, statements }: ServiceRole,
): Role =>
  new Role(scope, id, {
    description,
    assumedBy: new ServicePrincipal(`${service}.amazonaws.com`, { conditions: ownAccount }),
    inlinePolicies: { [policyName]: new PolicyDocument({ statements }) },
  });
