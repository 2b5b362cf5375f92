#!/usr/bin/env node
/** `enlist`: uploads lists and shows their status. Needs Node 24, which runs TypeScript as it is. */
import type { Terminal } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { reportError, runCommand } from './program.ts';

// The reader of our output may close it early, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.done : exitCodes.refused);
});

const abort = new AbortController();
/** What waits for the signal ends by itself and resets the terminal; anything else is left after this time. */
const CLEAN_UP_MS = 500;
const interrupted = Promise.withResolvers<never>();
const interrupt = () => {
  abort.abort();
  setTimeout(() => interrupted.reject(abort.signal.reason), CLEAN_UP_MS);
};
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);

const { stdout, stderr, env: environment } = process;
const terminal: Terminal = {
  // Opened only when it is needed.
  get stdin() {
    return process.stdin;
  },
  stdout,
  stderr,
  environment,
  script: process.argv[1],
};
const code = await Promise.race([
  runCommand(process.argv.slice(2), terminal, abort.signal),
  interrupted.promise,
]).catch((error: unknown) => reportError(error, terminal));
if (abort.signal.aborted) process.exit(code);
process.exitCode = code;
