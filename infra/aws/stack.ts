/** Enlist on AWS: one stack for each stage, built from lib/model/deployment.ts. */
import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { type FunctionName, functionNames, type QueueName, queueNames } from '../../lib/model/deployment.ts';
import { canDoWithSecrets, type SecretAction } from '../../lib/model/permissions.ts';
import { Alarms } from './alarms.ts';
import { createApi } from './api.ts';
import type { BundleFolders } from './bundle.ts';
import { createDashboard } from './dashboard.ts';
import type { FunctionResources } from './function.ts';
import { createKeyAlerts } from './key-alerts.ts';
import { createLogMetrics } from './log-metrics.ts';
import { deriveNames } from './names.ts';
import { createOperatorPolicy } from './operator.ts';
import { createSchedule } from './schedule.ts';
import type { Settings } from './settings.ts';
import type { StackContext } from './stack-context.ts';
import { createStorage } from './storage.ts';
import { createWorker } from './worker.ts';

const workers: Readonly<Record<QueueName, { readonly description: string; readonly impact: string }>> = {
  intake: {
    description: 'Reads lists, stores keystores in the vault and bots in the table',
    impact: 'part of a list is not imported: its bots have no row yet and are not registered.',
  },
  enroll: {
    description: 'Gets an account for one row: POST /users, or a sign-in with a code',
    impact:
      'its row has no account yet and is not registered; a call that may have created one is never repeated automatically.',
  },
  check: {
    description: 'Checks one bot at Mixin: GET /safe/me',
    impact: 'it waits for its check; no call that changes anything was sent, and its keys are safe.',
  },
  register: {
    description: 'Creates and stores the key of one bot, then registers it: POST /safe/users',
    impact:
      'it waits for its registration; its key is in the vault, and after a lost answer a GET finds out what happened.',
  },
};

export interface EnlistStackProps {
  readonly settings: Settings;
  readonly bundles: BundleFolders;
}

const capitalise = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);

export class EnlistStack extends Stack {
  readonly stage: string;

  constructor(scope: Construct, { settings, bundles }: EnlistStackProps) {
    const names = deriveNames(settings.stage);
    super(scope, names.stack, {
      stackName: names.stack,
      description: `Enlist ${settings.stage}: registers Mixin bots with Mixin Safe`,
    });
    this.stage = settings.stage;
    const storage = createStorage(this, names, settings);
    const alarms = new Alarms(this, names, storage.keys.data, settings.alarmEmail);
    const context: StackContext = { settings, names, storage, bundles, alarms };

    const api = createApi(this, context);
    const workerFunctions = queueNames.map((name) => [
      name,
      createWorker(this, context, { name, ...workers[name] }),
    ]);
    const recheck = createSchedule(this, context, {
      name: 'recheck',
      description: 'Finds bots that are due and queues them for a check',
      impact: 'waiting and unsure bots are not checked again in time; none is lost.',
    });
    const functions = { ...api.functions, recheck, ...Object.fromEntries(workerFunctions) } as Record<
      FunctionName,
      FunctionResources
    >;

    const logs = Object.fromEntries(functionNames.map((name) => [name, functions[name].logs]));
    const metrics = createLogMetrics(this, names, logs, recheck.logs, alarms, settings.recheckMinutes);
    const rolesWith = (right: SecretAction) =>
      functionNames.filter((name) => canDoWithSecrets(name, right)).map((name) => functions[name].role);
    createKeyAlerts(this, context, { creators: rolesWith('create'), removers: rolesWith('removeEnrolment') });
    const dashboard = createDashboard(this, context, functions, api.api, metrics);
    const fns = functionNames.map((name) => functions[name].fn);
    const operator = createOperatorPolicy(this, context, api.api, fns);

    const addOutput = (id: string, description: string, value: string) =>
      new CfnOutput(this, id, { description, value });
    addOutput('ApiUrl', 'URL of the HTTP API', api.url);
    addOutput('UploadsBucket', 'Lists that are put under inbox/ are imported', storage.uploads.bucketName);
    addOutput('TableName', 'The rows of bots and batches', storage.table.tableName);
    addOutput('AlarmTopic', 'Subscribe to this topic to get alarms', alarms.topic.topicArn);
    addOutput(
      'OperatorPolicy',
      'Attach this policy to everybody who may use the enlist command',
      operator.managedPolicyArn,
    );
    addOutput(
      'DataKeyArn',
      'This key outlives the stack; it is the setting dataKeyArn',
      storage.keys.data.keyArn,
    );
    addOutput(
      'VaultKeyArn',
      'This key outlives the stack; it is the setting vaultKeyArn',
      storage.keys.vault.keyArn,
    );
    addOutput(
      'DashboardUrl',
      'The progress of lists',
      `https://${Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region=${Aws.REGION}#dashboards/dashboard/${dashboard.dashboardName}`,
    );
    for (const name of functionNames) {
      addOutput(`FunctionName${capitalise(name)}`, `The function ${name}`, functions[name].fn.functionName);
    }
  }
}
