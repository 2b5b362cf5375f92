/** Where answers go: to people as text, to scripts as JSON. Notes and progress go to stderr. */
import type { Terminal } from './terminal.ts';

export interface Output {
  readonly isJson: boolean;
  /** A line for people on stdout; silent with --json. */
  line(text?: string): void;
  /** One line of JSON on stdout; silent without --json. */
  json(value: unknown): void;
  /** A line on stderr, always. */
  note(text: string): void;
}

export const createOutput = (
  isJson: boolean,
  { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>,
): Output => ({
  isJson,
  line: (text = '') => {
    if (!isJson) stdout.write(`${text}\n`);
  },
  json: (value) => {
    if (isJson) stdout.write(`${JSON.stringify(value)}\n`);
  },
  note: (text) => void stderr.write(`${text}\n`),
});

/** Columns side by side, each as wide as its widest cell; the last one is not filled up. */
export const columns = (rows: readonly (readonly string[])[], gap = '  '): string[] => {
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

/** Text from elsewhere, without the characters that steer a terminal. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, '?');

/** 4,500,000 */
export const bytes = (count: number): string => count.toLocaleString('en-US');

/** 2026-11-22 07:05:00, in UTC. */
export const shortTime = (iso: string): string => iso.slice(0, 19).replace('T', ' ');
