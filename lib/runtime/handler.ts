/** What every Lambda function of Enlist has in common: how its handler is built, and its connection. */
import type { Context } from 'aws-lambda';
import { isUnavailable } from '../aws/unavailable.ts';
import type { FunctionName } from '../model/deployment.ts';
import { type Environment, readConfig } from './config.ts';
import { type Connection, connect } from './connect.ts';
import { createLog } from './log.ts';
import { OutOfTime } from './middlewares/deadline.ts';
import { runSmokeTest, type SmokeTestReport } from './smoke-test.ts';

/** What Lambda calls. */
export type Handler = (event: unknown, context: Context) => Promise<unknown>;

/**
 * Builds the handler for an environment. `write` gets each log line, without its line end; stdout is the default.
 * Throws what readConfig throws.
 */
export type CreateHandler = (environment: Environment, write?: (line: string) => void) => Handler;

/** The handler that Lambda calls: built from the environment of the process at the first event. */
export const lazily = (createHandler: CreateHandler): Handler => {
  let handler: Handler | undefined;
  return (event, context) => {
    handler ??= createHandler(process.env);
    return handler(event, context);
  };
};

export interface FunctionConnection extends Connection {
  readonly runSmokeTest: () => Promise<SmokeTestReport>;
  /** Did this fail because AWS is unavailable, or did it run out of time while AWS was? */
  readonly isUnavailable: (error: unknown, startedMs: number) => boolean;
}

const writeToStdout = (line: string) => void process.stdout.write(`${line}\n`);

/** The services of one function, whose log lines carry its name. */
export const connectFunction = (
  name: FunctionName,
  environment: Environment,
  write: (line: string) => void = writeToStdout,
): FunctionConnection => {
  const config = readConfig(environment);
  const connection = connect(config, createLog(write, Date.now, { step: name }));
  return {
    ...connection,
    runSmokeTest: () => runSmokeTest(name, { ...connection, mixinUrl: config.mixinUrl }),
    isUnavailable: (error, startedMs) =>
      isUnavailable(error) || (error instanceof OutOfTime && connection.unavailableSince(startedMs)),
  };
};
