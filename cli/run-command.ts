/** One command line, from its words to its exit code. */
import { createApiClient } from './api-client.ts';
import type { Call } from './command.ts';
import { commands } from './commands/index.ts';
import { exitCodes, isAbort, Refusal, UsageError } from './failure.ts';
import { commandHelp, mainHelp } from './help.ts';
import { createOutput } from './output.ts';
import { nameIn, type Parsed, parseCommandLine } from './parse.ts';
import { findTarget, type Target } from './target.ts';
import type { Terminal } from './terminal.ts';

const createCall = ({ args, values }: Parsed, terminal: Terminal, signal: AbortSignal): Call => {
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const wanted = {
    api: text('api'),
    stage: text('stage'),
    region: text('region'),
    profile: text('profile'),
  };
  let found: Promise<Target> | undefined;
  const target = () => {
    found ??= findTarget(wanted, terminal.environment);
    return found;
  };
  return {
    args,
    flag: (name) => values[name] === true,
    text,
    texts: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
    terminal,
    output: createOutput(values.json === true, terminal),
    signal,
    target,
    api: async () => {
      const { url, send } = await target();
      return createApiClient(url, { send, signal });
    },
  };
};

const run = async (words: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> => {
  const parsed = parseCommandLine(words);
  if (parsed.isHelp || !parsed.command) {
    terminal.stdout.write(parsed.command ? commandHelp(parsed.command) : mainHelp(commands));
    return exitCodes.done;
  }
  return parsed.command.run(createCall(parsed, terminal, signal));
};

/** Whatever went wrong in one sentence, and the exit code. */
export const explain = (error: unknown, words: readonly string[], { stderr }: Terminal): number => {
  if (isAbort(error)) {
    stderr.write('Interrupted.\n');
    return exitCodes.interrupted;
  }
  if (error instanceof UsageError) {
    const name = nameIn(words);
    stderr.write(`${error.message} See enlist${name ? ` ${name}` : ''} --help.\n`);
    return exitCodes.usage;
  }
  const text = error instanceof Refusal ? error.message : `Something unexpected happened: ${String(error)}`;
  stderr.write(`${text}\n`);
  return exitCodes.refused;
};

/** Runs the command that the words name and returns its exit code; throws nothing. */
export const runCommand = (
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> => run(words, terminal, signal).catch((error: unknown) => explain(error, words, terminal));
