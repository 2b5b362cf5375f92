/** Two KMS keys: one for the bots' secrets alone, one for everything else. */
import { ArnFormat, Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { functionNames } from '../../lib/model/deployment.ts';
import { permissions } from '../../lib/model/permissions.ts';
import type { Names } from './names.ts';
import type { Settings } from './settings.ts';
import { encryptionActions, messageActions, ownAccount, restrictToService } from './statements.ts';

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

/**
 * Keys leave the vault through Secrets Manager, which decrypts with this key for whoever asks. An administrator of the
 * account may ask too, so all are denied it but the roles of functions that read secrets, and one for emergencies. The
 * roles do not exist before the key does: they are told by the names that CloudFormation gives them.
 */
const denyOthers = (scope: Construct, key: Key, names: Names, breakGlassRole: string | undefined) => {
  const formatRole = (name: string) =>
    Stack.of(scope).formatArn({ service: 'iam', region: '', resource: 'role', resourceName: name });
  const readers = functionNames.filter((name) => permissions[name].secrets.length > 0);
  const roles = [
    ...readers.map((name) => formatRole(`${names.stack}-${name}Role*`)),
    ...(breakGlassRole === undefined ? [] : [formatRole(breakGlassRole)]),
  ];
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'OnlyFunctionsReadSecrets',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['kms:Decrypt'],
      resources: ['*'],
      conditions: { ...restrictToService('secretsmanager'), ArnNotLike: { 'aws:PrincipalArn': roles } },
    }),
  );
};

const createVaultKey = (scope: Construct, names: Names, settings: Settings): Key => {
  const { breakGlassRole, keyDeletionWindowDays: days, stage } = settings;
  const key = createKey(scope, 'VaultKey', names.alias('vault'), `Enlist ${stage}: keystores of bots`, days);
  denyOthers(scope, key, names, breakGlassRole);
  return key;
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
        ? createVaultKey(scope, names, settings)
        : Key.fromKeyArn(scope, 'VaultKey', vaultKeyArn),
  };
};
