#!/usr/bin/env node
/** `enlist`: sends lists and asks how they fare. Needs Node 24, which runs TypeScript as it is. */
import { exitCodes } from './failure.ts';
import { explain, runCommand } from './run-command.ts';
import type { Terminal } from './terminal.ts';

// Whoever reads our output may have had enough of it, such as head.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.done : exitCodes.refused);
});

const abort = new AbortController();
/** What waits for the signal ends by itself and tidies the terminal; the rest is left after this time. */
const TIDY_UP_MS = 500;
const interrupted = Promise.withResolvers<never>();
const interrupt = () => {
  abort.abort();
  setTimeout(() => interrupted.reject(abort.signal.reason), TIDY_UP_MS);
};
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);

const { stdout, stderr, env: environment } = process;
const terminal: Terminal = {
  // Nobody opens it before it is asked for.
  get stdin() {
    return process.stdin;
  },
  stdout,
  stderr,
  environment,
};
const words = process.argv.slice(2);
const code = await Promise.race([runCommand(words, terminal, abort.signal), interrupted.promise]).catch(
  (error: unknown) => explain(error, words, terminal),
);
if (abort.signal.aborted) process.exit(code);
process.exitCode = code;
