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
let cleanUpMs = 500;
const START_CLEAN_UP_MS = 60_000;
const interrupted = Promise.withResolvers<never>();
/** One Ctrl-C can come twice: from the terminal, and from npm, which passes it on. */
const SAME_SIGNAL_MS = 1_000;
let firstAtMs: number | undefined;
/** The second Ctrl-C waits for nothing: nothing is lost by that either. */
const interrupt = () => {
  const nowMs = performance.now();
  if (firstAtMs !== undefined && nowMs - firstAtMs < SAME_SIGNAL_MS) return;
  const waitMs = firstAtMs === undefined ? cleanUpMs : 0;
  firstAtMs ??= nowMs;
  abort.abort();
  setTimeout(() => interrupted.reject(abort.signal.reason), waitMs);
};
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, interrupt);

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
  waitForCleanUp: () => {
    cleanUpMs = START_CLEAN_UP_MS;
  },
};
const code = await Promise.race([
  runCommand(process.argv.slice(2), terminal, abort.signal),
  interrupted.promise,
]).catch((error: unknown) => reportError(error, terminal));
if (abort.signal.aborted || cleanUpMs === START_CLEAN_UP_MS) process.exit(code);
process.exitCode = code;
