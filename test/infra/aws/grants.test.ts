/** The IAM policies of the template, against what the functions really call, and what none of them may do. */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, test } from 'vitest';
import { startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { deriveNames } from '../../../infra/aws/names.ts';
import { createVault } from '../../../lib/aws/vault/vault.ts';
import { functionNames } from '../../../lib/model/deployment.ts';
import { enrolmentRecoveryDays } from '../../../lib/model/timing.ts';
import type { Keys, Vault } from '../../../lib/model/ports.ts';
import { waitFor } from '../../helpers/stack.ts';
import { type RecordedCalls, recordCalls } from './calls.ts';
import { functionRoles, permissionsOf } from './permissions.ts';
import { flatten, resourcesOf, synthesise, type Template } from './synthesised.ts';

const all = (actions: string, on: string) => actions.split(' ').map((action) => `${action} on ${on}`);

/** Permissions for what a list and a sign-in do not need: retries, crashes, network users, lists of many chunks. */
const UNUSED: readonly string[] = [
  'api: sqs:SendMessage on queue enroll',
  'accounts: secretsmanager:PutSecretValue on secrets enlist/*',
  'accounts: sqs:SendMessage on queue enroll',
  'intake: dynamodb:BatchWriteItem on table',
  'intake: s3:ListBucket on bucket',
  'intake: secretsmanager:PutSecretValue on secrets enlist/*',
  'intake: sqs:ChangeMessageVisibility on queue intake',
  'intake: sqs:SendMessage on queue enroll',
  'enroll: dynamodb:PutItem on table',
  'enroll: dynamodb:UpdateItem on table',
  'enroll: secretsmanager:CreateSecret on secrets enlist/*',
  'enroll: secretsmanager:DeleteSecret on secrets enlist/enrolment/* with recovery',
  'enroll: secretsmanager:PutSecretValue on secrets enlist/*',
  'enroll: sqs:ChangeMessageVisibility on queue enroll',
  'enroll: sqs:DeleteMessage on queue enroll',
  'enroll: sqs:SendMessage on queue check',
  'enroll: sqs:SendMessage on queue enroll',
  'check: sqs:ChangeMessageVisibility on queue check',
  'check: sqs:SendMessage on queue check',
  'check: sqs:SendMessage on queue enroll',
  'register: sqs:ChangeMessageVisibility on queue register',
  'register: sqs:SendMessage on queue check',
  'register: sqs:SendMessage on queue register',
  'recheck: dynamodb:UpdateItem on table',
  'recheck: sqs:SendMessage on queue check',
  'recheck: sqs:SendMessage on queue enroll',
];

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

describe('calls to AWS', () => {
  let calls: RecordedCalls;
  beforeAll(async () => {
    const standIn = await startMixinStandIn({});
    const post = async (url: string, body: unknown) => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await answer.json()) as Readonly<Record<string, unknown>>;
    };
    try {
      calls = await recordCalls(standIn.url, async (url, recheckNow) => {
        for (const name of functionNames) await post(`${url}/2015-03-31/functions/${name}/invocations`, {});
        const users = await Promise.all([standIn.createUser(), standIn.createUser({ session: 'revoked' })]);
        const { batch_id } = await post(
          `${url}/batches`,
          users.map(({ keystore }) => keystore),
        );
        const phone = '+8613800000000';
        standIn.preparePhone({ phone });
        const { verification_id } = await post(`${url}/accounts/verifications`, { phone });
        const code = standIn.verifications().find((it) => it.phone === phone)?.code;
        await post(`${url}/accounts/verifications/${verification_id}`, { code });
        await waitFor(async () => {
          const batch = (await (await fetch(`${url}/batches/${batch_id}`)).json()) as { finished?: number };
          return batch.finished === users.length;
        }, 60_000);
        await fetch(`${url}/batches/${batch_id}/bots`);
        await post(`${url}/batches/${batch_id}/retry`, {});
        await recheckNow();
      });
    } finally {
      await standIn.stop();
    }
  }, 120_000);

  test.each(functionNames)(
    'the role of %s allows every call that it makes for a list and a sign-in',
    (name) => {
      const allowed = new Set(linesOf(name));
      expect(calls[name].size).toBeGreaterThan(2);
      // The smoke test of api asks for a list that it may not read: a refusal shows that the bucket exists.
      const refused = name === 'api' ? ['s3:GetObject on objects *'] : [];
      expect([...calls[name]].filter((line) => !allowed.has(line))).toEqual(refused);
    },
  );

  test('a list and a sign-in use all permissions but these', () => {
    const unused = functionNames.flatMap((name) =>
      linesOf(name)
        .filter((line) => /^(dynamodb|s3|secretsmanager|sqs):/.test(line) && !calls[name].has(line))
        .map((line) => `${name}: ${line}`),
    );
    expect(unused.filter((line) => !UNUSED.includes(line))).toEqual([]);
    expect(unused.length).toBeGreaterThan(10);
  });
});

describe('the role of each function', () => {
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
      const prefix = deriveNames(stage).secretPrefix;
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
