/** Who may do what: the whole list, so that a permission that comes or goes is seen by its name. */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, test } from 'vitest';
import { secretPrefix } from '../../../infra/aws/settings.ts';
import { createVault } from '../../../lib/aws/vault/vault.ts';
import { enrolmentRecoveryDays } from '../../../lib/model/mixin.ts';
import type { Keys, Vault } from '../../../lib/model/ports.ts';
import { differences, functionRoles, permissionsOf } from './permissions.ts';
import { flatten, resourcesOf, synthesise, type Template } from './synthesised.ts';

const all = (actions: string, on: string) => actions.split(' ').map((action) => `${action} on ${on}`);

/** What every function has: its rows, its log, its traces, and the key of rows and messages. */
const everyone = (name: string) => [
  ...all('dynamodb:GetItem dynamodb:UpdateItem', 'table'),
  ...all(
    'kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:ReEncryptFrom kms:ReEncryptTo',
    'data key through dynamodb',
  ),
  ...all('kms:Decrypt kms:GenerateDataKey', 'data key through sqs'),
  ...all('logs:CreateLogStream logs:PutLogEvents', `log ${name}`),
  ...all('xray:PutTelemetryRecords xray:PutTraceSegments', '*'),
];
const sends = (...queues: string[]) =>
  queues.flatMap((name) => all('sqs:GetQueueAttributes sqs:SendMessage', `queue ${name}`));
const drains = (name: string) =>
  all(
    'sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage',
    `queue ${name}`,
  );
const secrets = (actions: string) => all(actions, 'secrets enlist/*');

/** A key is stored under the enrolment, then under its account; the first copy goes, with some days to restore it. */
const enrols = [
  ...secrets('secretsmanager:CreateSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue'),
  'secretsmanager:DeleteSecret on secrets enlist/enrolment/* with recovery',
  ...all('kms:Decrypt kms:GenerateDataKey', 'vault key through secretsmanager'),
];

const argued = {
  api: [
    ...everyone('api'),
    ...all('dynamodb:BatchGetItem dynamodb:PutItem dynamodb:Query', 'table'),
    ...all('dynamodb:Query', 'index by_batch'),
    ...sends('intake', 'enroll', 'check'),
    ...all('s3:PutObject', 'objects *'),
    ...all('kms:GenerateDataKey', 'data key through s3'),
  ],
  accounts: [
    ...everyone('accounts'),
    ...all('dynamodb:PutItem', 'table'),
    ...sends('enroll', 'check'),
    ...enrols,
  ],
  intake: [
    ...everyone('intake'),
    ...all('dynamodb:BatchWriteItem dynamodb:PutItem', 'table'),
    ...drains('intake'),
    ...sends('intake', 'enroll', 'check'),
    ...all('s3:DeleteObject s3:GetObject s3:PutObject', 'objects *'),
    ...all('s3:ListBucket', 'bucket'),
    ...all('kms:Decrypt kms:GenerateDataKey', 'data key through s3'),
    ...secrets('secretsmanager:CreateSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue'),
    ...all('kms:Decrypt kms:GenerateDataKey', 'vault key through secretsmanager'),
  ],
  enroll: [
    ...everyone('enroll'),
    ...all('dynamodb:PutItem', 'table'),
    ...drains('enroll'),
    ...sends('enroll', 'check'),
    ...enrols,
  ],
  check: [
    ...everyone('check'),
    ...drains('check'),
    ...sends('enroll', 'check', 'register'),
    ...secrets('secretsmanager:GetSecretValue'),
    ...all('kms:Decrypt', 'vault key through secretsmanager'),
  ],
  register: [
    ...everyone('register'),
    ...drains('register'),
    ...sends('check', 'register'),
    ...secrets('secretsmanager:GetSecretValue secretsmanager:PutSecretValue'),
    ...all('kms:Decrypt kms:GenerateDataKey', 'vault key through secretsmanager'),
  ],
  recheck: [...everyone('recheck'), ...all('dynamodb:Query', 'index by_due'), ...sends('enroll', 'check')],
} as const;

const ID = '0e000000-0000-4000-8000-000000000001';

/** What the vault asks a Secrets Manager for that has nothing. */
const askedBy = async (call: (vault: Vault) => Promise<unknown>, prefix = 'enlist'): Promise<unknown> => {
  const asked: unknown[] = [];
  const send = async ({ input }: { input: unknown }) => {
    asked.push(input);
    throw Object.assign(new Error(), { name: 'ResourceNotFoundException' });
  };
  const client = { send } as unknown as SecretsManagerClient;
  await call(createVault({ client, prefix, keys: {} as Keys }));
  return asked[0];
};

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise());
}, 60_000);

