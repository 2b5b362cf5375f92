/** The IAM policies of the template, compared with the calls of the functions, and with what none of them may do. */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, test } from 'vitest';
import { startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { deriveNames } from '../../../infra/aws/names.ts';
import { createVault } from '../../../lib/aws/vault/vault.ts';
import { functionNames } from '../../../lib/model/deployment.ts';
import type { Keys, Vault } from '../../../lib/model/ports.ts';
import { enrolmentRecoveryDays } from '../../../lib/model/timing.ts';
import { waitFor } from '../../helpers/stack.ts';
import { type RecordedCalls, recordCalls } from './calls.ts';
import { functionRoles, listPermissions } from './permissions.ts';
import { findResources, flatten, synthesise, type Template } from './synthesised.ts';

const all = (actions: string, on: string) => actions.split(' ').map((action) => `${action} on ${on}`);

/** Permissions that a list and a sign-in do not need, but retries, crashes, network users or lists of many chunks. */
const UNUSED: readonly string[] = [
  'api: sqs:SendMessage on queue enroll',
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

/** The first request of the vault to a Secrets Manager without secrets. */
const recordRequest = async (
  call: (vault: Vault) => Promise<unknown>,
  prefix = 'enlist',
): Promise<unknown> => {
  const requests: unknown[] = [];
  const send = async ({ input }: { input: unknown }) => {
    requests.push(input);
    throw Object.assign(new Error(), { name: 'ResourceNotFoundException' });
  };
  const client = { send } as unknown as SecretsManagerClient;
  await call(createVault({ client, prefix, keys: {} as Keys }));
  return requests[0];
};

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise());
}, 60_000);

const listLines = (name: string) => listPermissions(template, functionRoles(template)[name] ?? '');

/** The calls as the role's permissions name them: one for all secrets is one for those of enrolments too. */
const nameAsAllowed = (calls: ReadonlySet<string>, allowed: ReadonlySet<string>) =>
  new Set(
    [...calls].map((line) =>
      allowed.has(line) ? line : line.replace('secrets enlist/enrolment/*', 'secrets enlist/*'),
    ),
  );

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
      const allowed = new Set(listLines(name));
      expect(calls[name].size).toBeGreaterThan(2);
      // The smoke test of api asks for a list that it may not read: a refusal shows that the bucket exists.
      const refusals = name === 'api' ? ['s3:GetObject on objects *'] : [];
      const named = [...nameAsAllowed(calls[name], allowed)];
      expect(named.filter((line) => !allowed.has(line))).toEqual(refusals);
    },
  );

  test('a list and a sign-in use all permissions but the listed ones', () => {
    const unused = functionNames.flatMap((name) => {
      const used = nameAsAllowed(calls[name], new Set(listLines(name)));
      return listLines(name)
        .filter((line) => /^(dynamodb|s3|secretsmanager|sqs):/.test(line) && !used.has(line))
        .map((line) => `${name}: ${line}`);
    });
    expect(unused.filter((line) => !UNUSED.includes(line))).toEqual([]);
    expect(unused.length).toBeGreaterThan(10);
  });
});

