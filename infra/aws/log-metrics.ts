/** Metrics that CloudWatch counts from log lines: moves of bots, and reasons that an operator must act on. */
import { type IMetric, Metric, Unit } from 'aws-cdk-lib/aws-cloudwatch';
import { FilterPattern, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { functionNames } from '../../lib/model/deployment.ts';
import type { LogCode } from '../../lib/model/log.ts';
import type { ReasonCode } from '../../lib/model/reasons.ts';
import type { BotState } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import { FIVE_MINUTES, sum } from './alarms.ts';
import type { FunctionResources, Functions } from './function.ts';
import type { EnlistStack } from './stack.ts';

const moved: LogCode = 'bot_moved';
const swept: LogCode = 'swept';
const unavailable: readonly LogCode[] = ['aws_unavailable', 'aws_denied'];
const blocked: BotState = 'blocked';
const enrolling: BotState = 'enrolling';
const unsure: BotState = 'unsure';
const pendingDeletion: ReasonCode = 'secret_pending_deletion';
/** Mixin and the vault do not have the same key. */
const keysInDoubt: readonly ReasonCode[] = ['key_conflict', 'key_changed', 'keystore_missing', 'safe_lost'];

const audited: LogCode = 'audit_finding';
const isMove = `$.code = "${moved}"`;
const hasReason = `(${isMove}) || ($.code = "${audited}")`;
/** The call that creates an account was sent and its answer was lost. */
const accountInDoubt = `{ (${isMove}) && ($.from = "${enrolling}") && ($.to = "${unsure}") }`;
const [gone, replaced]: readonly [LogCode, LogCode] = ['inbox_gone', 'inbox_replaced'];
const inboxLost = `{ ($.code = "${gone}") || ($.code = "${replaced}") }`;
const isUnavailable = `{ ${unavailable.map((code) => `($.code = "${code}")`).join(' || ')} }`;
const matchReasons = (codes: readonly ReasonCode[]) =>
  `{ (${hasReason}) && (${codes.map((code) => `($.reason = "${code}")`).join(' || ')}) }`;

const metrics = {
  moved: 'BotsMoved',
  swept: 'Sweeps',
  pendingDeletion: 'SecretsPendingDeletion',
  keysInDoubt: 'KeysInDoubt',
  accountsInDoubt: 'AccountsInDoubt',
  inboxLost: 'InboxListsLost',
  unavailable: 'AwsUnavailable',
} as const;

/**
 * Counts the log lines of all functions, and adds the alarms that need the counts.
 * Returns the metric of the bots that moved to a state.
 */
export const createLogMetrics = (
  stack: EnlistStack,
  functions: Functions,
): ((state: BotState) => IMetric) => {
  const { alarms, names, settings } = stack;
  const part = new Construct(stack, 'LogMetrics');
  const count = (
    id: string,
    { logs }: FunctionResources,
    metricName: string,
    pattern: string,
    dimensions?: Record<string, string>,
  ) =>
    new MetricFilter(part, id, {
      logGroup: logs,
      metricNamespace: names.metrics,
      metricName,
      filterPattern: FilterPattern.literal(pattern),
      metricValue: '1',
      unit: Unit.COUNT,
      ...(dimensions && { dimensions }),
    });
  for (const name of functionNames) {
    const resources = functions[name];
    count(`${name}-moved`, resources, metrics.moved, `{ ${isMove} }`, { State: '$.to' });
    count(`${name}-pending`, resources, metrics.pendingDeletion, matchReasons([pendingDeletion]));
    count(`${name}-doubt`, resources, metrics.keysInDoubt, matchReasons(keysInDoubt));
    count(`${name}-account`, resources, metrics.accountsInDoubt, accountInDoubt);
    count(`${name}-unavailable`, resources, metrics.unavailable, isUnavailable);
  }
  count('inbox-lost', functions.intake, metrics.inboxLost, inboxLost);
  count('sweeps', functions.recheck, metrics.swept, `{ $.code = "${swept}" }`);

  const createMetric = (metricName: string, dimensionsMap: Record<string, string> = {}) =>
    new Metric({ namespace: names.metrics, metricName, ...sum, dimensionsMap });
  const countMoves = (state: BotState) => createMetric(metrics.moved, { State: state });

  alarms.add('bots-blocked', {
    metric: countMoves(blocked),
    threshold: 1,
    impact:
      'it stays blocked until an operator acts; its key, if it has one, is in the vault, and nothing more is sent.',
    fix: 'find its batch in the log (bot_moved to blocked), run `enlist bots BATCH --state blocked`, do what each reason says, then retry the batch.',
  });
  alarms.add('secret-pending-deletion', {
    metric: createMetric(metrics.pendingDeletion),
    threshold: 1,
    impact:
      'a function read its secret, which is scheduled for deletion; after the recovery period its key is lost for ever, with its money.',
    fix: 'restore it at once with `aws secretsmanager restore-secret`, and find out who deleted it.',
  });
  alarms.add('keys-in-doubt', {
    metric: createMetric(metrics.keysInDoubt),
    threshold: 1,
    impact:
      'the key in the vault and the key that Mixin shows are not the same, or one of them is gone; nothing was sent.',
    fix: 'compare them as docs/reasons.md says before any retry, and delete nothing.',
  });
  alarms.add('accounts-in-doubt', {
    metric: createMetric(metrics.accountsInDoubt),
    threshold: 1,
    impact:
      'the call that creates its account was sent and the answer was lost; it is not sent again automatically, because a network user costs money.',
    fix: 'run `enlist bots BATCH --state unsure`, find out with the owner whether the user exists, and only then decide.',
  });
  alarms.add('inbox-list-lost', {
    metric: createMetric(metrics.inboxLost),
    threshold: 1,
    impact:
      'no bot of that list is imported: the list was removed from inbox/, or another took its name, before it was read.',
    fix: 'find out whose list it was, and put it into inbox/ again under a name of its own.',
  });
  alarms.add('aws-unavailable', {
    metric: createMetric(metrics.unavailable),
    threshold: 1,
    periods: 2,
    impact:
      'AWS throttles, fails, does not answer or denies access; its message comes back, and its work goes on once AWS allows it.',
    fix: 'look in the log for aws_denied and give the grant or the KMS key back; for aws_unavailable, see the AWS Health Dashboard and the quotas.',
  });
  alarms.add('recheck-not-running', {
    metric: createMetric(metrics.swept),
    threshold: 1,
    below: true,
    periods: Math.max(2, Math.ceil((2 * 60 * settings.recheckMinutes) / FIVE_MINUTES.toSeconds())),
    ringsWithoutData: true,
    impact: `waiting and unsure bots whose pause is longer than ${timing.maxMessageDelaySeconds / 60} minutes are not checked again; none is lost.`,
    fix: 'check in the log of recheck whether it ends with `swept`, and in EventBridge Scheduler whether the schedule is enabled.',
  });
  return countMoves;
};
