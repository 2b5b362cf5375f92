/** The programs of the soak, each in a process of its own, and their messages. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Environment } from '../../../lib/runtime/config.ts';

export interface Sample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly rss: number;
  /** After a garbage collection. */
  readonly heapUsed: number;
  readonly external: number;
}

export type ChildMessage =
  | { readonly kind: 'emulators'; readonly environment: Environment; readonly released: number }
  | { readonly kind: 'functions'; readonly url: string }
  | ({ readonly kind: 'sample' } & Sample)
  | { readonly kind: 'line'; readonly line: string };

export interface Child {
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Asks it to end. */
  stop(): Promise<void>;
}

interface StartedChild<K extends ChildMessage['kind']> extends Child {
  readonly first: Extract<ChildMessage, { kind: K }>;
}

/** For the child: sends a message to its parent, if there is one. */
export const sendToParent = (message: ChildMessage): void => void process.send?.(message);

/** For the child: resolves when it must end, or when its parent is gone. */
export const waitForStop = (): Promise<void> =>
  new Promise((end) => {
    process.once('SIGTERM', () => end());
    process.once('disconnect', () => end());
  });

const endChild = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, 'exit');
  child.kill(signal);
  await end;
};

/** Starts a program and waits until it says that it runs. */
const start = async <K extends ChildMessage['kind']>(
  file: string,
  input: unknown,
  kind: K,
  onMessage: (message: ChildMessage) => void,
): Promise<StartedChild<K>> => {
  const child = fork(new URL(file, import.meta.url), [JSON.stringify(input)], {
    // The options of the test runner are not for them.
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const first = await new Promise<Extract<ChildMessage, { kind: K }>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
    child.on('message', (sent) => {
      const message = sent as ChildMessage;
      if (message.kind === kind) resolve(message as Extract<ChildMessage, { kind: K }>);
      onMessage(message);
    });
  });
  return { first, kill: () => endChild(child, 'SIGKILL'), stop: () => endChild(child, 'SIGTERM') };
};

const nothing = () => undefined;

export const startEmulatorsApart = (dataDir: string) => start('emulators.ts', dataDir, 'emulators', nothing);

export const startFunctionsApart = (environment: Environment, onMessage: (message: ChildMessage) => void) =>
  start('functions.ts', environment, 'functions', onMessage);
