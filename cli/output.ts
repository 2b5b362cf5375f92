/** Where answers go: to people as text, to scripts as JSON; and how numbers, times and columns are written. */
import type { Terminal } from './context.ts';

export const createOutput = (isJson: boolean, { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>) => {
  const writeLine = (text = ''): void => {
    if (!isJson) stdout.write(`${text}\n`);
  };
  return {
    isJson,
    /** Writes a line for people to stdout; nothing with --json. */
    writeLine,
    /** Writes lines as writeLine does. */
    writeLines: (lines: readonly string[]): void => {
      for (const line of lines) writeLine(line);
    },
    /** Writes one line of JSON to stdout; nothing without --json. */
    writeJson: (value: unknown): void => {
      if (isJson) stdout.write(`${JSON.stringify(value)}\n`);
    },
    /** Writes a line to stderr, always. */
    writeNote: (text: string): void => void stderr.write(`${text}\n`),
  };
};
export type Output = ReturnType<typeof createOutput>;

/** Lines of a table: each column is as wide as its widest cell. */
export const alignColumns = (rows: readonly (readonly string[])[], gap = '  '): string[] => {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join(gap)
      .trimEnd(),
  );
};

/** Text from elsewhere, without the characters that control a terminal. */
export const escapeControls = (text: string): string => text.replace(/\p{Cc}/gu, '?');

/** (1, 'user') → 1 user; (2, 'user') → 2 users */
export const formatCount = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

/** 4500000 → 4,500,000 */
export const formatNumber = (count: number): string => count.toLocaleString('en-US');

/** An ISO time in UTC → 2026-11-22 07:05:00 */
export const formatTime = (iso: string): string => iso.slice(0, 19).replace('T', ' ');
