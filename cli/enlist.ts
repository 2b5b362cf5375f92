#!/usr/bin/env node
/** `enlist`: sends lists and asks how they fare. Needs Node 24, which runs TypeScript as it is. */
import { createApiClient } from './api-client.ts';
import type { Call } from './command.ts';
import { commands } from './commands/index.ts';
import { exitCodes, isAbort, Refusal, UsageError } from './failure.ts';
import { commandHelp, mainHelp } from './help.ts';
import { createOutput } from './output.ts';
import { nameIn, type Parsed, parseCommandLine } from './parse.ts';
import { findTarget, type Target } from './target.ts';

const createCall = ({ args, values }: Parsed, signal: AbortSignal): Call => {
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const wanted = {
    api: text('api'),
    stage: text('stage'),
    region: text('region'),
    profile: text('profile'),
  };
  let found: Promise<Target> | undefined;
  const target = () => {
    found ??= findTarget(wanted, process.env);
    return found;
  };
  return {
    args,
    flag: (name) => values[name] === true,
    text,
    texts: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
    output: createOutput(values.json === true),
    signal,
    target,
    api: async () => {
      const { url, send } = await target();
      return createApiClient(url, { send, signal });
    },
  };
};

const main = async (words: readonly string[], signal: AbortSignal): Promise<number> => {
  const parsed = parseCommandLine(words);
  if (parsed.isHelp || !parsed.command) {
    process.stdout.write(parsed.command ? commandHelp(parsed.command) : mainHelp(commands));
    return exitCodes.done;
  }
  return parsed.command.run(createCall(parsed, signal));
};

/** Whatever went wrong in one sentence, and the exit code. */
const explain = (error: unknown, name: string | undefined): number => {
  if (isAbort(error)) {
    process.stderr.write('Interrupted.\n');
    return exitCodes.interrupted;
  }
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message} See enlist${name ? ` ${name}` : ''} --help.\n`);
    return exitCodes.usage;
  }
  const text = error instanceof Refusal ? error.message : `Something unexpected happened: ${String(error)}`;
  process.stderr.write(`${text}\n`);
  return exitCodes.refused;
};

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

const words = process.argv.slice(2);
const code = await Promise.race([main(words, abort.signal), interrupted.promise]).catch((error: unknown) =>
  explain(error, nameIn(words)),
);
if (abort.signal.aborted) process.exit(code);
process.exitCode = code;