describe('the roles of the functions', () => {
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
      listLines(name).some((line) => line.startsWith('secretsmanager:GetSecretValue')),
    );

  test('only these functions may read secrets', () => {
    expect(readers().sort()).toEqual(['accounts', 'check', 'enroll', 'intake', 'register']);
  });

  test('accounts, which answers HTTP, may create and read secrets of enrolments, and touch no other', () => {
    expect(listLines('accounts').filter((line) => line.includes('secretsmanager:'))).toEqual(
      all('secretsmanager:CreateSecret secretsmanager:GetSecretValue', 'secrets enlist/enrolment/*'),
    );
  });

  test.each(['api', 'recheck'])('%s may use neither secrets nor their key', (name) => {
    expect(listLines(name).filter((line) => /secretsmanager|vault key/.test(line))).toEqual([]);
  });

  test('enroll may delete secrets of enrolments, which can be restored for some days', async () => {
    const statements = findDeletions(template);
    expect(statements.map(({ at }) => at).sort()).toEqual(
      ['enroll'].map((name) => functionRoles(template)[name]),
    );
    for (const { actions, condition } of statements) {
      expect(actions).toEqual(['secretsmanager:DeleteSecret']);
      expect(condition).toEqual({ BoolIfExists: { 'secretsmanager:ForceDeleteWithoutRecovery': 'false' } });
    }
    expect(await recordRequest((vault) => vault.removeEnrolment(ID))).toEqual({
      SecretId: `enlist/enrolment/${ID}`,
      RecoveryWindowInDays: enrolmentRecoveryDays,
    });
  });

  test.each(['prod', 'test', 'enrolment'])(
    'no function may delete the secret of a bot, in a stage named %s',
    async (stage) => {
      const { template: stageTemplate } = await synthesise({ stage });
      const prefix = deriveNames(stage).secretPrefix;
      const [resources, ...others] = new Set(
        findDeletions(stageTemplate).map((it) => it.resources.join(' ')),
      );
      expect(others).toEqual([]);
      expect(resources).toMatch(new RegExp(`:secret:${prefix}/enrolment/\\*$`));
      // A bot's secret is named by its user id, a UUID, and an ARN has a random ending: none begins with this prefix.
      const { SecretId } = (await recordRequest((vault) => vault.readKeystore(ID), prefix)) as {
        SecretId: string;
      };
      expect(SecretId).toBe(`${prefix}/${ID}`);
      expect(`${SecretId}-AbCdEf`.startsWith(`${prefix}/enrolment/`)).toBe(false);
    },
    60_000,
  );

  test('the stack allows only these actions on secrets, and none that moves a label, changes a policy or deletes a key', () => {
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
    const lines = listPermissions(other.template, roles.register ?? '').filter((line) =>
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
    const others = findResources(template, 'AWS::IAM::Role').filter(([id]) => !functions.has(id));
    const lines = others.map(([id, { Properties }]) => [
      Properties.Description,
      listPermissions(template, id),
    ]);
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

/** Every Allow of every policy, with the logical id of its resource. */
const findAllows = (among: Template) => {
  const statements: Allow[] = [];
  const collect = (at: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    const { Effect, Action, Resource, Condition } = value as Readonly<Record<string, unknown>>;
    if (Effect === 'Allow') {
      statements.push({
        at,
        actions: [Action ?? []].flat() as string[],
        resources: [Resource ?? []].flat().map(flatten),
        condition: Condition,
      });
    }
    for (const inner of Object.values(value)) collect(at, inner);
  };
  for (const [id, { Properties }] of Object.entries(among.Resources)) collect(id, Properties);
  return statements;
};

const findDeletions = (among: Template) =>
  findAllows(among).filter(({ actions }) => actions.includes('secretsmanager:DeleteSecret'));

describe('wildcards', () => {
  test('no action has a wildcard, except that the account may manage its own keys', () => {
    const withWildcard = findAllows(template).filter(({ actions }) =>
      actions.some((action) => action.includes('*')),
    );
    const types = withWildcard.map(({ at, actions }) => `${template.Resources[at]?.Type} ${actions}`);
    expect([...new Set(types)]).toEqual(['AWS::KMS::Key kms:*']);
  });

  test('only these resources have a wildcard', () => {
    const keyPolicies = new Set(findResources(template, 'AWS::KMS::Key').map(([id]) => id));
    const withWildcard = findAllows(template)
      .filter(({ at }) => !keyPolicies.has(at))
      .flatMap(({ resources }) => resources.filter((resource) => resource.includes('*')))
      .map((resource) => resource.replace(/\$\{[^}]*\}/g, '…'));
    expect([...new Set(withWildcard)].sort()).toEqual([
      // Traces: X-Ray names no resources.
      '*',
      // The stack, which operators look up by its name.
      'arn:…:cloudformation:…:…:stack/enlist-prod/*',
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
    const wildStatements = findAllows(template).filter(
      ({ at, resources }) => template.Resources[at]?.Type === 'AWS::IAM::Role' && resources.includes('*'),
    );
    for (const { actions } of wildStatements) {
      expect(actions).toEqual(['xray:PutTelemetryRecords', 'xray:PutTraceSegments']);
    }
  });
});
