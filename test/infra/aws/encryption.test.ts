import { beforeAll, describe, expect, test } from 'vitest';
import { functionRoles } from './permissions.ts';
import { findResources, flatten, readTarget, synthesise, type Template } from './synthesised.ts';

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise());
}, 60_000);

const keyId = (name: 'Data' | 'Vault') => {
  const matches = findResources(template, 'AWS::KMS::Key').find(([id]) => id.startsWith(name));
  if (!matches) throw new Error(`no key ${name}`);
  return matches[0];
};
const all = (type: string) => {
  const matches = findResources(template, type);
  expect(matches.length).toBeGreaterThan(0);
  return matches;
};
const denials = (type: string, holder: string) =>
  all(type).flatMap(([, { Properties }]) =>
    Properties.PolicyDocument.Statement.filter(
      // biome-ignore lint/suspicious/noExplicitAny: a statement of any shape
      ({ Effect, Condition }: any) =>
        Effect === 'Deny' && Condition.Bool?.['aws:SecureTransport'] === 'false',
    ).map(() => [Properties[holder]].flat().map(readTarget)[0]),
  );

describe('encryption', () => {
  test.each([
    ['AWS::SQS::Queue', 'KmsMasterKeyId'],
    ['AWS::SNS::Topic', 'KmsMasterKeyId'],
    ['AWS::Logs::LogGroup', 'KmsKeyId'],
  ])('every %s is encrypted with the data key', (type, property) => {
    for (const [id, { Properties }] of all(type)) {
      expect([id, readTarget(Properties[property])]).toEqual([id, keyId('Data')]);
    }
  });

  test('the table is encrypted with the data key', () => {
    for (const [, { Properties }] of all('AWS::DynamoDB::Table')) {
      expect(Properties.SSESpecification).toMatchObject({ SSEEnabled: true, SSEType: 'KMS' });
      expect(readTarget(Properties.SSESpecification.KMSMasterKeyId)).toBe(keyId('Data'));
    }
  });

  test('lists are encrypted with the data key, not public, and deleted after a day', () => {
    for (const [, { Properties }] of all('AWS::S3::Bucket')) {
      const [rule] = Properties.BucketEncryption.ServerSideEncryptionConfiguration;
      expect(rule.ServerSideEncryptionByDefault.SSEAlgorithm).toBe('aws:kms');
      expect(readTarget(rule.ServerSideEncryptionByDefault.KMSMasterKeyID)).toBe(keyId('Data'));
      expect(Object.values(Properties.PublicAccessBlockConfiguration)).toEqual([true, true, true, true]);
      expect(Properties.VersioningConfiguration).toBeUndefined();
      expect(Properties.LifecycleConfiguration.Rules).toEqual([
        {
          Status: 'Enabled',
          ExpirationInDays: 1,
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        },
      ]);
    }
  });

  test('secrets have their own key, which the functions get by a variable', () => {
    for (const [, { Properties }] of all('AWS::Lambda::Function')) {
      expect(readTarget(Properties.Environment.Variables.ENLIST_KMS_KEY_ID)).toBe(keyId('Vault'));
    }
  });
});

describe('KMS keys', () => {
  test('KMS keys rotate and outlive the stack', () => {
    for (const [, key] of all('AWS::KMS::Key')) {
      expect(key.Properties).toMatchObject({ EnableKeyRotation: true, PendingWindowInDays: 30 });
      expect([key.DeletionPolicy, key.UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
    }
  });

  test('AWS services may use the KMS keys only for this account', () => {
    for (const [, { Properties }] of all('AWS::KMS::Key')) {
      for (const { Principal, Condition } of Properties.KeyPolicy.Statement) {
        if (Principal.Service !== undefined) expect(Condition).toBeDefined();
      }
    }
    const vault = template.Resources[keyId('Vault')]?.Properties.KeyPolicy.Statement;
    expect(vault.filter(({ Effect }: { Effect: string }) => Effect === 'Allow')).toHaveLength(1);
  });

  test('the key of the vault decrypts through Secrets Manager for functions that read secrets and one named role, and for no administrator', async () => {
    const readDenials = (among: Template) =>
      findResources(among, 'AWS::KMS::Key')
        .flatMap(([, { Properties }]) => Properties.KeyPolicy.Statement)
        .filter(({ Effect }: { Effect: string }) => Effect === 'Deny');
    const [denial, ...others] = readDenials(template);
    expect(others).toEqual([]);
    expect(denial).toMatchObject({ Principal: { AWS: '*' }, Action: 'kms:Decrypt', Resource: '*' });
    expect(flatten(denial.Condition.StringEquals['kms:ViaService'])).toMatch(/^secretsmanager\./);
    const readRoles = (statement: typeof denial) =>
      (statement.Condition.ArnNotLike['aws:PrincipalArn'] as unknown[]).map((arn) =>
        flatten(arn).replace(/^.*:role\//, ''),
      );
    const functions = ['accounts', 'intake', 'enroll', 'check', 'register'];
    expect(readRoles(denial).sort()).toEqual(functions.map((name) => `enlist-prod-${name}Role*`).sort());
    // CloudFormation names a role by the stack and its logical id.
    const roles = functionRoles(template);
    for (const name of functions) {
      expect(roles[name]).toMatch(new RegExp(`^${name}Role`));
      expect(template.Resources[roles[name] ?? '']?.Properties).not.toHaveProperty('RoleName');
    }
    const emergency = await synthesise({ breakGlassRole: 'ops/Emergency' });
    expect(readRoles(readDenials(emergency.template)[0])).toContain('ops/Emergency');
  }, 60_000);

  test('KMS keys of an earlier stack are used again', async () => {
    const arn = (digit: string) =>
      `arn:aws:kms:us-east-1:111122223333:key/${digit.repeat(8)}-0000-0000-0000-000000000000`;
    const again = await synthesise({ dataKeyArn: arn('1'), vaultKeyArn: arn('2') });
    expect(findResources(again.template, 'AWS::KMS::Key')).toEqual([]);
    for (const [, { Properties }] of findResources(again.template, 'AWS::Lambda::Function')) {
      expect(Properties.Environment.Variables.ENLIST_KMS_KEY_ID).toBe(arn('2'));
    }
    expect(findResources(again.template, 'AWS::SQS::Queue')[0]?.[1].Properties.KmsMasterKeyId).toBe(arn('1'));
  }, 60_000);
});

describe('transport', () => {
  test('every queue, the bucket and the topic refuse connections without TLS', () => {
    const ids = (type: string) => all(type).map(([id]) => id);
    expect(denials('AWS::SQS::QueuePolicy', 'Queues').sort()).toEqual([...ids('AWS::SQS::Queue')].sort());
    expect(denials('AWS::S3::BucketPolicy', 'Bucket')).toEqual(ids('AWS::S3::Bucket'));
    expect(denials('AWS::SNS::TopicPolicy', 'Topics')).toEqual(ids('AWS::SNS::Topic'));
  });
});
