/** Enlist on AWS: one stack a stage, built from lib/model/deployment.ts. */
import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { type FunctionName, functionNames, type QueueName, queueNames } from '../../lib/model/deployment.ts';
import { canDoWithSecrets, type SecretAction } from '../../lib/model/permissions.ts';
import { Alarms } from './alarms.ts';
import { makeApi } from './api.ts';
import type { BundleFolders } from './bundle.ts';
import { makeDashboard } from './dashboard.ts';
import type { MadeFunction } from './function.ts';
import { makeNotices } from './key-alerts.ts';
import { makeLogMetrics } from './log-metrics.ts';
import { namesOf } from './names.ts';
import { makeOperator } from './operator.ts';
import { makeSchedule } from './schedule.ts';
import type { Settings } from './settings.ts';
import type { House } from './stack-context.ts';
import { makeKeeping } from './storage.ts';
import { makeWorker } from './worker.ts';

const workers: Readonly<Record<QueueName, { readonly description: string; readonly impact: string }>> = {
  intake: {
    description: 'Reads lists, stores keystores, makes rows',
    impact: 'part of a list is not taken in: its bots have no row yet and are not registered.',
  },
  enroll: {
    description: 'Gets one row its account: POST /users, or a sign-in with a code',
    impact:
      'its row has no account yet and is not registered; a call that may have made one is not repeated by itself.',
  },
  check: {
    description: 'Asks Mixin about one bot: GET /safe/me',
    impact: 'it waits to be asked about at Mixin; nothing is sent for it and no key is touched.',
  },
  register: {
    description: 'Makes and stores the key of one bot, then registers it: POST /safe/users',
    impact:
      'it waits between its key and its registration; the key is in the vault, and a lost answer is settled by a GET.',
  },
};

export interface EnlistStackProps {
  readonly settings: Settings;
  readonly bundles: BundleFolders;
}

const capital = (name: string) => name.slice(0, 1).toUpperCase() + name.slice(1);

export class EnlistStack extends Stack {
  readonly stage: string;

  constructor(scope: Construct, { settings, bundles }: EnlistStackProps) {
    const names = namesOf(settings.stage);
    super(scope, names.stack, {
      stackName: names.stack,
      description: `Enlist ${settings.stage}: brings Mixin bots into Mixin Safe`,
    });
    this.stage = settings.stage;
    const keeping = makeKeeping(this, names, settings);
    const alarms = new Alarms(this, names, keeping.keys.data, settings.alarmEmail);
    const house: House = { settings, names, keeping, bundles, alarms };

    const api = makeApi(this, house);
    const drained = queueNames.map((name) => [name, makeWorker(this, house, { name, ...workers[name] })]);
    const recheck = makeSchedule(this, house, {
      name: 'recheck',
      description: 'Finds bots that are due and queues checks',
      impact: 'waiting and unsure bots are not looked at again in time; none is lost.',
    });
    const made = { ...api.functions, recheck, ...Object.fromEntries(drained) } as Record<
      FunctionName,
      MadeFunction
    >;

    const logs = Object.fromEntries(functionNames.map((name) => [name, made[name].logs]));
    const metrics = makeLogMetrics(this, names, logs, recheck.logs, alarms, settings.recheckMinutes);
    const rolesWith = (right: SecretAction) =>
      functionNames.filter((name) => canDoWithSecrets(name, right)).map((name) => made[name].role);
    makeNotices(this, house, { makers: rolesWith('create'), removers: rolesWith('removeEnrolment') });
    const dashboard = makeDashboard(this, house, made, api.api, metrics);
    const fns = functionNames.map((name) => made[name].fn);
    const operator = makeOperator(this, house, api.api, fns);

    const tell = (id: string, description: string, value: string) =>
      new CfnOutput(this, id, { description, value });
    tell('ApiUrl', 'Where the HTTP API answers', api.url);
    tell('UploadsBucket', 'Lists put under inbox/ are taken in', keeping.uploads.bucketName);
    tell('TableName', 'The rows of bots and batches', keeping.table.tableName);
    tell('AlarmTopic', 'Subscribe to it to hear alarms', alarms.topic.topicArn);
    tell('OperatorPolicy', 'Attach it to who may use the enlist command', operator.managedPolicyArn);
    tell('DataKeyArn', 'Outlives the stack: setting dataKeyArn', keeping.keys.data.keyArn);
    tell('VaultKeyArn', 'Outlives the stack: setting vaultKeyArn', keeping.keys.vault.keyArn);
    tell(
      'DashboardUrl',
      'How lists fare',
      `https://${Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region=${Aws.REGION}#dashboards/dashboard/${dashboard.dashboardName}`,
    );
    for (const name of functionNames) {
      tell(`FunctionName${capital(name)}`, `The function ${name}`, made[name].fn.functionName);
    }
  }
}
