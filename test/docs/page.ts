/** Reads pages of docs/ for tests that compare them with the code. */
import { readFileSync } from 'node:fs';

/** A file of the repository, by its path from the root. */
export const readPage = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The text under a heading, up to the next one of its rank or above. Throws when there is no such heading. */
export const section = (page: string, heading: string): string => {
  const lines = page.split('\n');
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const rank = /^#+/.exec(heading)?.[0].length ?? 0;
  const length = lines.slice(start + 1).findIndex((line) => new RegExp(`^#{1,${rank}} `).test(line));
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n');
};

/** The cells of every row of the tables in a text, heads left out. */
export const tableRows = (text: string): readonly (readonly string[])[] => {
  const isRow = (line: string | undefined) => line?.startsWith('|') === true;
  const lines = text.split('\n');
  return lines
    .filter((line, i) => isRow(line) && isRow(lines[i - 1]) && !/^\|[-:|\s]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
};

/** The texts between backticks. */
export const codesIn = (text: string): readonly string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

/** The first cells of the rows, which must be one code each. */
export const codeColumn = (text: string): readonly string[] =>
  tableRows(text).map(([cell = '']) => {
    const code = /^`([^`]+)`$/.exec(cell)?.[1];
    if (code === undefined) throw new Error(`the cell "${cell}" is not one code`);
    return code;
  });
