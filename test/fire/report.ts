/** Runs the long fault-injection suites and prints what they tried and what the results were. `npm run test:fire` */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Count, type Counts, harm, tried } from './counts.ts';

const folder = mkdtempSync(join(tmpdir(), 'enlist-fire-'));
const file = join(folder, 'addCounts.jsonl');

const run = (): number => {
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.fire.config.ts', ...process.argv.slice(2)],
    { stdio: 'inherit', env: { ...process.env, ENLIST_FIRE_COUNTS: file } },
  );
  return status ?? 1;
};

const readCounts = (): { suite: string; counts: Counts }[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    : [];

const addUp = (lines: ReturnType<typeof readCounts>): Map<string, Counts> => {
  const sums = new Map<string, Counts>();
  for (const { suite, counts } of lines) {
    const sum = sums.get(suite) ?? {};
    for (const [name, count] of Object.entries(counts) as [Count, number][])
      sum[name] = (sum[name] ?? 0) + count;
    sums.set(suite, sum);
  }
  return sums;
};

const columns: readonly Count[] = [...tried, ...harm];
const cell = (count: number | undefined) => (count === undefined ? '–' : count.toLocaleString('en-US'));

const print = (sums: Map<string, Counts>) => {
  const total: Counts = {};
  for (const counts of sums.values())
    for (const name of columns)
      if (counts[name] !== undefined) total[name] = (total[name] ?? 0) + counts[name];
  const rows = [...sums, ['all', total] as const].map(([suite, counts]) => [
    suite,
    ...columns.map((name) => cell(counts[name])),
  ]);
  const head = ['suite', ...columns.map((name) => name.replaceAll('_', ' '))];
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  process.stdout.write(
    `\n${[line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')}\n`,
  );
  return total;
};

const status = run();
const total = print(addUp(readCounts()));
rmSync(folder, { recursive: true, force: true });
const harmed = harm.some((name) => (total[name] ?? 0) > 0);
process.exitCode = status !== 0 || harmed ? 1 : 0;
