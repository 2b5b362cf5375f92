/** The whole of Enlist on one machine: the emulators, the functions, and what brings events to them. */
import { createRequire } from 'node:module';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createHandler as createAccountsHandler } from '../../functions/accounts.ts';
import { createHandler as createApiHandler } from '../../functions/api.ts';
import { createHandler as createCheckHandler } from '../../functions/check.ts';
import { createHandler as createEnrollHandler } from '../../functions/enroll.ts';
import { createHandler as createIntakeHandler } from '../../functions/intake.ts';
import { createHandler as createRecheckHandler } from '../../functions/recheck.ts';
import { createHandler as createRegisterHandler } from '../../functions/register.ts';
import { routes } from '../../lib/api/contract.ts';
import {
  type FunctionName,
  functionNames,
  functions,
  type QueueName,
  queueNames,
  queues,
  schedules,
} from '../../lib/model/deployment.ts';
import type { LogCode } from '../../lib/model/log.ts';
import type { RegistrationSignature } from '../../lib/model/mixin.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import type { CreateHandler } from '../../lib/runtime/handler.ts';
import { createLog } from '../../lib/runtime/log.ts';
import { clientConfig } from './client-config.ts';
import { prepareDataFolder } from './data-folder.ts';
import { startEmulators } from './emulators.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { startGateway } from './gateway.ts';
import { createLambdaEndpoint, type LocalFunctions } from './lambda-endpoint.ts';
import { startPoller } from './poller.ts';
import { createQueueArn } from './queues.ts';
import { startSchedule } from './schedule.ts';

export interface EmbeddedStackOptions {
  /** Where everything is stored; without it all is in memory and lost at the end. */
  readonly dataDir?: string;
  readonly mixinUrl: string;
  readonly registrationSignature?: RegistrationSignature;
  /** Bundled functions, a file each, to run in place of the sources. */
  readonly bundles?: Readonly<Record<FunctionName, string>>;
  /** Port of the HTTP API on 127.0.0.1. @default a free one */
  readonly port?: number;
  /** Called when the HTTP API answers, which it does while the vault is still being read. */
  readonly onListening?: (url: string) => Promise<void>;
  /** Only the HTTP API: no queue is polled, nothing is rechecked, and the folder does not say where it answers. */
  readonly isReadOnly?: boolean;
  /** Returns the environment of the functions, to put for example a proxy before the emulators. @default unchanged */
  readonly wrapEndpoints?: (aws: Environment) => Promise<Environment>;
  /** Receives the log lines of the stack and its functions, without line ends. */
  readonly log: (line: string) => void;
}

/** All but the emulators: the functions, and what brings events to them. */
interface RunningFunctions {
  /** Where the HTTP API answers. */
  readonly url: string;
  /** Runs the scheduled recheck now. Throws what it throws. */
  recheckNow(): Promise<void>;
  /** Lets running work finish and closes everything. */
  stop(): Promise<void>;
}

/** The functions with their emulators. stop() also releases the data folder. */
export interface EmbeddedStack extends RunningFunctions {
  /** What the functions were built from. */
  readonly environment: Environment;
}

type Log = EmbeddedStackOptions['log'];
type HandlerFactories = Readonly<Record<FunctionName, CreateHandler>>;

const createErrorLogger =
  (log: Log, step: FunctionName, code: LogCode) =>
  (error: Error): void =>
    createLog(log, Date.now, { step })('error', code, { error: error.name });

const createEnvironment = (aws: Environment, options: EmbeddedStackOptions): Environment => ({
  ...aws,
  MIXIN_URL: options.mixinUrl,
  ...(options.registrationSignature && { MIXIN_REGISTRATION_SIGNATURE: options.registrationSignature }),
});

const sources: HandlerFactories = {
  api: createApiHandler,
  accounts: createAccountsHandler,
  intake: createIntakeHandler,
  enroll: createEnrollHandler,
  check: createCheckHandler,
  register: createRegisterHandler,
  recheck: createRecheckHandler,
};

/** Uses require() and not import: test runners rewrite imports, and these files must run as they are. */
const loadBundles = (bundles: NonNullable<EmbeddedStackOptions['bundles']>): HandlerFactories => {
  const require = createRequire(import.meta.url);
  return Object.fromEntries(
    functionNames.map((name) => [name, require(bundles[name]).createHandler]),
  ) as HandlerFactories;
};

