/** The quick part of guards.fire.ts: every guard is marked in the code, can be cut there, and names its tests. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cutGuard, findSyntaxErrors } from './cut-guard.ts';
import { guards } from './guards.ts';
import { pathOf, readMarkedFiles } from './marked-files.ts';

const files = readMarkedFiles();

test('each marker in the code has one guard, each guard has one marker, and no two have the same name', () => {
  const names = files.flatMap(({ names }) => names);
  expect(guards.map(({ name }) => name).sort()).toEqual([...names].sort());
  expect(new Set(names).size).toBe(names.length);
});

test.each(guards)('the code can be parsed without its guard $name', ({ name, replace, tests }) => {
  const [file] = files.filter(({ names }) => names.includes(name));
  expect(file).toBeDefined();
  const source = cutGuard(file?.source ?? '', name, replace);
  expect(source).not.toBe(file?.source);
  expect(findSyntaxErrors(source)).toEqual([]);
  expect(tests.length).toBeGreaterThan(0);
  for (const path of tests) expect([path, existsSync(pathOf(`test/${path}`))]).toEqual([path, true]);
});
