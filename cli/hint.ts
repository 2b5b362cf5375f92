/** Commands in printed hints: each runs as it is printed, in the way the command line itself was started. */
import { basename } from 'node:path';
import type { Terminal } from './context.ts';

/** The options that say where the API is; a hint repeats those that were given. */
const repeatedOptions = ['api', 'data', 'stage', 'region', 'profile'] as const;
export type RepeatedOptions = Readonly<Partial<Record<(typeof repeatedOptions)[number], string | undefined>>>;

/** What says how a program was started. */
export type Start = Pick<Terminal, 'environment'> & {
  /** The file that Node runs, under the name that was called. */
  readonly script?: string | undefined;
};

/** The words that start the command line: as they were given, or else as they work inside the repository. */
export const findStartWords = ({ environment, script = '' }: Start): string => {
  if (environment.npm_lifecycle_event === 'enlist') return 'npm run enlist --';
  if (environment.npm_command !== 'exec' && basename(script) === 'enlist') return 'enlist';
  return 'npx enlist';
};

/** A word as a shell reads it back. */
export const quoteWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Writes a command for a person to run: ('errors', batch_id) → npx enlist errors 1b9d… --data DIR */
export type FormatCommand = (...words: readonly string[]) => string;

export const createCommandFormat =
  (start: Start, options: RepeatedOptions = {}): FormatCommand =>
  (...words) => {
    const repeated = repeatedOptions.flatMap((name) => {
      const value = options[name];
      return value === undefined ? [] : [`--${name}`, value];
    });
    return [findStartWords(start), ...[...words, ...repeated].map(quoteWord)].join(' ');
  };
