/**
 * A process that can be killed: it runs one task after the other as its parent tells it, with the environment it was
 * started with, and reports what became of each. Nothing of it outlives a SIGKILL.
 */

import type { Services } from '../../../lib/model/ports.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import { connect } from '../../../lib/runtime/connect.ts';
import { runStep, type Task } from './steps.ts';

/** What a task ended with, where the worker lived to tell. */
export interface Report {
  /** Service methods that were called, as in `table.readBot`. */
  readonly methods: readonly string[];
  readonly error?: string;
}

/** The services that reach out of the process. */
export const outward = ['table', 'vault', 'queues', 'uploads', 'mixin', 'accounts'] as const;

const watched = (services: Services, met: Set<string>): Services => {
  const watch = <T extends object>(name: string, part: T): T =>
    new Proxy(part, {
      get: (target, method, receiver) => {
        met.add(`${name}.${String(method)}`);
        return Reflect.get(target, method, receiver);
      },
    });
  const parts = outward.map((name) => [name, watch(name, services[name])] as const);
  return { ...services, ...Object.fromEntries(parts) };
};

const work = async (services: Services, task: Task): Promise<Report> => {
  const met = new Set<string>();
  try {
    await runStep(watched(services, met), task);
    return { methods: [...met] };
  } catch (error) {
    return { methods: [...met], error: String(error) };
  }
};

/** To the parent, if there still is one. */
const tell = (message: Report | 'ready') => process.send?.(message, undefined, undefined, () => undefined);

const live = () => {
  const { services } = connect(readConfig(process.env), () => undefined);
  process.on('message', async (task: Task) => tell(await work(services, task)));
  process.on('disconnect', () => process.exit(0));
  tell('ready');
};

// Imported for its names, it does nothing.
if (process.send && import.meta.filename === process.argv[1]) live();
