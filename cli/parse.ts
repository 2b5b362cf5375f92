/** From the words of a command line to a command and its options. */
import { parseArgs } from 'node:util';
import type { Command, Options } from './command.ts';
import { commands, findCommand } from './commands/index.ts';
import { UsageError } from './failure.ts';
import { commonOptions } from './help.ts';

export interface Parsed {
  /** Absent when only help is asked for. */
  readonly command: Command | undefined;
  readonly isHelp: boolean;
  readonly args: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
}

/** What node:util says of a wrong option, in one sentence. */
const sentenceOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : '';
  const valueless = /^Option '(--[\w-]+)[^']*' argument (is ambiguous|missing)/.exec(text)?.[1];
  if (valueless !== undefined) return `${valueless} needs a value.`;
  return `${(text.split(/\. |\n/)[0] ?? '').replace(/[.]$/, '')}.`;
};

interface Read {
  readonly values: Parsed['values'];
  readonly positionals: readonly string[];
}

const read = (args: readonly string[], options: Options): Read => {
  const plain = Object.entries(options).map(([name, { type, multiple = false }]) => [
    name,
    { type, multiple },
  ]);
  try {
    return parseArgs({
      args: [...args],
      options: Object.fromEntries(plain),
      allowPositionals: true,
    }) as unknown as Read;
  } catch (error) {
    throw new UsageError(sentenceOf(error));
  }
};

/** The place of the first word that is neither an option nor the value of one. */
const placeOfCommand = (args: readonly string[]): number => {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(commonOptions).map(([name, { type }]) => [name, { type }])),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  return tokens.find(({ kind }) => kind === 'positional')?.index ?? -1;
};

/** The command that is meant, if there is such a one. */
export const nameIn = (words: readonly string[]): string | undefined => {
  const name = words[placeOfCommand(words)];
  return name !== undefined && findCommand(name) ? name : undefined;
};

const named = (name: string): Command => {
  const command = findCommand(name);
  if (command) return command;
  const names = commands.map(({ usage }) => usage.split(' ')[0]).join(', ');
  throw new UsageError(`There is no command ${name}. There are ${names}.`);
};

/** Throws UsageError. */
export const parseCommandLine = (words: readonly string[]): Parsed => {
  const place = placeOfCommand(words);
  const name = words[place];
  if (name === undefined) {
    const { values } = read(words, commonOptions);
    if (values.help !== true) throw new UsageError('A command is missing.');
    return { command: undefined, isHelp: true, args: [], values };
  }
  const rest = words.toSpliced(place, 1);
  if (name === 'help')
    return { command: rest[0] ? named(rest[0]) : undefined, isHelp: true, args: [], values: {} };
  const command = named(name);
  if (rest.includes('--help')) return { command, isHelp: true, args: [], values: {} };
  const { values, positionals } = read(rest, { ...command.options, ...commonOptions });
  return { command, isHelp: false, args: positionals, values };
};
