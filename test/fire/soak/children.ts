/** The programs of the soak, each in a process of its own, and what they tell. */
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

export type Told =
  | { readonly kind: 'emulators'; readonly environment: Environment; readonly released: number }
  | { readonly kind: 'functions'; readonly url: string }
  | ({ readonly kind: 'sample' } & Sample)
  | { readonly kind: 'line'; readonly line: string };

export interface Child {
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Ends it by asking. */
  stop(): Promise<void>;
}

interface Started<K extends Told['kind']> extends Child {
  readonly first: Extract<Told, { kind: K }>;
}

/** For the child: tells its parent, where there is one. */
export const tellParent = (told: Told): void => void process.send?.(told);

/** For the child: ends when it is asked to, or when nobody is left to ask. */
export const untilAsked = (): Promise<void> =>
  new Promise((end) => {
    process.once('SIGTERM', () => end());
    process.once('disconnect', () => end());
  });

const ended = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, 'exit');
  child.kill(signal);
  await end;
};

/** Starts a program and waits until it says that it runs. */
const start = async <K extends Told['kind']>(
  file: string,
  input: unknown,
  kind: K,
  hear: (told: Told) => void,
): Promise<Started<K>> => {
  const child = fork(new URL(file, import.meta.url), [JSON.stringify(input)], {
    // Whatever loaded this file, they are plain programs.
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const first = await new Promise<Extract<Told, { kind: K }>>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
    child.on('message', (message) => {
      const told = message as Told;
      if (told.kind === kind) resolve(told as Extract<Told, { kind: K }>);
      hear(told);
    });
  });
  return { first, kill: () => ended(child, 'SIGKILL'), stop: () => ended(child, 'SIGTERM') };
};

const nothing = () => undefined;

export const startEmulatorsApart = (dataDir: string) => start('emulators.ts', dataDir, 'emulators', nothing);

export const startFunctionsApart = (environment: Environment, hear: (told: Told) => void) =>
  start('functions.ts', environment, 'functions', hear);
