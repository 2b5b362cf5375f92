/** A worker process, as its parent controls it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../../../lib/runtime/config.ts';
import type { Task } from './steps.ts';
import type { Report } from './worker.ts';

export interface WorkerProcess {
  /** How the task ended; `killed` if the worker did not survive it. One task at a time. */
  run(task: Task): Promise<Report | 'killed'>;
  /** SIGKILL. */
  kill(): void;
  /** Kills it and waits until it has ended. */
  stop(): Promise<void>;
}

const WORKER = join(import.meta.dirname, 'worker.ts');

const start = (environment: Environment): ChildProcess =>
  fork(WORKER, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--no-warnings'],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), 'enlist-compile-cache'),
      ...environment,
    },
  });

/** Starts a worker. Tasks wait until it is ready. */
export const startWorker = (environment: Environment): WorkerProcess => {
  const child = start(environment);
  const gone = once(child, 'exit');
  const ready = Promise.race([once(child, 'message'), gone]);
  return {
    run: async (task) => {
      await ready;
      if (child.signalCode !== null || child.exitCode !== null) throw new Error('the worker did not start');
      const report = once(child, 'message').then(([message]) => message as Report);
      child.send(task);
      return Promise.race([report, gone.then(() => 'killed' as const)]);
    },
    kill: () => void child.kill('SIGKILL'),
    stop: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
};
