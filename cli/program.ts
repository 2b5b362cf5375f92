/** The command line as a whole: its commands, the options that all of them have, and how it ends. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addBots } from './commands/bots.ts';
import { addCheck } from './commands/check.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfirm } from './commands/confirm.ts';
import { addCreate } from './commands/create.ts';
import { addDoctor } from './commands/doctor.ts';
import { addErrors } from './commands/errors.ts';
import { addRetry } from './commands/retry.ts';
import { addShow } from './commands/show.ts';
import { addSignIn } from './commands/sign-in.ts';
import { addStart } from './commands/start.ts';
import { addStatus } from './commands/status.ts';
import { addTemplate } from './commands/template.ts';
import { addUpload } from './commands/upload.ts';
import { addWatch } from './commands/watch.ts';
import { type Context, createContext, type Run, type Terminal } from './context.ts';
import { isAbort, RequestError, UsageError } from './errors.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { createCommandFormat } from './hint.ts';
import { DEFAULT_STAGE } from './target.ts';

/** In the order of --help. */
const commandAdders = [
  addStart,
  addTemplate,
  addCheck,
  addUpload,
  addCreate,
  addConfirm,
  addWatch,
  addStatus,
  addBots,
  addErrors,
  addShow,
  addRetry,
  addSignIn,
  addDoctor,
  addCompletion,
];

const HELP_WIDTH = 80;
/** Reason codes are too many for a help text. */
const MAX_CHOICES_SHOWN = 20;

const targetHelp = `
Where the API is:
  --api or ENLIST_API has its address. --data has the folder of npm start; one that
  runs on ./data or ./data-demo is found by itself. Otherwise the deployed stack is
  looked up with your usual AWS credentials, and every request is signed with them.
  No key is ever an argument.`;

const readVersion = (): string =>
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

/** @param run turns the action of a command into one of commander */
export const createProgram = (run: Run, { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>): Command => {
  const program = new Command('enlist')
    .description('Registers every bot of a list with Mixin Safe.')
    .option('--api <URL>', 'address of the API (default: ENLIST_API, or the stack)')
    .option('--stage <NAME>', `stage of the stack (default: ENLIST_STAGE, or ${DEFAULT_STAGE})`)
    .option('--region <NAME>', 'AWS region (default: from AWS_REGION or the profile)')
    .option('--profile <NAME>', 'AWS profile (default: from AWS_PROFILE)')
    .option('--data <DIR>', 'folder of npm start, running or stopped')
    .option('--json', 'print JSON on stdout; notes and errors stay on stderr')
    .version(readVersion(), '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [COMMAND]', 'Shows the help of a command.')
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map((it) => it.name())].join(' '),
      optionDescription: ({ description, argChoices = [] }) =>
        argChoices.length > 0 && argChoices.length <= MAX_CHOICES_SHOWN
          ? `${description}: ${argChoices.join(', ')}`
          : description,
      argumentDescription: ({ description }) => description,
    })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // Errors are printed by reportError.
      outputError: () => undefined,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    })
    .exitOverride()
    .addHelpText(
      'after',
      `${targetHelp}\n\n${exitCodeHelp}\n\nenlist COMMAND --help shows more about a command.`,
    );
  for (const addCommand of commandAdders) addCommand(program, run);
  return program;
};

/** A message of commander as one sentence. The value of an unknown option is left out: it may be a secret. */
const describeUsageError = ({ code, message }: CommanderError): string => {
  const text =
    code === 'commander.unknownOption' ? message.replace(/'(--[^='\n]+|-[^-]).*'/s, "'$1'") : message;
  const [problem = '', suggestion = ''] = text.replace(/^error: /, '').split('\n');
  const sentence = `${problem[0]?.toUpperCase()}${problem.slice(1).replace(/\.$/, '')}.`;
  return suggestion === '' ? sentence : `${sentence} ${suggestion.replace(/[()]/g, '')}`;
};

/**
 * Prints what went wrong and returns the exit code.
 * @param name of the command, where one was found
 */
export const reportError = (error: unknown, terminal: Terminal, name?: string): number => {
  const { stderr } = terminal;
  const print = (text: string) => void stderr.write(`${text}\n`);
  const help = createCommandFormat(terminal)(...(name === undefined ? [] : [name]), '--help');
  const printUsage = (text: string) => print(`${text} See ${help}`);
  if (isAbort(error)) {
    print('Interrupted.');
    return exitCodes.interrupted;
  }
  if (error instanceof CommanderError) {
    // Commander has printed what was asked for, or the whole help where no command was named.
    if (error.exitCode === 0) return exitCodes.done;
    if (error.code !== 'commander.help') printUsage(describeUsageError(error));
    return exitCodes.usage;
  }
  if (error instanceof UsageError) {
    printUsage(error.message);
    return exitCodes.usage;
  }
  print(error instanceof RequestError ? error.message : `Unexpected error: ${String(error)}`);
  return exitCodes.refused;
};

/** Runs the command that the words name and returns its exit code; never throws. */
export const runCommand = async (
  words: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> => {
  let exitCode: number = exitCodes.done;
  let name: string | undefined;
  const run: Run =
    <Args extends readonly unknown[]>(action: (context: Context, ...args: Args) => Promise<number>) =>
    async (...args: [...Args, Command]) => {
      const command = args.at(-1) as Command;
      const context = createContext(command.optsWithGlobals(), terminal, signal);
      try {
        exitCode = await action(context, ...(args.slice(0, -1) as unknown as Args));
      } finally {
        await context.stop();
      }
    };
  const program = createProgram(run, terminal).hook('preSubcommand', (_program, command) => {
    name = command.name();
  });
  // Help for what is not a command is as wrong as the command itself.
  const [first, second] = words;
  const isKnown = second === undefined || program.commands.some((command) => command.name() === second);
  try {
    await program.parseAsync(first === 'help' && !isKnown ? words.slice(1) : words, { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportError(error, terminal, name);
  }
};
