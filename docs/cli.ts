/** `npm run docs:cli`: writes the help of every command into docs/cli.md, below what is written by hand. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { createProgram } from '../cli/program.ts';

const MARKER = '<!-- Everything below is written by `npm run docs:cli`. -->';
const page = new URL('cli.md', import.meta.url);

/** The text of --help. The options that all commands have are only in the first one. */
const readHelp = (command: Command): string => {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) });
  command.configureHelp({ ...command.configureHelp(), showGlobalOptions: false });
  command.outputHelp();
  return parts.join('').trim();
};

const formatSection = (command: Command): string =>
  `## ${command.name()}\n\n\`\`\`text\n${readHelp(command)}\n\`\`\`\n`;

/** @param text of docs/cli.md → the same with the help of every command as it is now */
export const updatePage = (text: string): string => {
  const program = createProgram(() => async () => undefined, process);
  const sections = [program, ...program.commands].map(formatSection);
  return [text.slice(0, text.indexOf(MARKER)) + MARKER, ...sections].join('\n\n').replace(/\n{3,}/g, '\n\n');
};

if (import.meta.main) writeFileSync(page, updatePage(readFileSync(page, 'utf8')));
