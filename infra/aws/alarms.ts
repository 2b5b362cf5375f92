/** Alarms. Each says what it means for a bot and what to do; all go to one topic. */
import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { FunctionName } from '../../lib/model/deployment.ts';
import type { Names } from './names.ts';
import { ownAccount } from './statements.ts';

export const FIVE_MINUTES = Duration.minutes(5);
export const sum = { period: FIVE_MINUTES, statistic: 'Sum' };
export const maximum = { period: FIVE_MINUTES, statistic: 'Maximum' };

export interface AlarmOptions {
  readonly metric: IMetric;
  /** The alarm rings at this value and above it; with `below`, under it. */
  readonly threshold: number;
  readonly below?: boolean;
  /** Periods in a row. @default 1 */
  readonly periods?: number;
  /** The alarm rings when there is no data. @default false */
  readonly ringsWithoutData?: boolean;
  /** What it means for a bot: a sentence. */
  readonly impact: string;
  /** What to do: a sentence. */
  readonly fix: string;
}

export class Alarms extends Construct {
  readonly topic: Topic;
  readonly all: Alarm[] = [];
  readonly #names: Names;

  constructor(scope: Construct, names: Names, key: IKey, email: string | undefined) {
    super(scope, 'Alarms');
    this.#names = names;
    this.topic = new Topic(this, 'Topic', { topicName: names.topic, masterKey: key, enforceSSL: true });
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'SendAlarms',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: ownAccount,
      }),
    );
    if (email !== undefined) this.topic.addSubscription(new EmailSubscription(email));
  }

  /** @param id is also the heading of its section in docs/runbook.md */
  add(id: string, options: AlarmOptions): void {
    const { metric, threshold, below = false, periods = 1, ringsWithoutData = false, impact, fix } = options;
    const alarm = new Alarm(this, id, {
      alarmName: this.#names.alarm(id),
      alarmDescription: `For a bot: ${impact} To do: ${fix} See docs/runbook.md, ${id}.`,
      metric,
      threshold,
      comparisonOperator: below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: ringsWithoutData ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    const action = new SnsAction(this.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    this.all.push(alarm);
  }

  /** Adds the alarms that every function has. */
  watchFunction(name: FunctionName, fn: LambdaFunction, impact: string): void {
    const errors = fn.metricErrors(sum);
    const invocations = fn.metricInvocations(sum);
    this.add(`${name}-errors`, {
      metric: new MathExpression({
        label: `${name}: errors in 100 runs`,
        expression: '100 * errors / invocations',
        usingMetrics: { errors, invocations },
        period: FIVE_MINUTES,
      }),
      threshold: 5,
      periods: 2,
      impact,
      fix: `look in the log of ${name} for timeouts and failed starts; its messages are delivered again automatically.`,
    });
    this.add(`${name}-throttles`, {
      metric: fn.metricThrottles(sum),
      threshold: 1,
      periods: 3,
      impact,
      fix: "raise the account's quota of concurrent Lambda executions, or run less in the account besides Enlist.",
    });
  }
}
