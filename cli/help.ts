/** The texts of --help, out of the commands themselves. */
import type { Command, Option, Options } from './command.ts';
import { exitCodeLines } from './failure.ts';
import { columns } from './output.ts';
import { DEFAULT_STAGE } from './target.ts';

/** Options of every command. */
export const commonOptions = {
  api: {
    type: 'string',
    value: 'URL',
    help: 'address of the API; or set ENLIST_API (default: what the stack says)',
  },
  stage: {
    type: 'string',
    value: 'NAME',
    help: `of the stack enlist-NAME; or set ENLIST_STAGE (default: ${DEFAULT_STAGE})`,
  },
  region: { type: 'string', value: 'NAME', help: 'AWS region (default: as AWS_REGION or the profile says)' },
  profile: { type: 'string', value: 'NAME', help: 'AWS profile (default: as AWS_PROFILE says)' },
  json: { type: 'boolean', help: 'answer in JSON, for scripts; progress and errors stay on stderr' },
  help: { type: 'boolean', help: 'this text' },
} as const satisfies Options;

const indent = (lines: readonly string[]) => lines.map((line) => (line === '' ? '' : `  ${line}`));

const optionRows = (options: Options): string[][] =>
  Object.entries(options).map(([name, option]: [string, Option]) => [
    `--${name}${option.value ? ` ${option.value}` : ''}`,
    option.help,
  ]);

const part = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', `${title}:`, ...indent(lines)];

const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;

export const commandHelp = ({ usage, summary, details, options }: Command): string => {
  const own = optionRows(options);
  const all = columns([...own, ...optionRows(commonOptions)]);
  return text([
    `enlist ${usage}${own.length > 0 ? ' [options]' : ''}`,
    '',
    summary,
    '',
    ...details,
    ...part('Options', all),
    ...part('Exit codes', exitCodeLines),
  ]);
};

export const mainHelp = (commands: readonly Command[]): string =>
  text([
    'enlist: brings every bot of a list into Mixin Safe.',
    ...part('Commands', columns(commands.map(({ usage, summary }) => [`enlist ${usage}`, summary]))),
    ...part('Options of every command', columns(optionRows(commonOptions))),
    ...part('Where the API is', [
      'npm start prints the address of its API: give it as --api http://127.0.0.1:PORT. Otherwise the deployed stack',
      'is found with your usual AWS credentials, and every request is signed with them. No key is ever an argument.',
    ]),
    ...part('Exit codes', exitCodeLines),
    '',
    'enlist COMMAND --help tells more of a command.',
  ]);
