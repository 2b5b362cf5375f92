/** Metrics that CloudWatch counts from log lines: moves of bots, and reasons that an operator must act on. */
import { type IMetric, Metric, Unit } from 'aws-cdk-lib/aws-cloudwatch';
import { FilterPattern, type LogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { LogCode } from '../../lib/model/log.ts';
import type { ReasonCode } from '../../lib/model/reasons.ts';
import type { BotState } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import type { Alarms } from './alarms.ts';
import { FIVE_MINUTES } from './alarms.ts';
import type { Names } from './names.ts';

const moved: LogCode = 'bot_moved';
const swept: LogCode = 'swept';
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
const matchReasons = (codes: readonly ReasonCode[]) =>
  `{ (${hasReason}) && (${codes.map((code) => `($.reason = "${code}")`).join(' || ')}) }`;

const names = {
  moved: 'BotsMoved',
  swept: 'Sweeps',
  pendingDeletion: 'SecretsPendingDeletion',
  keysInDoubt: 'KeysInDoubt',
  accountsInDoubt: 'AccountsInDoubt',
} as const;

export interface LogMetrics {
  /** Bots that moved to a state. */
  movedTo(state: BotState): IMetric;
}

/** Counts lines of all these log groups. `sweeps` is the log group of recheck. */
export const createLogMetrics = (
  scope: Construct,
  { metrics: metricNamespace }: Names,
  logGroups: Readonly<Record<string, LogGroup>>,
  sweeps: LogGroup,
  alarms: Alarms,
  recheckMinutes: number,
): LogMetrics => {
  const part = new Construct(scope, 'LogMetrics');
  const count = (
    id: string,
    logGroup: LogGroup,
    metricName: string,
    pattern: string,
    dimensions?: Record<string, string>,
  ) =>
    new MetricFilter(part, id, {
      logGroup,
      metricNamespace,
      metricName,
      filterPattern: FilterPattern.literal(pattern),
      metricValue: '1',
      unit: Unit.COUNT,
      ...(dimensions && { dimensions }),
    });
  for (const [name, logGroup] of Object.entries(logGroups)) {
    count(`${name}-moved`, logGroup, names.moved, `{ ${isMove} }`, { State: '$.to' });
    count(`${name}-pending`, logGroup, names.pendingDeletion, matchReasons([pendingDeletion]));
    count(`${name}-doubt`, logGroup, names.keysInDoubt, matchReasons(keysInDoubt));
    count(`${name}-account`, logGroup, names.accountsInDoubt, accountInDoubt);
  }
  count('sweeps', sweeps, names.swept, `{ $.code = "${swept}" }`);

  const sum = (metricName: string, dimensionsMap?: Record<string, string>) =>
    new Metric({
      namespace: metricNamespace,
      metricName,
      period: FIVE_MINUTES,
      statistic: 'Sum',
      ...(dimensionsMap && { dimensionsMap }),
    });
  const movedTo = (state: BotState) => sum(names.moved, { State: state });

  alarms.add('bots-blocked', {
    metric: movedTo(blocked),
    threshold: 1,
    impact:
      'it stays blocked until an operator acts; its key, if it has one, is in the vault, and nothing more is sent.',
    fix: 'find its batch in the log (bot_moved to blocked), run `enlist bots BATCH --state blocked`, do what each reason says, then retry the batch.',
  });
  alarms.add('secret-pending-deletion', {
    metric: sum(names.pendingDeletion),
    threshold: 1,
    impact:
      'a function read its secret, which is scheduled for deletion; after the recovery period its key is lost for ever, with its money.',
    fix: 'restore it at once with `aws secretsmanager restore-secret`, and find out who deleted it.',
  });
  alarms.add('keys-in-doubt', {
    metric: sum(names.keysInDoubt),
    threshold: 1,
    impact:
      'the key in the vault and the key that Mixin shows are not the same, or one of them is gone; nothing was sent.',
    fix: 'compare them as docs/reasons.md says before any retry, and delete nothing.',
  });
  alarms.add('accounts-in-doubt', {
    metric: sum(names.accountsInDoubt),
    threshold: 1,
    impact:
      'the call that creates its account was sent and the answer was lost; it is not sent again automatically, because a network user costs money.',
    fix: 'run `enlist bots BATCH --state unsure`, find out with the owner whether the user exists, and only then decide.',
  });
  alarms.add('recheck-not-running', {
    metric: sum(names.swept),
    threshold: 1,
    below: true,
    periods: Math.max(2, Math.ceil((2 * 60 * recheckMinutes) / FIVE_MINUTES.toSeconds())),
    ringsWithoutData: true,
    impact: `waiting and unsure bots whose pause is longer than ${timing.maxMessageDelaySeconds / 60} minutes are not checked again; none is lost.`,
    fix: 'check in the log of recheck whether it ends with `swept`, and in EventBridge Scheduler whether the schedule is enabled.',
  });
  return { movedTo };
};
