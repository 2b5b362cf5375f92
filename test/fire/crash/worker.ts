/**
 * A process that can be killed. It runs one task after the other for its parent, with the environment it was started
 * with, and reports how each one ended. Nothing of it survives a SIGKILL.
 */

import type { Services } from '../../../lib/model/ports.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import { connect } from '../../../lib/runtime/connect.ts';
import { runStep, type Task } from './steps.ts';

/** How a task ended, if the worker survived it. */
export interface Report {
  /** Service methods that were called, as in `table.readBot`. */
  readonly methods: readonly string[];
  readonly error?: string;
}

/** The services that reach out of the process. */
export const outward = ['table', 'vault', 'queues', 'uploads', 'mixin', 'accounts'] as const;

const watchCalls = (services: Services, called: Set<string>): Services => {
  const watch = <T extends object>(name: string, part: T): T =>
    new Proxy(part, {
      get: (target, method, receiver) => {
        called.add(`${name}.${String(method)}`);
        return Reflect.get(target, method, receiver);
      },
    });
  const parts = outward.map((name) => [name, watch(name, services[name])] as const);
  return { ...services, ...Object.fromEntries(parts) };
};

const work = async (services: Services, task: Task): Promise<Report> => {
  const called = new Set<string>();
  try {
    await runStep(watchCalls(services, called), task);
    return { methods: [...called] };
  } catch (error) {
    return { methods: [...called], error: String(error) };
  }
};

/** Sends to the parent, if there still is one. */
const tell = (message: Report | 'ready') => process.send?.(message, undefined, undefined, () => undefined);

const live = () => {
  const { services } = connect(readConfig(process.env), () => undefined);
  process.on('message', async (task: Task) => tell(await work(services, task)));
  process.on('disconnect', () => process.exit(0));
  tell('ready');
};

// Another file imports it for its types only.
if (process.send && import.meta.filename === process.argv[1]) live();
