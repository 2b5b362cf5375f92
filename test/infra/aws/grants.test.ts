/** Who may do what: the whole list, so that a permission that comes or goes is seen by its name. */
import { beforeAll, describe, expect, it } from 'vitest';
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

const argued = {
  api: [
    ...everyone('api'),
    ...all('dynamodb:BatchGetItem dynamodb:PutItem dynamodb:Query', 'table'),
    ...all('dynamodb:Query', 'index by_batch'),
    ...sends('intake', 'check'),
    ...all('s3:PutObject', 'objects *'),
    ...all('kms:GenerateDataKey', 'data key through s3'),
  ],
  intake: [
    ...everyone('intake'),
    ...all('dynamodb:BatchWriteItem dynamodb:PutItem', 'table'),
    ...drains('intake'),
    ...sends('intake', 'check'),
    ...all('s3:DeleteObject s3:GetObject s3:PutObject', 'objects *'),
    ...all('s3:ListBucket', 'bucket'),
    ...all('kms:Decrypt kms:GenerateDataKey', 'data key through s3'),
    ...secrets('secretsmanager:CreateSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue'),
    ...all('kms:Decrypt kms:GenerateDataKey', 'vault key through secretsmanager'),
  ],
  check: [
    ...everyone('check'),
    ...drains('check'),
    ...sends('check', 'register'),
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
  recheck: [...everyone('recheck'), ...all('dynamodb:Query', 'index by_due'), ...sends('check')],
} as const;

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise());
}, 60_000);

const linesOf = (name: string) => permissionsOf(template, functionRoles(template)[name] ?? '');
const unique = (lines: readonly string[]) => [...new Set(lines)].sort();

describe('the role of each function', () => {
  it('has what was argued for and nothing else', () => {
    expect(differences(template, argued)).toEqual([]);
  });

  it.each(Object.entries(argued))('%s: the whole list', (name, lines) => {
    expect(linesOf(name)).toEqual(unique(lines));
  });

  it('is worn by this function alone, and by Lambda alone', () => {
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

  it('can be read by intake, check and register alone', () => {
    expect(readers().sort()).toEqual(['check', 'intake', 'register']);
  });

  it.each(['api', 'recheck'])('are no matter of %s: neither the secrets nor their key', (name) => {
    expect(linesOf(name).filter((line) => /secretsmanager|vault key/.test(line))).toEqual([]);
  });

  it('can be deleted by nobody', () => {
    const text = JSON.stringify(template.Resources);
    expect(text).not.toContain('secretsmanager:DeleteSecret');
    expect(text).not.toContain('kms:ScheduleKeyDeletion');
  });

  it('are those of the stage and no others', async () => {
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
  it('start recheck, and send notices: nothing else', () => {
    const functions = new Set(Object.values(functionRoles(template)));
    const others = resourcesOf(template, 'AWS::IAM::Role').filter(([id]) => !functions.has(id));
    const lines = others.map(([id, { Properties }]) => [Properties.Description, permissionsOf(template, id)]);
    expect(Object.fromEntries(lines)).toEqual({
      'Enlist prod: starts recheck': [
        ...all('kms:Decrypt kms:GenerateDataKey', 'data key through sqs'),
        'lambda:InvokeFunction on function recheck',
        'sqs:SendMessage on queue recheck-dead-letters',
      ],
      'Enlist prod: tells of touched secrets and keys': [
        ...all('kms:Decrypt kms:GenerateDataKey', 'data key through sns'),
        'sns:Publish on alarm topic',
      ],
    });
  });
});

/** Every Allow of every policy, with the logical id it stands in. */
const allows = (among: Template) => {
  const found: { at: string; actions: string[]; resources: string[] }[] = [];
  const look = (at: string, value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    const { Effect, Action, Resource } = value as { Effect?: string; Action?: unknown; Resource?: unknown };
    if (Effect === 'Allow') {
      found.push({
        at,
        actions: [Action ?? []].flat() as string[],
        resources: [Resource ?? []].flat().map(flatten),
      });
    }
    for (const inner of Object.values(value)) look(at, inner);
  };
  for (const [id, { Properties }] of Object.entries(among.Resources)) look(id, Properties);
  return found;
};

describe('wildcards', () => {
  it('stand in no action, but that the account rules its own keys', () => {
    const wild = allows(template).filter(({ actions }) => actions.some((action) => action.includes('*')));
    const types = wild.map(({ at, actions }) => `${template.Resources[at]?.Type} ${actions}`);
    expect([...new Set(types)]).toEqual(['AWS::KMS::Key kms:*']);
  });

  it('stand in these resources and no others', () => {
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
      // Lists in the one bucket; operators only in its inbox.
      '…/*',
      '…/inbox/*',
    ]);
  });

  it('let only traces name no resource', () => {
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

  it('is seen by its name when any one action is taken away', () => {
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

  it('is seen by its name when an action is added', () => {
    const more = changed('api', (statement) => {
      const actions = [statement.Action].flat();
      if (actions.includes('s3:PutObject')) statement.Action = [...actions, 's3:GetObject'];
    });
    expect(differences(more, argued)).toEqual(['the role of api has s3:GetObject on objects *, unargued']);
  });

  it('is seen when a policy of its own is attached', () => {
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
