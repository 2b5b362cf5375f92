import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';

/** Every variable that a function on AWS has. */
const environment: Environment = {
  ENLIST_TABLE: 'enlist',
  ENLIST_UPLOADS_BUCKET: 'uploads',
  ENLIST_SECRET_PREFIX: 'enlist',
  ENLIST_INTAKE_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/intake',
  ENLIST_ENROLL_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/enroll',
  ENLIST_CHECK_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/check',
  ENLIST_REGISTER_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/1/register',
  MIXIN_URL: 'https://api.mixin.one',
  AWS_REGION: 'eu-central-1',
};
const requiredNames = Object.keys(environment);
const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'not-a-key' };

const readMessage = (env: Environment): string => {
  try {
    readConfig(env);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the environment was accepted');
};

test('the environment of a function on AWS is read as a config', () => {
  expect(readConfig({ ...environment, PATH: '/bin' })).toEqual({
    table: 'enlist',
    uploadsBucket: 'uploads',
    secretPrefix: 'enlist',
    auditSeconds: 7 * 86_400,
    queueUrls: {
      intake: environment.ENLIST_INTAKE_QUEUE_URL,
      enroll: environment.ENLIST_ENROLL_QUEUE_URL,
      check: environment.ENLIST_CHECK_QUEUE_URL,
      register: environment.ENLIST_REGISTER_QUEUE_URL,
    },
    mixinUrl: 'https://api.mixin.one',
    registrationSignature: 'shipped',
    aws: { region: 'eu-central-1', endpoints: {} },
  });
});

test('settings of an operator replace the defaults', () => {
  const changed = { ...environment, ENLIST_AUDIT_DAYS: '30', ENLIST_KMS_KEY_ID: 'arn:of-a-key' };
  expect(readConfig(changed)).toMatchObject({ auditSeconds: 30 * 86_400, kmsKeyId: 'arn:of-a-key' });
});

describe('missing and invalid variables', () => {
  test.each(requiredNames)('the error names the missing variable %s and no other', (name) => {
    for (const value of [undefined, ''])
      expect(readMessage({ ...environment, [name]: value })).toBe(
        `environment variables missing or invalid: ${name}`,
      );
  });

  test('all invalid variables are named in one error', () => {
    const message = readMessage({});
    for (const name of requiredNames) expect(message).toContain(name);
  });

  test.each(['ftp://x', 'api.mixin.one', 'javascript:alert(1)'])('MIXIN_URL=%s is refused', (MIXIN_URL) => {
    expect(readMessage({ ...environment, MIXIN_URL })).toContain('MIXIN_URL');
  });

  test('the error for an invalid variable never quotes its value', () => {
    const urls = [
      ...requiredNames.filter((name) => name.endsWith('_URL')),
      'AWS_ENDPOINT_URL',
      'AWS_ENDPOINT_URL_SQS',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...urls, 'MIXIN_REGISTRATION_SIGNATURE'),
        fc.stringMatching(/^[a-z0-9]{12}$/),
        (name, secret) => {
          const message = readMessage({ ...environment, [name]: secret });
          expect(message).toContain(name);
          expect(message).not.toContain(secret);
        },
      ),
    );
  });
});

test('a slash at the end of MIXIN_URL is removed', () => {
  expect(readConfig({ ...environment, MIXIN_URL: 'http://127.0.0.1:8080//' }).mixinUrl).toBe(
    'http://127.0.0.1:8080',
  );
});

test.each(['shipped', 'documented'] as const)('the registration signature may be %s', (signature) => {
  const config = readConfig({ ...environment, MIXIN_REGISTRATION_SIGNATURE: signature });
  expect(config.registrationSignature).toBe(signature);
});

describe('endpoints', () => {
  const one = 'http://127.0.0.1:1';
  const two = 'http://127.0.0.1:2';

  test('AWS_ENDPOINT_URL is used for every service that has no endpoint of its own', () => {
    const { endpoints } = readConfig({ ...environment, AWS_ENDPOINT_URL: one, AWS_ENDPOINT_URL_S3: two }).aws;
    expect(endpoints).toEqual({ dynamodb: one, s3: two, secretsManager: one, sqs: one });
  });

  test('credentials of the environment are used only if every service is an emulator', () => {
    const all = { ...environment, ...keys, AWS_ENDPOINT_URL: one };
    expect(readConfig(all).aws.credentials).toEqual({ accessKeyId: 'id', secretAccessKey: 'not-a-key' });
    const temporary = readConfig({ ...all, AWS_SESSION_TOKEN: 'token' }).aws;
    expect(temporary.credentials).toMatchObject({ sessionToken: 'token' });
    expect(readConfig({ ...environment, ...keys }).aws).not.toHaveProperty('credentials');
    for (const name of ['DYNAMODB', 'S3', 'SECRETS_MANAGER', 'SQS']) {
      const some = { ...environment, ...keys, [`AWS_ENDPOINT_URL_${name}`]: two };
      expect(readConfig(some).aws, name).not.toHaveProperty('credentials');
    }
    const four = Object.fromEntries(
      ['DYNAMODB', 'S3', 'SECRETS_MANAGER', 'SQS'].map((name) => [`AWS_ENDPOINT_URL_${name}`, two]),
    );
    expect(readConfig({ ...environment, ...keys, ...four }).aws).toHaveProperty('credentials');
  });

  test('credentials without a secret key are ignored', () => {
    for (const name of Object.keys(keys)) {
      const half = { ...environment, ...keys, AWS_ENDPOINT_URL: one, [name]: undefined };
      expect(readConfig(half).aws).not.toHaveProperty('credentials');
    }
  });
});
