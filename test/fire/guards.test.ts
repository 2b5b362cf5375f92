/** The cheap part of guards.fire.ts: every guard still stands where it is said to, and its tests are there. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { guards } from './guards.ts';

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

test.each(guards)('$name', ({ file, find, replace, tests }) => {
  const source = readFileSync(pathOf(file), 'utf8');
  expect(source.split(find)).toHaveLength(2);
  expect(source.replace(find, () => replace)).not.toBe(source);
  expect(tests.length).toBeGreaterThan(0);
  for (const name of tests) expect([name, existsSync(pathOf(`test/${name}`))]).toEqual([name, true]);
});

test('every guard has a name of its own', () => {
  expect(new Set(guards.map(({ name }) => name)).size).toBe(guards.length);
});
