/** The dashboard: the progress of lists, and what an operator must act on. */

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
import type { FunctionResources } from './function.ts';
import type { LogMetrics } from './log-metrics.ts';
import type { StackContext } from './stack-context.ts';

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
const maximum = { period: FIVE_MINUTES, statistic: 'Maximum' };

export const createDashboard = (
  scope: Construct,
  { names, settings, storage, alarms }: StackContext,
  functions: Readonly<Record<FunctionName, FunctionResources>>,
  api: HttpApi,
  metrics: LogMetrics,
): Dashboard => {
  const dashboard = new Dashboard(scope, 'Dashboard', { dashboardName: names.dashboard });
  const rows: IWidget[][] = [
    [
      new TextWidget({
        markdown: `# Enlist ${settings.stage}\nLook at the alarms first: docs/runbook.md explains each. All is well while bots move to **registered** and messages do not get old. An operator must act on bots that are **blocked** (\`enlist bots BATCH --state blocked\`) and on enrolments that are **unsure**.`,
        width: 24,
        height: 3,
      }),
    ],
    [new AlarmStatusWidget({ title: 'Alarms', alarms: alarms.all, width: 24, height: 5 })],
    [
      graph(
        'Bots that moved, by their new state',
        states.map((state) => metrics.movedTo(state)),
        'bots',
        true,
      ),
      graph(
        'Messages waiting',
        queueNames.map((name) =>
          storage.queues[name].queue.metricApproximateNumberOfMessagesVisible({ ...maximum, label: name }),
        ),
        'messages',
      ),
      graph(
        'Age of the oldest message',
        queueNames.map((name) =>
          storage.queues[name].queue.metricApproximateAgeOfOldestMessage({ ...maximum, label: name }),
        ),
        'seconds',
      ),
    ],
    [
      graph(
        'Dead letters',
        queueNames.map((name) =>
          storage.queues[name].deadLetters.metricApproximateNumberOfMessagesVisible({
            ...maximum,
            label: name,
          }),
        ),
        'messages',
      ),
      graph(
        'Function errors',
        functionNames.map((name) => functions[name].fn.metricErrors({ ...sum, label: name })),
        'runs',
      ),
      graph(
        'Throttles',
        functionNames.map((name) => functions[name].fn.metricThrottles({ ...sum, label: name })),
        'runs',
      ),
    ],
    [
      graph(
        'Function runs',
        functionNames.map((name) => functions[name].fn.metricInvocations({ ...sum, label: name })),
        'runs',
      ),
      graph(
        'Slowest run',
        functionNames.map((name) => functions[name].fn.metricDuration({ ...maximum, label: name })),
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
