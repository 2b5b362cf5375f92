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
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { functionNames, queueNames } from '../../lib/model/deployment.ts';
import { type BotState, states } from '../../lib/model/states.ts';
import { maximum, sum } from './alarms.ts';
import type { Functions } from './function.ts';
import type { QueuePair } from './queue.ts';
import type { EnlistStack } from './stack.ts';

const createGraph = (title: string, left: IMetric[], leftLabel: string, stacked = false) =>
  new GraphWidget({
    title,
    left,
    width: 8,
    height: 6,
    stacked,
    leftYAxis: { label: leftLabel, min: 0, showUnits: false },
  });

export const createDashboard = (
  stack: EnlistStack,
  functions: Functions,
  api: HttpApi,
  countMoves: (state: BotState) => IMetric,
): Dashboard => {
  const { alarms, names, settings, storage } = stack;
  const mapQueues = (read: (pair: QueuePair, label: string) => IMetric) =>
    queueNames.map((name) => read(storage.queues[name], name));
  const mapFunctions = (read: (fn: LambdaFunction, label: string) => IMetric) =>
    functionNames.map((name) => read(functions[name].fn, name));
  const dashboard = new Dashboard(stack, 'Dashboard', { dashboardName: names.dashboard });
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
      createGraph('Bots that moved, by their new state', states.map(countMoves), 'bots', true),
      createGraph(
        'Messages waiting',
        mapQueues(({ queue }, label) =>
          queue.metricApproximateNumberOfMessagesVisible({ ...maximum, label }),
        ),
        'messages',
      ),
      createGraph(
        'Age of the oldest message',
        mapQueues(({ queue }, label) => queue.metricApproximateAgeOfOldestMessage({ ...maximum, label })),
        'seconds',
      ),
    ],
    [
      createGraph(
        'Dead letters',
        mapQueues(({ deadLetters }, label) =>
          deadLetters.metricApproximateNumberOfMessagesVisible({ ...maximum, label }),
        ),
        'messages',
      ),
      createGraph(
        'Function errors',
        mapFunctions((fn, label) => fn.metricErrors({ ...sum, label })),
        'runs',
      ),
      createGraph(
        'Throttles',
        mapFunctions((fn, label) => fn.metricThrottles({ ...sum, label })),
        'runs',
      ),
    ],
    [
      createGraph(
        'Function runs',
        mapFunctions((fn, label) => fn.metricInvocations({ ...sum, label })),
        'runs',
      ),
      createGraph(
        'Slowest run',
        mapFunctions((fn, label) => fn.metricDuration({ ...maximum, label })),
        'milliseconds',
      ),
      createGraph(
        'HTTP API',
        [api.metricCount(sum), api.metricClientError(sum), api.metricServerError(sum)],
        'requests',
      ),
    ],
  ];
  for (const row of rows) dashboard.addWidgets(...row);
  return dashboard;
};
