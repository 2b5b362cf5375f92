import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shells } from '../../cli/completion.ts';
import { createProgram } from '../../cli/program.ts';
import { reasonCodes } from '../../lib/model/reasons.ts';
import { states } from '../../lib/model/states.ts';
import { enlist, jsonLines } from './run.ts';

const { commands } = createProgram(() => async () => undefined, process);
const names = commands.map((command) => command.name());

test.each(shells)('the completion script for %s has every command and option', async (shell) => {
  const { code, stdout, stderr } = await enlist(['completion', shell]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const name of names) expect(stdout).toContain(name);
  for (const { long } of commands.flatMap(({ options }) => options))
    expect(stdout).toContain(shell === 'fish' ? `-l ${long?.slice(2)}` : long);
  const [json] = jsonLines(await enlist(['completion', shell, '--json']));
  expect(json).toEqual({ shell, script: stdout.trimEnd() });
});

/** What bash offers for a line that ends with the word to complete. */
const completeInBash = (script: string, words: readonly string[]): string[] => {
  const quoted = ['enlist', ...words].map((word) => `'${word}'`).join(' ');
  const line = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _enlist; printf '%s\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', `${script}\n${line}`], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
};

test('bash completes commands, options, states, reasons and names of shells', async () => {
  const { stdout: script } = await enlist(['completion', 'bash']);
  const complete = (...words: string[]) => completeInBash(script, words);
  expect(complete('')).toEqual([...names, 'help']);
  expect(complete('stat')).toEqual(['status']);
  expect(complete('help', 'w')).toEqual(['watch']);
  expect(complete('retry', 'BATCH', '--pay')).toEqual(['--pay-again']);
  expect(complete('bots', 'BATCH', '--j')).toEqual(['--json']);
  expect(complete('bots', 'BATCH', '--state', '')).toEqual(states);
  expect(complete('--stage', 'test', 'retry', 'BATCH', '--reason', '')).toEqual(reasonCodes);
  expect(complete('completion', 'z')).toEqual(['zsh']);
  expect(complete('status', '--api', '')).toEqual([]);
  expect(complete('start', '--mix')).toEqual(['--mixin']);
});
