/** One dashboard: how a list fares, and what needs hands. */

import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { type FunctionName, functionNames, queueNames } from '../../lib/model/deployment.ts';
import { states } from '../../lib/model/states.ts';
import { FIVE_MINUTES } from './alarms.ts';
import type { MadeFunction } from './function.ts';
import type { LogMetrics } from './log-metrics.ts';
import type { House } from './stack-context.ts';

const graph = (title: string, left: IMetric[], leftLabel: string, stacked = false) =>
  new GraphWidget({
    title,
    left,
    width: 8,
    height: 6,
    stacked,
    leftYAxis: { label: leftLabel, min: 0, showUnits: false },
  });

const sum = { period: FIVE_MINUTES, statistic: 'Sum' };
const most = { period: FIVE_MINUTES, statistic: 'Maximum' };

export const makeDashboard = (
  scope: Construct,
  { names, settings, keeping, alarms }: House,
  made: Readonly<Record<FunctionName, MadeFunction>>,
  api: HttpApi,
  metrics: LogMetrics,
): Dashboard => {
  const dashboard = new Dashboard(scope, 'Dashboard', { dashboardName: names.dashboard });
  const rows: IWidget[][] = [
    [
      new TextWidget({
        markdown: `# Enlist ${settings.stage}\nAlarms first: each is explained in docs/runbook.md. A list fares well while bots move to **registered** and no queue grows old. **blocked** needs hands: \`enlist bots BATCH --state blocked\`. So does an enrolment that is **unsure**.`,
        width: 24,
        height: 3,
      }),
    ],
    [new AlarmStatusWidget({ title: 'Alarms', alarms: alarms.all, width: 24, height: 5 })],
    [
      graph(
        'Bots by the state they came into',
        states.map((state) => metrics.movedTo(state)),
        'bots',
        true,
      ),
      graph(
        'Messages waiting',
        queueNames.map((name) =>
          keeping.queues[name].queue.metricApproximateNumberOfMessagesVisible({ ...most, label: name }),
        ),
        'messages',
      ),
      graph(
        'Age of the oldest message',
        queueNames.map((name) =>
          keeping.queues[name].queue.metricApproximateAgeOfOldestMessage({ ...most, label: name }),
        ),
        'seconds',
      ),
    ],
    [
      graph(
        'Dead letters',
        queueNames.map((name) =>
          keeping.queues[name].deadLetters.metricApproximateNumberOfMessagesVisible({ ...most, label: name }),
        ),
        'messages',
      ),
      graph(
        'Errors of functions',
        functionNames.map((name) => made[name].fn.metricErrors({ ...sum, label: name })),
        'runs',
      ),
      graph(
        'Throttles',
        functionNames.map((name) => made[name].fn.metricThrottles({ ...sum, label: name })),
        'runs',
      ),
    ],
    [
      graph(
        'Runs of functions',
        functionNames.map((name) => made[name].fn.metricInvocations({ ...sum, label: name })),
        'runs',
      ),
      graph(
        'Slowest run',
        functionNames.map((name) => made[name].fn.metricDuration({ ...most, label: name })),
        'milliseconds',
      ),
      graph(
        'HTTP API',
        [api.metricCount(sum), api.metricClientError(sum), api.metricServerError(sum)],
        'requests',
      ),
    ],
  ];
  for (const row of rows) dashboard.addWidgets(...row);
  return dashboard;
};
