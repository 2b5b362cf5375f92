/**
 * Enlist's functions and nothing else in a process of their own, over emulators that run elsewhere: its memory is
 * that of the functions. Needs --expose-gc.
 */
import { startFunctions } from '../../../infra/local/embedded-stack.ts';
import type { Environment } from '../../../lib/runtime/config.ts';
import { tellParent, untilAsked } from './children.ts';

const SAMPLE_MS = 5_000;

const environment = JSON.parse(process.argv[2] ?? '') as Environment;
/** Only what went wrong is worth a message to the parent. */
const log = (line: string) => {
  if (line.includes('"level":"error"')) tellParent({ kind: 'line', line });
};
const staff = await startFunctions(environment, { log });
tellParent({ kind: 'functions', url: staff.url });

const sampling = setInterval(() => {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  tellParent({ kind: 'sample', atMs: Date.now(), rss, heapUsed, external });
}, SAMPLE_MS);

await untilAsked();
clearInterval(sampling);
await staff.stop();
process.exit(0);