const linesOf = (name: string) => permissionsOf(template, functionRoles(template)[name] ?? '');
const unique = (lines: readonly string[]) => [...new Set(lines)].sort();

describe('the role of each function', () => {
  test('has what was argued for and nothing else', () => {
    expect(differences(template, argued)).toEqual([]);
  });

  test.each(Object.entries(argued))('%s: the whole list', (name, lines) => {
    expect(linesOf(name)).toEqual(unique(lines));
  });

  test('each function has a role of its own, which only Lambda can assume', () => {
    const roles = Object.values(functionRoles(template));
    expect(new Set(roles).size).toBe(roles.length);
    for (const role of roles) {
      const trust = template.Resources[role]?.Properties.AssumeRolePolicyDocument;
      const [statement, ...more] = trust.Statement;
      expect(more).toEqual([]);
      expect(statement).toMatchObject({ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } });
    }
  });
});

describe('secrets', () => {
  const readers = () =>
    Object.keys(functionRoles(template)).filter((name) =>
      linesOf(name).some((line) => line.startsWith('secretsmanager:GetSecretValue')),
    );

  test('only these functions may read secrets', () => {
    expect(readers().sort()).toEqual(['accounts', 'check', 'enroll', 'intake', 'register']);
  });

  test.each(['api', 'recheck'])('%s may use neither secrets nor their key', (name) => {
    expect(linesOf(name).filter((line) => /secretsmanager|vault key/.test(line))).toEqual([]);
  });

  test('accounts and enroll may delete secrets of enrolments, which can be restored for some days', async () => {
    const statements = deletions(template);
    expect(statements.map(({ at }) => at).sort()).toEqual(
      ['accounts', 'enroll'].map((name) => functionRoles(template)[name]).sort(),
    );
    for (const { actions, condition } of statements) {
      expect(actions).toEqual(['secretsmanager:DeleteSecret']);
      expect(condition).toEqual({ BoolIfExists: { 'secretsmanager:ForceDeleteWithoutRecovery': 'false' } });
    }
    expect(await askedBy((vault) => vault.removeEnrolment(ID))).toEqual({
      SecretId: `enlist/enrolment/${ID}`,
      RecoveryWindowInDays: enrolmentRecoveryDays,
    });
  });

  test.each(['prod', 'test', 'enrolment'])(
    'no function may delete the secret of a bot, in a stage named %s',
    async (stage) => {
      const { template: made } = await synthesise({ stage });
      const prefix = secretPrefix(stage);
      const [resources, ...others] = new Set(deletions(made).map((it) => it.resources.join(' ')));
      expect(others).toEqual([]);
      expect(resources).toMatch(new RegExp(`:secret:${prefix}/enrolment/\\*$`));
      // A bot's secret is named by its user id, a UUID, and an ARN has a random ending: none lies there.
      const { SecretId } = (await askedBy((vault) => vault.readKeystore(ID), prefix)) as { SecretId: string };
      expect(SecretId).toBe(`${prefix}/${ID}`);
      expect(`${SecretId}-AbCdEf`.startsWith(`${prefix}/enrolment/`)).toBe(false);
    },
    60_000,
  );

  test('the stack allows only these actions on secrets: it moves no label, changes no policy, deletes no key', () => {
    const text = JSON.stringify(template.Resources);
    expect([...new Set(text.match(/secretsmanager:[A-Z]\w+/g))].sort()).toEqual([
      'secretsmanager:CreateSecret',
      'secretsmanager:DeleteSecret',
      'secretsmanager:ForceDeleteWithoutRecovery',
      'secretsmanager:GetSecretValue',
      'secretsmanager:PutSecretValue',
    ]);
    expect(text).not.toContain('kms:ScheduleKeyDeletion');
  });

  test('a stage may use only its own secrets', async () => {
    const other = await synthesise({ stage: 'test' });
    const roles = functionRoles(other.template);
    const lines = permissionsOf(other.template, roles.register ?? '').filter((line) =>
      line.includes('secrets '),
    );
    expect(lines).toEqual(
      all('secretsmanager:GetSecretValue secretsmanager:PutSecretValue', 'secrets enlist-test/*'),
    );
  }, 60_000);
});

describe('the other roles', () => {
  test('the other roles may start recheck and send alerts, nothing else', () => {
    const functions = new Set(Object.values(functionRoles(template)));
    const others = resourcesOf(template, 'AWS::IAM::Role').filter(([id]) => !functions.has(id));
    const lines = others.map(([id, { Properties }]) => [Properties.Description, permissionsOf(template, id)]);
    expect(Object.fromEntries(lines)).toEqual({
      'Enlist prod: starts recheck': [
        ...all('kms:Decrypt kms:GenerateDataKey', 'data key through sqs'),
        'lambda:InvokeFunction on function recheck',
        'sqs:SendMessage on queue recheck-dead-letters',
      ],
      'Enlist prod: sends alerts about secrets and keys': [
        ...all('kms:Decrypt kms:GenerateDataKey', 'data key through sns'),
        'sns:Publish on alarm topic',
      ],
    });
  });
});

