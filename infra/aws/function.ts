/** One Lambda function with its bundle, its role and its log group. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
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
import { Construct } from 'constructs';
import { type FunctionName, functions } from '../../lib/model/deployment.ts';
import { isForEnrolments, permissions } from '../../lib/model/permissions.ts';
import { createStatements } from './grants.ts';
import {
  acceptEnrolmentWildcard,
  acceptObjectWildcard,
  acceptSecretWildcard,
  acceptTraceWildcard,
} from './nag-exceptions.ts';
import type { EnlistStack } from './stack.ts';

/** Encrypted, and deleted with the stack: the history of a bot is on its row. */
export const createLogGroup = (
  scope: Construct,
  id: string,
  { names, settings, storage }: EnlistStack,
  name: string,
): LogGroup =>
  new LogGroup(scope, id, {
    logGroupName: names.logGroup(name),
    encryptionKey: storage.keys.data,
    retention: settings.logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });

/** Every variable that lib/runtime/config.ts reads. None of them is a secret. */
const createEnvironment = ({ names, storage, settings }: EnlistStack): Record<string, string> => ({
  ENLIST_TABLE: storage.table.tableName,
  ENLIST_UPLOADS_BUCKET: storage.uploads.bucketName,
  ENLIST_SECRET_PREFIX: names.secretPrefix,
  ENLIST_KMS_KEY_ID: storage.keys.vault.keyArn,
  ENLIST_INTAKE_QUEUE_URL: storage.queues.intake.queue.queueUrl,
  ENLIST_ENROLL_QUEUE_URL: storage.queues.enroll.queue.queueUrl,
  ENLIST_CHECK_QUEUE_URL: storage.queues.check.queue.queueUrl,
  ENLIST_REGISTER_QUEUE_URL: storage.queues.register.queue.queueUrl,
  ENLIST_AUDIT_DAYS: String(settings.auditDays),
  MIXIN_URL: settings.mixinUrl,
  MIXIN_REGISTRATION_SIGNATURE: settings.registrationSignature,
});

/** What each function does, and what it means for a bot when the function does not work: a sentence for the alarms. */
export const functionTexts: Readonly<
  Record<FunctionName, { readonly description: string; readonly impact: string }>
> = {
  api: {
    description: 'Receives lists and answers about batches and bots; may read no secret',
    impact: 'lists are not accepted and nobody can ask about bots; bots that are in progress go on.',
  },
  accounts: {
    description: 'Signs accounts in with a verification code, one at a time',
    impact: 'nobody can ask for a code or sign in with one; lists and bots that are in progress go on.',
  },
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
  recheck: {
    description: 'Finds bots that are due and queues them for a check',
    impact: 'waiting and unsure bots are not checked again in time; none is lost.',
  },
};

export interface FunctionResources {
  /** The part of the stack that has the function's name. */
  readonly part: Construct;
  readonly fn: LambdaFunction;
  readonly role: Role;
  readonly logs: LogGroup;
}

export type Functions = Readonly<Record<FunctionName, FunctionResources>>;

/** The function with the alarms that every function has. */
export const createFunction = (stack: EnlistStack, name: FunctionName): FunctionResources => {
  const { alarms, bundles, names, settings, storage } = stack;
  const { description, impact } = functionTexts[name];
  const part = new Construct(stack, name);
  const logs = createLogGroup(part, 'Logs', stack, name);
  const role = new Role(part, 'Role', {
    description: `Enlist ${settings.stage}: what ${name} may do`,
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: {
      permissions: new PolicyDocument({ statements: createStatements(stack, name, logs) }),
    },
  });
  acceptTraceWildcard(role);
  if (permissions[name].lists.length > 0) acceptObjectWildcard(role, storage.uploads);
  const { secrets } = permissions[name];
  if (secrets.some((action) => !isForEnrolments(action))) acceptSecretWildcard(role, names.secretPrefix);
  if (secrets.some(isForEnrolments)) acceptEnrolmentWildcard(role, names.enrolmentPrefix);
  const fn = new LambdaFunction(part, 'Function', {
    functionName: names.function(name),
    description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(bundles[name].folder),
    handler: 'index.handler',
    // CDK must not add to what grants.ts allows.
    role: role.withoutPolicyUpdates(),
    environment: createEnvironment(stack),
    timeout: Duration.seconds(functions[name].timeoutSeconds),
    memorySize: functions[name].memoryMb,
    logGroup: logs,
    loggingFormat: LoggingFormat.JSON,
    tracing: Tracing.ACTIVE,
    // A bot may go from check to register and back more often than the 16 times after which Lambda stops a message
    // as a loop. Each round has a longer pause (lib/bots/backoff.ts).
    recursiveLoop: RecursiveLoop.ALLOW,
  });
  alarms.watchFunction(name, fn, impact);
  return { part, fn, role, logs };
};
