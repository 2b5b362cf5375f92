import { beforeAll, describe, expect, test } from 'vitest';
import { functionNames } from '../../../lib/model/deployment.ts';
import { moves } from '../../../lib/model/states.ts';
import { createLog } from '../../../lib/runtime/log.ts';
import { readPage } from '../../docs/page.ts';
import { functionRoles } from './permissions.ts';
import {
  findResources,
  flatten,
  type Resource,
  readTarget,
  synthesise,
  type Template,
} from './synthesised.ts';

let template: Template;
let alarms: readonly (readonly [string, Resource])[];
beforeAll(async () => {
  ({ template } = await synthesise({ alarmEmail: 'operator@example.com' }));
  alarms = findResources(template, 'AWS::CloudWatch::Alarm').map(([, alarm]) => [
    flatten(alarm.Properties.AlarmName).replace('enlist-prod-', ''),
    alarm,
  ]);
}, 60_000);

const listKeyAlerts = () =>
  findResources(template, 'AWS::Events::Rule').map(([, { Properties }]) =>
    Properties.Name.replace('enlist-prod-', ''),
  );

test('every dead-letter queue has an alarm at its first message', () => {
  const dead = findResources(template, 'AWS::SQS::Queue').filter(
    ([, { Properties }]) => Properties.RedriveAllowPolicy,
  );
  expect(dead).toHaveLength(5);
  for (const [id, { Properties }] of dead) {
    const queueAlarms = alarms.filter(([, alarm]) =>
      (alarm.Properties.Dimensions ?? []).some(({ Value }: { Value: unknown }) =>
        flatten(Value).includes(id),
      ),
    );
    expect([Properties.QueueName, queueAlarms.map(([, alarm]) => alarm.Properties)]).toEqual([
      Properties.QueueName,
      [
        expect.objectContaining({
          MetricName: 'ApproximateNumberOfMessagesVisible',
          Threshold: 1,
          ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        }),
      ],
    ]);
  }
});

test('the stack has exactly these alarms', () => {
  expect(alarms.map(([id]) => id).sort()).toEqual([
    'accounts-errors',
    'accounts-in-doubt',
    'accounts-throttles',
    'api-errors',
    'api-server-errors',
    'api-throttles',
    'aws-unavailable',
    'bots-blocked',
    'check-dead-letters',
    'check-errors',
    'check-oldest-message',
    'check-throttles',
    'enroll-dead-letters',
    'enroll-errors',
    'enroll-oldest-message',
    'enroll-throttles',
    'inbox-list-lost',
    'intake-dead-letters',
    'intake-errors',
    'intake-oldest-message',
    'intake-throttles',
    'keys-in-doubt',
    'recheck-dead-letters',
    'recheck-errors',
    'recheck-not-running',
    'recheck-throttles',
    'register-dead-letters',
    'register-errors',
    'register-oldest-message',
    'register-throttles',
    'secret-pending-deletion',
  ]);
});

test('every alarm goes to the topic, and says what it means for a bot and what to do', () => {
  const [[topic] = []] = findResources(template, 'AWS::SNS::Topic');
  for (const [id, { Properties }] of alarms) {
    expect([id, Properties.AlarmActions.map(readTarget)]).toEqual([id, [topic]]);
    expect([id, Properties.ActionsEnabled ?? true]).toEqual([id, true]);
    expect(Properties.AlarmDescription).toMatch(
      /^For a bot: .{20,} To do: .{20,} See docs\/runbook\.md, [a-z-]+\.$/,
    );
    expect(Properties.AlarmDescription).toContain(`docs/runbook.md, ${id}.`);
    expect(Properties.AlarmDescription.length).toBeLessThanOrEqual(1_024);
  }
});

test('alarms are sent to the e-mail address of the settings, if there is one', async () => {
  const subscriptions = findResources(template, 'AWS::SNS::Subscription').map(
    ([, { Properties }]) => Properties,
  );
  expect(subscriptions).toMatchObject([{ Protocol: 'email', Endpoint: 'operator@example.com' }]);
  const other = await synthesise({ stage: 'test' });
  expect(findResources(other.template, 'AWS::SNS::Subscription')).toEqual([]);
}, 60_000);

test('CloudWatch may use the topic and its key', () => {
  const statements = [
    ...findResources(template, 'AWS::SNS::TopicPolicy').flatMap(
      ([, { Properties }]) => Properties.PolicyDocument.Statement,
    ),
    ...findResources(template, 'AWS::KMS::Key').flatMap(
      ([, { Properties }]) => Properties.KeyPolicy.Statement,
    ),
  ].filter(({ Principal }) => Principal.Service === 'cloudwatch.amazonaws.com');
  expect(statements.map(({ Action }) => Action)).toEqual([
    'sns:Publish',
    ['kms:Decrypt', 'kms:GenerateDataKey'],
  ]);
});

