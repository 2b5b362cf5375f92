/** Two KMS keys: one for the bots' secrets alone, one for everything else. */
import { ArnFormat, Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Names } from './names.ts';
import type { Settings } from './settings.ts';
import { encryptionActions, messageActions, ownAccount } from './statements.ts';

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

/** Allows the services that use the data key on their own behalf. */
const allowServices = (scope: Construct, key: Key, names: Names) => {
  const logGroups = Stack.of(scope).formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: names.logGroup('*'),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  const allowService = (sid: string, service: string, actions: string[], conditions: object) =>
    key.addToResourcePolicy(
      new PolicyStatement({
        sid,
        principals: [new ServicePrincipal(service)],
        actions,
        resources: ['*'],
        conditions: { ...conditions },
      }),
    );
  allowService('NotifyIntakeOfInbox', 's3.amazonaws.com', messageActions, {
    ...ownAccount,
    ArnEquals: { 'aws:SourceArn': `arn:${Aws.PARTITION}:s3:::${names.bucket}` },
  });
  allowService('SendAlarms', 'cloudwatch.amazonaws.com', messageActions, ownAccount);
  allowService('EncryptLogs', `logs.${Aws.REGION}.${Aws.URL_SUFFIX}`, encryptionActions, {
    ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups },
  });
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
