/**
 * Takes out one guard after the other, in a copy of the tree, and expects the tests to fail that are said to hold it.
 * ENLIST_GUARDS=text tries only the guards whose name or file contains the text.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Guard, guards } from './guards.ts';
import { tally } from './tally.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = ['cli', 'docs', 'functions', 'infra', 'lib', 'test', 'package.json', 'tsconfig.json'];
const PATIENCE_MS = 900_000;

const wanted = process.env.ENLIST_GUARDS ?? '';
const chosen = guards.filter(({ name, file }) => name.includes(wanted) || file.includes(wanted));

let tree: string;
beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'enlist-guards-'));
  for (const name of [...COPIED, 'vitest.config.ts'])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Files that could not be loaded at all: they prove nothing. */
  readonly broken: readonly string[];
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { readonly name: string; readonly assertionResults: readonly unknown[] }[];
}

/** Runs these tests in the copy. */
const runTests = async (tests: readonly string[]): Promise<Outcome> => {
  const report = join(tree, 'report.json');
  rmSync(report, { force: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const files = tests.map((name) => `test/${name}`);
  const args = [vitest, 'run', '--bail=1', '--reporter=json', `--outputFile=${report}`, ...files];
  const { ENLIST_FIRE_TALLY: _, VITEST: __, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: tree, stdio: 'ignore', env, timeout: PATIENCE_MS });
  await new Promise((resolve) => child.on('close', resolve));
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const broken = testResults.filter(({ assertionResults }) => assertionResults.length === 0);
  return { passed: numPassedTests, failed: numFailedTests, broken: broken.map(({ name }) => name) };
};

const without = async ({ file, find, replace, tests }: Guard): Promise<Outcome> => {
  const path = join(tree, file);
  const source = readFileSync(path, 'utf8');
  expect(source.split(find)).toHaveLength(2);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  try {
    return await runTests(tests);
  } finally {
    writeFileSync(path, source);
  }
};

test('with all guards in place, their tests pass', async () => {
  const outcome = await runTests([...new Set(chosen.flatMap(({ tests }) => tests))]);
  expect(outcome).toMatchObject({ failed: 0, broken: [] });
  expect(outcome.passed).toBeGreaterThan(0);
});

describe('without the guard, a test fails', () => {
  test.each(chosen)('$name', async (guard) => {
    const { failed, broken } = await without(guard);
    expect(broken).toEqual([]);
    expect(failed).toBeGreaterThan(0);
    tally('guards', { guards: 1 });
  });
});
