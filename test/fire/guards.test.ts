/** The quick part of guards.fire.ts: every guard is marked in the code, can be cut there, and names its tests. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cutGuard, findSyntaxErrors } from './cut-guard.ts';
import { guards } from './guards.ts';
import { pathOf, readMarkedFiles } from './marked-files.ts';

const files = readMarkedFiles();

test('each marker in the code has its entry, each entry its marker, and no two are alike', () => {
  const marked = files.flatMap(({ names }) => names);
  expect(guards.map(({ name }) => name).sort()).toEqual([...marked].sort());
  expect(new Set(marked).size).toBe(marked.length);
});

test.each(guards)('the code can be parsed without its guard $name', ({ name, replace, tests }) => {
  const [file] = files.filter(({ names }) => names.includes(name));
  expect(file).toBeDefined();
  const cut = cutGuard(file?.source ?? '', name, replace);
  expect(cut).not.toBe(file?.source);
  expect(findSyntaxErrors(cut)).toEqual([]);
  expect(tests.length).toBeGreaterThan(0);
  for (const path of tests) expect([path, existsSync(pathOf(`test/${path}`))]).toEqual([path, true]);
});