interface Allow {
  readonly at: string;
  readonly actions: string[];
  readonly resources: string[];
  readonly condition: unknown;
}

/** Every Allow of every policy, with the logical id it stands in. */
const allows = (among: Template) => {
  const found: Allow[] = [];
  const look = (at: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    const { Effect, Action, Resource, Condition } = value as Readonly<Record<string, unknown>>;
    if (Effect === 'Allow') {
      found.push({
        at,
        actions: [Action ?? []].flat() as string[],
        resources: [Resource ?? []].flat().map(flatten),
        condition: Condition,
      });
    }
    for (const inner of Object.values(value)) look(at, inner);
  };
  for (const [id, { Properties }] of Object.entries(among.Resources)) look(id, Properties);
  return found;
};

const deletions = (among: Template) =>
  allows(among).filter(({ actions }) => actions.includes('secretsmanager:DeleteSecret'));

describe('wildcards', () => {
  test('no action has a wildcard, except that the account may manage its own keys', () => {
    const wild = allows(template).filter(({ actions }) => actions.some((action) => action.includes('*')));
    const types = wild.map(({ at, actions }) => `${template.Resources[at]?.Type} ${actions}`);
    expect([...new Set(types)]).toEqual(['AWS::KMS::Key kms:*']);
  });

  test('only these resources have a wildcard', () => {
    const keyPolicies = new Set(resourcesOf(template, 'AWS::KMS::Key').map(([id]) => id));
    const wild = allows(template)
      .filter(({ at }) => !keyPolicies.has(at))
      .flatMap(({ resources }) => resources.filter((resource) => resource.includes('*')))
      .map((resource) => resource.replace(/\$\{[^}]*\}/g, '…'));
    expect([...new Set(wild)].sort()).toEqual([
      // Traces: X-Ray names no resources.
      '*',
      // One API, all its routes, for operators.
      'arn:…:execute-api:…:…:…/*/*/*',
      // One secret a bot, of this stage.
      'arn:…:secretsmanager:…:…:secret:enlist/*',
      // Deletion: secrets of enrolments alone.
      'arn:…:secretsmanager:…:…:secret:enlist/enrolment/*',
      // Lists in the one bucket; operators only in its inbox.
      '…/*',
      '…/inbox/*',
    ]);
  });

  test('only the actions for traces name no resource', () => {
    const unnamed = allows(template).filter(
      ({ at, resources }) => template.Resources[at]?.Type === 'AWS::IAM::Role' && resources.includes('*'),
    );
    for (const { actions } of unnamed) {
      expect(actions).toEqual(['xray:PutTelemetryRecords', 'xray:PutTraceSegments']);
    }
  });
});

describe('a change of a role', () => {
  const changed = (name: string, change: (statement: { Action: string | string[] }) => void): Template => {
    const copy = structuredClone(template);
    const role = copy.Resources[functionRoles(copy)[name] ?? ''];
    for (const statement of role?.Properties.Policies[0].PolicyDocument.Statement ?? []) change(statement);
    return copy;
  };

  test('is seen by its name when any one action is taken away', () => {
    for (const name of Object.keys(argued)) {
      const actions = new Set(linesOf(name).map((line) => line.split(' ')[0] ?? ''));
      for (const action of actions) {
        const less = changed(name, (statement) => {
          statement.Action = [statement.Action].flat().filter((it) => it !== action);
        });
        const told = differences(less, argued);
        expect(told.length).toBeGreaterThan(0);
        for (const line of told) expect(line).toMatch(`the role of ${name} lacks ${action} on `);
      }
    }
  });

  test('is seen by its name when an action is added', () => {
    const more = changed('api', (statement) => {
      const actions = [statement.Action].flat();
      if (actions.includes('s3:PutObject')) statement.Action = [...actions, 's3:GetObject'];
    });
    expect(differences(more, argued)).toEqual(['the role of api has s3:GetObject on objects *, unargued']);
  });

  test('is seen when a policy of its own is attached', () => {
    const copy = structuredClone(template);
    const role = functionRoles(copy).recheck ?? '';
    copy.Resources.Extra = {
      Type: 'AWS::IAM::Policy',
      Properties: {
        Roles: [{ Ref: role }],
        PolicyDocument: {
          Statement: [{ Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: '*' }],
        },
      },
    };
    expect(differences(copy, argued)).toEqual([
      'the role of recheck has secretsmanager:GetSecretValue on *, unargued',
    ]);
  });
});
