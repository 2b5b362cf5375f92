/**
 * Cuts out one guard after the other, in a copy of the tree, and expects one of its tests to fail.
 * ENLIST_GUARDS=text tries only the guards whose name or file contains the text.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addCounts } from './counts.ts';
import { cutGuard } from './cut-guard.ts';
import { type Guard, guards } from './guards.ts';
import { readMarkedFiles } from './marked-files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const COPY_NAMES = [
  'cli',
  'docs',
  'emulators',
  'functions',
  'infra',
  'lib',
  'test',
  'package.json',
  'tsconfig.json',
];
const TIMEOUT_MS = 900_000;

const files = readMarkedFiles();

const findFile = ({ name }: Guard) => files.find(({ names }) => names.includes(name));

const filter = process.env.ENLIST_GUARDS ?? '';
const chosenGuards = guards.filter(
  (guard) => guard.name.includes(filter) || findFile(guard)?.file.includes(filter),
);

let tree: string;
beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'enlist-guards-'));
  for (const name of [...COPY_NAMES, 'vitest.config.ts'])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Files that could not be loaded: they prove nothing. */
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
  const { ENLIST_FIRE_COUNTS: _, VITEST: __, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: tree, stdio: 'ignore', env, timeout: TIMEOUT_MS });
  await new Promise((resolve) => child.on('close', resolve));
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const broken = testResults.filter(({ assertionResults }) => assertionResults.length === 0);
  return { passed: numPassedTests, failed: numFailedTests, broken: broken.map(({ name }) => name) };
};

/** Runs a guard's tests in a copy without the guard. */
const runWithout = async (guard: Guard): Promise<Outcome> => {
  const markedFile = findFile(guard);
  if (!markedFile) throw new Error(`guard ${guard.name} is marked nowhere`);
  const path = join(tree, markedFile.file);
  writeFileSync(path, cutGuard(markedFile.source, guard.name, guard.replace));
  try {
    return await runTests(guard.tests);
  } finally {
    writeFileSync(path, markedFile.source);
  }
};

test('all tests of the guards pass with all guards in place', async () => {
  const outcome = await runTests([...new Set(chosenGuards.flatMap(({ tests }) => tests))]);
  expect(outcome).toMatchObject({ failed: 0, broken: [] });
  expect(outcome.passed).toBeGreaterThan(0);
});

test.each(chosenGuards)('a test fails without the guard $name', async (guard) => {
  const { failed, broken } = await runWithout(guard);
  expect(broken).toEqual([]);
  expect(failed).toBeGreaterThan(0);
  addCounts('guards', { guards: 1 });
});
