/** Two KMS keys: one for the bots' secrets alone, one for everything else. */
import { ArnFormat, Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Names } from './names.ts';
import type { Settings } from './settings.ts';

export interface Keys {
  /** Rows, messages, lists, logs and alarms. */
  readonly data: IKey;
  /** The bots' keystores in Secrets Manager. */
  readonly vault: IKey;
}

/** Whatever a key encrypts is lost with it, so keys outlive the stack. */
const createKey = (scope: Construct, id: string, alias: string, description: string, days: number) =>
  new Key(scope, id, {
    alias,
    description,
    enableKeyRotation: true,
    pendingWindow: Duration.days(days),
    removalPolicy: RemovalPolicy.RETAIN,
  });

const ownAccount = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };

/** Allows the services that use the data key on their own behalf. */
const allowServices = (scope: Construct, key: Key, names: Names) => {
  const stack = Stack.of(scope);
  const logGroups = stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: `${names.logGroup('*')}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'NotifyIntakeOfInbox',
      principals: [new ServicePrincipal('s3.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
      conditions: {
        ...ownAccount,
        ArnEquals: { 'aws:SourceArn': `arn:${Aws.PARTITION}:s3:::${names.bucket}` },
      },
    }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'SendAlarms',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
      conditions: ownAccount,
    }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'EncryptLogs',
      principals: [new ServicePrincipal(`logs.${Aws.REGION}.${Aws.URL_SUFFIX}`)],
      actions: [
        'kms:Decrypt',
        'kms:DescribeKey',
        'kms:Encrypt',
        'kms:GenerateDataKey',
        'kms:GenerateDataKeyWithoutPlaintext',
        'kms:ReEncryptFrom',
        'kms:ReEncryptTo',
      ],
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    }),
  );
};

export const createKeys = (scope: Construct, names: Names, settings: Settings): Keys => {
  const { dataKeyArn, vaultKeyArn, keyDeletionWindowDays: days, stage } = settings;
  const createDataKey = () => {
    const description = `Enlist ${stage}: rows, messages, lists, logs`;
    const key = createKey(scope, 'DataKey', names.alias('data'), description, days);
    allowServices(scope, key, names);
    return key;
  };
  return {
    data: dataKeyArn === undefined ? createDataKey() : Key.fromKeyArn(scope, 'DataKey', dataKeyArn),
    vault:
      vaultKeyArn === undefined
        ? createKey(scope, 'VaultKey', names.alias('vault'), `Enlist ${stage}: keystores of bots`, days)
        : Key.fromKeyArn(scope, 'VaultKey', vaultKeyArn),
  };
};