test('the alarm of recheck is raised when there is no data', () => {
  const [, alarm] = alarms.find(([id]) => id === 'recheck-not-running') ?? [];
  expect(alarm?.Properties).toMatchObject({
    TreatMissingData: 'breaching',
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 1,
  });
});

describe('metrics of log lines', () => {
  const filters = () =>
    findResources(template, 'AWS::Logs::MetricFilter').map(([, { Properties }]) => ({
      group: flatten(template.Resources[readTarget(Properties.LogGroupName) ?? '']?.Properties.LogGroupName),
      pattern: Properties.FilterPattern as string,
      ...Properties.MetricTransformations[0],
    }));

  test('every function has a metric filter for moves of bots', () => {
    const moveFilters = filters().filter(({ MetricName }) => MetricName === 'BotsMoved');
    expect(moveFilters.map(({ group }) => group).sort()).toEqual(
      functionNames.map((name) => `/enlist/prod/${name}`).sort(),
    );
    for (const { pattern, Dimensions, MetricNamespace } of moveFilters) {
      expect([pattern, Dimensions, MetricNamespace]).toEqual([
        '{ $.code = "bot_moved" }',
        [{ Key: 'State', Value: '$.to' }],
        'Enlist/prod',
      ]);
    }
  });

  test('every function has a metric filter for a lost answer of the call that creates an account', () => {
    const results = filters().filter(({ MetricName }) => MetricName === 'AccountsInDoubt');
    expect(results.map(({ group }) => group).sort()).toEqual(
      functionNames.map((name) => `/enlist/prod/${name}`).sort(),
    );
    expect(new Set(results.map(({ pattern }) => pattern))).toEqual(
      new Set(['{ ($.code = "bot_moved") && ($.from = "enrolling") && ($.to = "unsure") }']),
    );
    expect(moves.mark_unsure).toMatchObject({ from: expect.arrayContaining(['enrolling']), to: 'unsure' });
  });

  test('metric filters use only fields that a log line has', () => {
    const lines: string[] = [];
    const log = createLog((line) => lines.push(line), Date.now);
    log('info', 'bot_moved', { from: 'queued', to: 'blocked', reason: 'secret_pending_deletion' });
    const line = JSON.parse(lines[0] ?? '{}') as Record<string, unknown>;
    for (const { pattern } of filters()) {
      for (const [, field = ''] of pattern.matchAll(/\$\.(\w+)/g)) expect(line).toHaveProperty(field);
    }
    expect(line).toMatchObject({ code: 'bot_moved', to: 'blocked', reason: 'secret_pending_deletion' });
  });
});

describe('docs/runbook.md', () => {
  const headings = (rank: string) =>
    readPage('docs/runbook.md')
      .split('\n')
      .filter((line) => line.startsWith(`${rank} \``))
      .map((line) => line.slice(rank.length + 1).replaceAll('`', ''));

  test('the runbook has a section for every alarm and key alert, and for nothing else', () => {
    expect([...headings('###')].sort()).toEqual([...alarms.map(([id]) => id), ...listKeyAlerts()].sort());
  });
});

test('the stack has exactly these key alerts', () => {
  expect(listKeyAlerts().sort()).toEqual(['key-endangered', 'secret-deleted', 'secret-read-while-deleted']);
});

describe('key alerts about secrets', () => {
  const findExceptedRoles = (name: string) => {
    const results = findResources(template, 'AWS::Events::Rule').find(
      ([, { Properties }]) => Properties.Name === `enlist-prod-${name}`,
    );
    const { userIdentity } = results?.[1].Properties.EventPattern.detail ?? {};
    const [but, ...others] = userIdentity.sessionContext.sessionIssuer.arn;
    expect(others).toEqual([{ exists: false }]);
    return but['anything-but'].map(readTarget).sort();
  };
  const listRoles = (...names: string[]) => names.map((name) => functionRoles(template)[name]).sort();

  test('every caller who deletes a secret causes an alert, except the functions that may delete only enrolments', () => {
    expect(findExceptedRoles('secret-deleted')).toEqual(listRoles('enroll'));
  });

  test('every caller who reads a deleted secret causes an alert, except the functions that read removed enrolments', () => {
    expect(findExceptedRoles('secret-read-while-deleted')).toEqual(listRoles('accounts', 'intake', 'enroll'));
  });
});

test('the dashboard shows every alarm', () => {
  const [[, dashboard] = []] = findResources(template, 'AWS::CloudWatch::Dashboard');
  const body = flatten(dashboard?.Properties.DashboardBody);
  for (const [id] of findResources(template, 'AWS::CloudWatch::Alarm')) expect(body).toContain(id);
});
