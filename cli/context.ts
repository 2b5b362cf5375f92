/** What a command works with: the terminal, where answers go, and the API. */
import type { Command } from 'commander';
import { type ApiClient, createApiClient } from './api-client.ts';
import { createCommandFormat, type RepeatedOptions } from './hint.ts';
import { createOutput } from './output.ts';
import { findTarget, type Target, type TargetOptions } from './target.ts';

export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The file that Node runs, under the name that was called. */
  readonly script?: string | undefined;
  /** Called by a command that, after Ctrl-C, needs longer than a moment to stop. */
  readonly waitForCleanUp?: () => void;
}

/** The options that every command has. */
export interface CommonOptions extends TargetOptions, RepeatedOptions {
  readonly json?: true;
}

export const createContext = (options: CommonOptions, terminal: Terminal, signal: AbortSignal) => {
  let target: Promise<Target> | undefined;
  const find = (isReading = false): Promise<Target> => {
    target ??= findTarget(options, terminal.environment, isReading);
    return target;
  };
  const connect = async (isReading = false): Promise<ApiClient> => {
    const { url, send } = await find(isReading);
    return createApiClient(url, { send, signal });
  };
  return {
    terminal,
    /** The data folder that the user named. */
    data: options.data,
    output: createOutput(options.json === true, terminal),
    /** Writes a command for a hint, with the options that say where the API is. */
    formatCommand: createCommandFormat(terminal, options),
    /** Aborted by Ctrl-C. */
    signal,
    /** Finds the API and how to send requests to it. Throws RequestError or UsageError. */
    findTarget: () => find(),
    /** A client of the API. Throws as findTarget does. */
    connect: () => connect(),
    /** The same for a command that only reads: a data folder on which nothing runs will do. */
    connectToRead: () => connect(true),
    /** Stops what was started for this command. */
    stop: async (): Promise<void> => {
      const found = await target?.catch(() => undefined);
      await found?.stop?.();
    },
  };
};
export type Context = ReturnType<typeof createContext>;

/** Makes an action of commander out of one that gets the context first and returns the exit code. */
export type Run = <Args extends readonly unknown[]>(
  action: (context: Context, ...args: Args) => Promise<number>,
) => (...args: [...Args, Command]) => Promise<void>;
