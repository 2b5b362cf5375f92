/** One Lambda function with its bundle, its role and its log group. */
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
import { createStatements } from './grants.ts';
import {
  acceptEnrolmentWildcard,
  acceptObjectWildcard,
  acceptSecretWildcard,
  acceptTraceWildcard,
} from './nag-exceptions.ts';
import type { StackContext } from './stack-context.ts';

/** Encrypted, and deleted with the stack: the history of a bot is on its row. */
export const createLogGroup = (scope: Construct, id: string, name: string, key: IKey, retention: number) =>
  new LogGroup(scope, id, {
    logGroupName: name,
    encryptionKey: key,
    retention,
    removalPolicy: RemovalPolicy.DESTROY,
  });

/** Every variable that lib/runtime/config.ts reads. None of them is a secret. */
const createEnvironment = ({ storage, settings }: StackContext): Record<string, string> => ({
  ENLIST_TABLE: storage.table.tableName,
  ENLIST_UPLOADS_BUCKET: storage.uploads.bucketName,
  ENLIST_SECRET_PREFIX: storage.secretPrefix,
  ENLIST_KMS_KEY_ID: storage.keys.vault.keyArn,
  ENLIST_INTAKE_QUEUE_URL: storage.queues.intake.queue.queueUrl,
  ENLIST_ENROLL_QUEUE_URL: storage.queues.enroll.queue.queueUrl,
  ENLIST_CHECK_QUEUE_URL: storage.queues.check.queue.queueUrl,
  ENLIST_REGISTER_QUEUE_URL: storage.queues.register.queue.queueUrl,
  ENLIST_AUDIT_DAYS: String(settings.auditDays),
  MIXIN_URL: settings.mixinUrl,
  MIXIN_REGISTRATION_SIGNATURE: settings.registrationSignature,
});

export interface FunctionResources {
  readonly fn: LambdaFunction;
  readonly role: Role;
  readonly logs: LogGroup;
}

export interface FunctionOptions {
  readonly name: FunctionName;
  readonly description: string;
  /** The queue whose messages it receives. */
  readonly queue?: QueueName;
}

export const createFunction = (
  scope: Construct,
  context: StackContext,
  options: FunctionOptions,
): FunctionResources => {
  const { name, description, queue } = options;
  const { names, storage, settings, bundles } = context;
  const logs = createLogGroup(
    scope,
    'Logs',
    names.logGroup(name),
    storage.keys.data,
    settings.logRetentionDays,
  );
  const role = new Role(scope, 'Role', {
    description: `Enlist ${settings.stage}: what ${name} may do`,
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: {
      permissions: new PolicyDocument({ statements: createStatements(scope, name, storage, logs, queue) }),
    },
  });
  acceptTraceWildcard(role);
  if (permissions[name].lists.length > 0) acceptObjectWildcard(role, storage.uploads);
  if (permissions[name].secrets.length > 0) acceptSecretWildcard(role, storage.secretPrefix);
  if (canDoWithSecrets(name, 'removeEnrolment')) acceptEnrolmentWildcard(role, storage.enrolmentPrefix);
  const fn = new LambdaFunction(scope, 'Function', {
    functionName: names.function(name),
    description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(bundles[name].folder),
    handler: 'index.handler',
    // CDK must not add to what grants.ts allows.
    role: role.withoutPolicyUpdates(),
    environment: createEnvironment(context),
    timeout: Duration.seconds(functions[name].timeoutSeconds),
    memorySize: functions[name].memoryMb,
    logGroup: logs,
    loggingFormat: LoggingFormat.JSON,
    tracing: Tracing.ACTIVE,
    // A bot may go from check to register and back more often than the 16 times after which Lambda stops a message
    // as a loop. Each round has a longer pause (lib/bots/backoff.ts).
    recursiveLoop: RecursiveLoop.ALLOW,
  });
  return { fn, role, logs };
};