const createFunctions = (factories: HandlerFactories, environment: Environment, log: Log): LocalFunctions =>
  Object.fromEntries(
    functionNames.map((functionName) => {
      const { timeoutSeconds } = functions[functionName];
      const handler = factories[functionName](environment, log);
      return [functionName, { functionName, timeoutSeconds, handler }];
    }),
  ) as LocalFunctions;

const startPollers = (environment: Environment, localFunctions: LocalFunctions, log: Log) => {
  const { queueUrls, aws } = readConfig(environment);
  const sqs = new SQSClient(clientConfig(aws.endpoints.sqs ?? ''));
  const start = (name: QueueName) =>
    startPoller({
      ...localFunctions[name],
      sqs,
      queueUrl: queueUrls[name],
      queueArn: createQueueArn(name),
      shape: queues[name],
      onError: createErrorLogger(log, name, 'record_crashed'),
    });
  const pollers = queueNames.map(start);
  return {
    stop: async () => {
      await Promise.all(pollers.map((poller) => poller.stop()));
      sqs.destroy();
    },
  };
};

/** What the queues and the schedule bring to the functions. */
const startEvents = (environment: Environment, localFunctions: LocalFunctions, log: Log) => {
  const pollers = startPollers(environment, localFunctions, log);
  const recheck = startSchedule({
    ...localFunctions.recheck,
    everySeconds: schedules.recheck.everySeconds,
    onError: createErrorLogger(log, 'recheck', 'record_crashed'),
  });
  return {
    recheckNow: () => recheck.runNow(),
    stop: async () => {
      await recheck.stop();
      await pollers.stop();
    },
  };
};

interface FunctionsOptions
  extends Pick<EmbeddedStackOptions, 'log' | 'bundles' | 'port' | 'isReadOnly' | 'onListening'> {
  /** No queue is polled before. @default at once */
  readonly loaded?: Promise<void>;
}

/** Starts the functions with emulators that are already running, in this process or in another. */
export const startFunctions = async (
  environment: Environment,
  { log, bundles, port, isReadOnly, onListening, loaded }: FunctionsOptions,
): Promise<RunningFunctions> => {
  await using started = new AsyncDisposableStack();

  const localFunctions = createFunctions(bundles ? loadBundles(bundles) : sources, environment, log);
  const gateway = await startGateway({
    functions: localFunctions,
    intercept: createLambdaEndpoint(localFunctions),
    routes,
    ...(port !== undefined && { port }),
    onError: (error, name) => createErrorLogger(log, name, 'request_failed')(error),
  });
  started.defer(() => gateway.stop());
  await onListening?.(gateway.url);

  if (!isReadOnly) await loaded;
  const events = isReadOnly ? undefined : startEvents(environment, localFunctions, log);
  started.defer(async () => events?.stop());

  const running = started.move();
  return {
    url: gateway.url,
    recheckNow: async () => events?.recheckNow(),
    stop: () => running.disposeAsync(),
  };
};

/**
 * Starts the emulators and the functions. Rejects, and leaves nothing running, when the folder is in use or has
 * another schema, the port is taken or a setting is wrong. Messages that a crashed process had received are queued
 * again first.
 */
export const startEmbeddedStack = async (options: EmbeddedStackOptions): Promise<EmbeddedStack> => {
  const { dataDir, wrapEndpoints = async (aws) => aws } = options;
  await using started = new AsyncDisposableStack();
  let lock: FolderLock | undefined;

  if (dataDir !== undefined) {
    await prepareDataFolder(dataDir);
    lock = await lockFolder(dataDir);
    started.defer(lock.release);
  }
  const emulators = await startEmulators({ ...options, loadsLater: true });
  started.defer(() => emulators.stop());
  if (!options.isReadOnly) await emulators.releaseInFlight();

  const environment = createEnvironment(await wrapEndpoints(emulators.environment), options);
  const runningFunctions = await startFunctions(environment, {
    ...options,
    loaded: emulators.loaded,
    onListening: async (url) => {
      if (!options.isReadOnly) await lock?.announce(url);
      await options.onListening?.(url);
    },
  });
  started.defer(() => runningFunctions.stop());

  const running = started.move();
  return { ...runningFunctions, environment, stop: () => running.disposeAsync() };
};
