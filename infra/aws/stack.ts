/** Enlist on AWS: one stack for each stage, built from lib/model/deployment.ts. */
import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { functionNames, queueNames } from '../../lib/model/deployment.ts';
import { canDoWithSecrets, type SecretAction } from '../../lib/model/permissions.ts';
import { Alarms } from './alarms.ts';
import { createApi } from './api.ts';
import type { BundleFolders } from './bundle.ts';
import { createDashboard } from './dashboard.ts';
import type { Functions } from './function.ts';
import { createKeyAlerts } from './key-alerts.ts';
import { createLogMetrics } from './log-metrics.ts';
import { capitalise, deriveNames, type Names } from './names.ts';
import { createOperatorPolicy } from './operator.ts';
import { createSchedule } from './schedule.ts';
import type { Settings } from './settings.ts';
import { createStorage, type Storage } from './storage.ts';
import { createWorker } from './worker.ts';

export interface EnlistStackProps {
  readonly settings: Settings;
  readonly bundles: BundleFolders;
}

/** Every part of the stack gets the stack itself, and takes what it needs from these fields. */
export class EnlistStack extends Stack {
  readonly settings: Settings;
  readonly bundles: BundleFolders;
  readonly names: Names;
  readonly storage: Storage;
  readonly alarms: Alarms;

  constructor(scope: Construct, { settings, bundles }: EnlistStackProps) {
    const names = deriveNames(settings.stage);
    super(scope, names.stack, {
      stackName: names.stack,
      description: `Enlist ${settings.stage}: registers Mixin bots with Mixin Safe`,
    });
    this.settings = settings;
    this.bundles = bundles;
    this.names = names;
    this.storage = createStorage(this, names, settings);
    this.alarms = new Alarms(this, names, this.storage.keys.data, settings.alarmEmail);

    const api = createApi(this);
    const workers = queueNames.map((name) => [name, createWorker(this, name)]);
    const recheck = createSchedule(this, 'recheck');
    const functions = { ...api.functions, ...Object.fromEntries(workers), recheck } as Functions;
    const countMoves = createLogMetrics(this, functions);
    const findRoles = (right: SecretAction) =>
      functionNames.filter((name) => canDoWithSecrets(name, right)).map((name) => functions[name].role);
    const creators = [...findRoles('createEnrolment'), ...findRoles('create')];
    createKeyAlerts(this, { creators, removers: findRoles('removeEnrolment') });
    const dashboard = createDashboard(this, functions, api.api, countMoves);
    const fns = functionNames.map((name) => functions[name].fn);
    const operator = createOperatorPolicy(this, api.api, fns);

    const addOutput = (id: string, description: string, value: string) =>
      new CfnOutput(this, id, { description, value });
    const { keys, table, uploads } = this.storage;
    addOutput('ApiUrl', 'URL of the HTTP API', api.url);
    addOutput('UploadsBucket', 'Lists that are put under inbox/ are imported', uploads.bucketName);
    addOutput('TableName', 'The rows of bots and batches', table.tableName);
    addOutput('AlarmTopic', 'Subscribe to this topic to get alarms', this.alarms.topic.topicArn);
    addOutput(
      'OperatorPolicy',
      'Attach this policy to everybody who may use the enlist command',
      operator.managedPolicyArn,
    );
    addOutput('DataKeyArn', 'This key outlives the stack; it is the setting dataKeyArn', keys.data.keyArn);
    addOutput('VaultKeyArn', 'This key outlives the stack; it is the setting vaultKeyArn', keys.vault.keyArn);
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
