/** Scripts that complete a command line in a shell, made from the commands and options that there are. */
import type { Argument, Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What can stand in one place of a command line: certain words, a file, or any text. */
type Value =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' }
  | { readonly kind: 'text' };

interface OptionFacts {
  /** --state, and -h where there is one. */
  readonly long: string;
  readonly short?: string | undefined;
  readonly description: string;
  /** Of its argument. */
  readonly value?: Value | undefined;
}

interface CommandFacts {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionFacts[];
  /** Of its first argument, and of further ones where it takes several. */
  readonly argument?: Value | undefined;
}

const describeValue = (name: string, choices: readonly string[] | undefined): Value => {
  if (choices) return { kind: 'words', words: choices };
  return { kind: /FILE|DIR/.test(name) ? 'file' : 'text' };
};

const describeOption = ({ long, short, flags, description, argChoices }: Option): OptionFacts => ({
  long: long ?? '',
  short,
  description,
  value: /[<[]/.test(flags) ? describeValue(flags.replace(/^[^<[]+/, ''), argChoices) : undefined,
});

const describeArgument = (argument: Argument | undefined, commandNames: readonly string[]) => {
  if (!argument) return undefined;
  return argument.name() === 'COMMAND'
    ? ({ kind: 'words', words: commandNames } as const)
    : describeValue(argument.name(), argument.argChoices);
};

const describeProgram = (program: Command) => {
  const help = program.createHelp();
  const visible = help.visibleCommands(program);
  const names = visible.map((command) => command.name());
  const commands = visible.map(
    (command): CommandFacts => ({
      name: command.name(),
      summary: command.summary() || command.description(),
      options: help
        .visibleOptions(command)
        .filter(({ long }) => long !== '--help')
        .map(describeOption),
      argument: describeArgument(command.registeredArguments[0], names),
    }),
  );
  return { commands, options: help.visibleOptions(program).map(describeOption) };
};
type ProgramFacts = ReturnType<typeof describeProgram>;

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const listFlags = ({ short, long }: OptionFacts): string[] => (short === undefined ? [long] : [short, long]);

/** The statement that offers a value, or none where any text can stand. */
const offerInBash = (value: Value): string => {
  if (value.kind === 'file') return 'compopt -o default';
  return value.kind === 'words'
    ? `COMPREPLY=($(compgen -W ${quote(value.words.join(' '))} -- "$current"))`
    : ':';
};

const createBashScript = ({ commands, options }: ProgramFacts): string => {
  const names = commands.map(({ name }) => name);
  const formatValueCases = (pattern: string, facts: readonly OptionFacts[]) =>
    facts.flatMap(({ long, value }) =>
      value ? [`    ${pattern}' ${long}') ${offerInBash(value)}; return ;;`] : [],
    );
  return [
    '_enlist() {',
    `  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= words i`,
    '  COMPREPLY=()',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    `    case \${COMP_WORDS[i]} in`,
    `      ${names.join('|')}) command=\${COMP_WORDS[i]}; break ;;`,
    '    esac',
    '  done',
    '  case "$command $previous" in',
    ...commands.flatMap(({ name, options: own }) => formatValueCases(name, own)),
    ...formatValueCases('*', options),
    '  esac',
    '  if [[ $current == -* ]]; then',
    `    words=${quote(options.flatMap(listFlags).join(' '))}`,
    '    case $command in',
    ...commands.flatMap(({ name, options: own }) =>
      own.length > 0 ? [`      ${name}) words+=${quote(` ${own.flatMap(listFlags).join(' ')}`)} ;;`] : [],
    ),
    '    esac',
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '    return',
    '  fi',
    '  case $command in',
    `    '') ${offerInBash({ kind: 'words', words: names })} ;;`,
    ...commands.flatMap(({ name, argument }) =>
      argument && argument.kind !== 'text' ? [`    ${name}) ${offerInBash(argument)} ;;`] : [],
    ),
    '  esac',
    '}',
    'complete -F _enlist enlist',
  ].join('\n');
};

const offerInZsh = (value: Value): string => {
  if (value.kind === 'file') return '_files';
  return value.kind === 'words' ? `(${value.words.join(' ')})` : ' ';
};

const createZshScript = ({ commands, options }: ProgramFacts): string => {
  const formatOption = ({ description, value, ...flags }: OptionFacts): string[] => {
    const text = `[${description.replace(/[[\]\\]/g, '\\$&')}]`;
    return listFlags(flags as OptionFacts).map((flag) =>
      quote(`*${flag}${text}${value ? `:value:${offerInZsh(value)}` : ''}`),
    );
  };
  return [
    '#compdef enlist',
    '_enlist() {',
    '  local command= state line context i',
    '  local -a common commands',
    '  typeset -A opt_args',
    `  common=(${options.flatMap(formatOption).join(' ')})`,
    '  for ((i = 2; i < CURRENT; i++)); do',
    '    case $words[i] in',
    `      ${commands.map(({ name }) => name).join('|')}) command=$words[i]; break ;;`,
    '    esac',
    '  done',
    '  case $command in',
    ...commands.map(({ name, options: own, argument }) => {
      const rest = argument ? [quote(`*:argument:${offerInZsh(argument)}`)] : [];
      const specs = [...own.flatMap(formatOption), quote(`1:command:(${name})`), ...rest];
      return `    ${name}) _arguments $common ${specs.join(' ')} ;;`;
    }),
    '    *)',
    `      commands=(${commands.map(({ name, summary }) => quote(`${name}:${summary.replaceAll(':', '\\:')}`)).join(' ')})`,
    "      _arguments $common '1: :->command'",
    '      if [[ $state == command ]]; then _describe command commands; fi ;;',
    '  esac',
    '}',
    'if [[ $funcstack[1] == _enlist ]]; then _enlist "$@"; else compdef _enlist enlist; fi',
  ].join('\n');
};

const offerInFish = (value: Value | undefined): string[] => {
  if (!value) return [];
  if (value.kind === 'file') return ['-r', '-F'];
  return value.kind === 'words' ? ['-x', '-a', quote(value.words.join(' '))] : ['-x'];
};

const createFishScript = ({ commands, options }: ProgramFacts): string => {
  const names = commands.map(({ name }) => name).join(' ');
  const noCommand = quote(`not __fish_seen_subcommand_from ${names}`);
  const formatLine = (...words: readonly string[]) => ['complete -c enlist', ...words].join(' ');
  const formatOption = ({ long, short, description, value }: OptionFacts, condition: readonly string[]) =>
    formatLine(
      ...condition,
      ...(short === undefined ? [] : ['-s', short.slice(1)]),
      '-l',
      long.slice(2),
      ...offerInFish(value),
      '-d',
      quote(description),
    );
  return [
    'complete -c enlist -f',
    ...options.map((option) => formatOption(option, [])),
    ...commands.flatMap(({ name, summary, options: own, argument }) => {
      const condition = ['-n', quote(`__fish_seen_subcommand_from ${name}`)];
      const offer = argument?.kind === 'words' ? ['-a', quote(argument.words.join(' '))] : ['-F'];
      return [
        formatLine('-n', noCommand, '-a', name, '-d', quote(summary)),
        ...own.map((option) => formatOption(option, condition)),
        ...(argument && argument.kind !== 'text' ? [formatLine(...condition, ...offer)] : []),
      ];
    }),
  ].join('\n');
};

const creators: Readonly<Record<Shell, (facts: ProgramFacts) => string>> = {
  bash: createBashScript,
  zsh: createZshScript,
  fish: createFishScript,
};

export const createCompletion = (program: Command, shell: Shell): string =>
  creators[shell](describeProgram(program));
