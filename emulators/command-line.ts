/** What the commands of the emulators share. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';

/** A port of 127.0.0.1; 0 is any free one. */
export const parsePort = (text: string): number => {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
};

/** A command whose help fits 80 columns and whose errors are thrown. `name` is how people start it. */
export const createCommand = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .configureHelp({ helpWidth: 80 })
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('Add --help to see the options.')
    .exitOverride();

/** Runs a server until it is interrupted. Exit code 2: the command line is wrong, or the server cannot start. */
export const runServer = async (command: Command): Promise<void> => {
  try {
    await command.parseAsync();
  } catch (error) {
    // Commander has printed its own errors, and the help.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 2;
    }
  }
};

/** Stops the server when the process is interrupted. */
export const stopOnSignal = (server: { stop(): Promise<void> }): void => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
};
