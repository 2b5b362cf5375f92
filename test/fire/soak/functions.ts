/**
 * Enlist's functions and nothing else in a process of their own, over emulators that run elsewhere: its memory is
 * that of the functions. Needs --expose-gc.
 */
import { startFunctions } from '../../../infra/local/embedded-stack.ts';
import type { Environment } from '../../../lib/runtime/config.ts';
import { sendToParent, waitForStop } from './children.ts';

const SAMPLE_MS = 5_000;

const environment = JSON.parse(process.argv[2] ?? '') as Environment;
/** Only errors are sent to the parent. */
const log = (line: string) => {
  if (line.includes('"level":"error"')) sendToParent({ kind: 'line', line });
};
const functions = await startFunctions(environment, { log });
sendToParent({ kind: 'functions', url: functions.url });

const sampling = setInterval(() => {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  sendToParent({ kind: 'sample', atMs: Date.now(), rss, heapUsed, external });
}, SAMPLE_MS);

await waitForStop();
clearInterval(sampling);
await functions.stop();
process.exit(0);
