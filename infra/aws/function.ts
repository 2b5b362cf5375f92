/** One function: its bundle, a role of its own, a log group of its own. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { type FunctionName, functions, type QueueName } from '../../lib/model/deployment.ts';
import { canDoWithSecrets, permissions } from '../../lib/model/permissions.ts';
import { statementsFor } from './grants.ts';
import { argueEnrolments, argueObjects, argueSecrets, argueTraces } from './nag-exceptions.ts';
import type { House } from './stack-context.ts';

/** Encrypted, and gone with the stack: what happened to a bot stands on its row. */
export const makeLogGroup = (scope: Construct, id: string, name: string, key: IKey, retention: number) =>
  new LogGroup(scope, id, {
    logGroupName: name,
    encryptionKey: key,
    retention,
    removalPolicy: RemovalPolicy.DESTROY,
  });

/** Every variable that lib/runtime/config.ts reads. No secret is among them. */
const environmentOf = ({ keeping, settings }: House): Record<string, string> => ({
  ENLIST_TABLE: keeping.table.tableName,
  ENLIST_UPLOADS_BUCKET: keeping.uploads.bucketName,
  ENLIST_SECRET_PREFIX: keeping.secretPrefix,
  ENLIST_KMS_KEY_ID: keeping.keys.vault.keyArn,
  ENLIST_INTAKE_QUEUE_URL: keeping.queues.intake.queue.queueUrl,
  ENLIST_ENROLL_QUEUE_URL: keeping.queues.enroll.queue.queueUrl,
  ENLIST_CHECK_QUEUE_URL: keeping.queues.check.queue.queueUrl,
  ENLIST_REGISTER_QUEUE_URL: keeping.queues.register.queue.queueUrl,
  ENLIST_AUDIT_DAYS: String(settings.auditDays),
  MIXIN_URL: settings.mixinUrl,
  MIXIN_REGISTRATION_SIGNATURE: settings.registrationSignature,
});

export interface MadeFunction {
  readonly fn: LambdaFunction;
  readonly role: Role;
  readonly logs: LogGroup;
}

export interface FunctionOptions {
  readonly name: FunctionName;
  readonly description: string;
  /** The queue it drains. */
  readonly queue?: QueueName;
}

export const makeFunction = (scope: Construct, house: House, options: FunctionOptions): MadeFunction => {
  const { name, description, queue } = options;
  const { names, keeping, settings, bundles } = house;
  const logs = makeLogGroup(
    scope,
    'Logs',
    names.logGroup(name),
    keeping.keys.data,
    settings.logRetentionDays,
  );
  const role = new Role(scope, 'Role', {
    description: `Enlist ${settings.stage}: what ${name} may do`,
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: {
      needs: new PolicyDocument({ statements: statementsFor(scope, name, keeping, logs, queue) }),
    },
  });
  argueTraces(role);
  if (permissions[name].lists.length > 0) argueObjects(role, keeping.uploads);
  if (permissions[name].secrets.length > 0) argueSecrets(role, keeping.secretPrefix);
  if (canDoWithSecrets(name, 'removeEnrolment')) argueEnrolments(role, keeping.enrolmentPrefix);
  const fn = new LambdaFunction(scope, 'Function', {
    functionName: names.function(name),
    description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(bundles[name].folder),
    handler: 'index.handler',
    // What is granted stands in needs.ts; CDK must not add to it.
    role: role.withoutPolicyUpdates(),
    environment: environmentOf(house),
    timeout: Duration.seconds(functions[name].timeoutSeconds),
    memorySize: functions[name].memoryMb,
    logGroup: logs,
    loggingFormat: LoggingFormat.JSON,
    tracing: Tracing.ACTIVE,
    // A bot goes round between check and register more often than the 16 times after which Lambda would take
    // its message for a runaway; each round has a growing pause (lib/bots/backoff.ts).
    recursiveLoop: RecursiveLoop.ALLOW,
  });
  return { fn, role, logs };
};
