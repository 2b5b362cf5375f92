/** completion: prints a script with which a shell completes the command line. */
import { Argument, type Command } from 'commander';
import { createCompletion, type Shell, shells } from '../completion.ts';
import type { Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { formatExamples, joinParagraphs } from '../options.ts';

export const addCompletion = (program: Command, run: Run): void => {
  program
    .command('completion')
    .summary('Prints a script for completion in a shell.')
    .description(
      joinParagraphs(
        'Prints a script with which a shell completes commands, options, states and reason codes. Load it where the shell starts, as below; enlist must be on your PATH (npm link in the repository puts it there).',
        '--json prints {"shell", "script"}.',
      ),
    )
    .addArgument(new Argument('<SHELL>', `one of ${shells.join(', ')}`).choices(shells))
    .addHelpText(
      'after',
      formatExamples(
        'source <(enlist completion bash)      # in ~/.bashrc',
        'source <(enlist completion zsh)       # in ~/.zshrc, after compinit',
        'enlist completion fish | source       # in ~/.config/fish/config.fish',
      ),
    )
    .action(
      run(async ({ output }, shell: Shell) => {
        const script = createCompletion(program, shell);
        output.writeJson({ shell, script });
        output.writeLine(script);
        return exitCodes.done;
      }),
    );
};
