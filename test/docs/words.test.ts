import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { codeColumn, readPage, section, tableRows } from './page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const list = 'docs/replaced-words.md';

/** Every file that people read, but the list itself. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(
    (file) =>
      /\.(ts|mjs|md|json)$/.test(file) && ![list, 'package-lock.json', 'docs/glossary.md'].includes(file),
  )
  // A file that is deleted and not committed yet is still listed.
  .flatMap((file) => {
    try {
      return [{ file, text: readFileSync(`${root}/${file}`, 'utf8') }];
    } catch {
      return [];
    }
  });

const firstColumn = (heading: string) =>
  tableRows(section(readPage(list), heading)).map(([word = '']) => word);

const escapeForRegExp = (word: string) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** `file:line` of every place that matches. */
const find = (pattern: RegExp, only: RegExp = /./): string[] =>
  files
    .filter(({ file }) => only.test(file))
    .flatMap(({ file, text }) =>
      text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
    );

test.each(firstColumn('## Phrases'))('no text says "%s"', (phrase) => {
  expect(find(new RegExp(`\\b${escapeForRegExp(phrase).replaceAll(' ', '\\s+')}\\b`, 'i'))).toEqual([]);
});

test.each(firstColumn('## Names of code'))('no code is named %s', (name) => {
  // A word of a sentence is not a name: comments and texts are looked at as phrases.
  const declared = `\\b(?:const|let|function|class|interface|type)\\s+${escapeForRegExp(name)}\\b`;
  const member = `^\\s*(?:readonly\\s+)?${escapeForRegExp(name)}\\??:`;
  expect(find(new RegExp(`${declared}|${member}`), /\.ts$/)).toEqual([]);
});

const PARTICIPLES =
  'Bent|Bound|Built|Cut|Done|Found|Given|Gone|Heard|Held|Kept|Known|Left|Made|Meant|Met|Paid|Ran|Said|Seen|Sent|Shown|Spoken|Struck|Taken|Told|Written';
const NOUNS = new Set(['Seed', 'Feed', 'String', 'Setting', 'Timing']);

test('no type is named by a participle', () => {
  const pattern = new RegExp(
    `\\b(?:interface|type|class)\\s+(\\w*?([A-Z][a-z]*(?:ed|ing)|${PARTICIPLES})(?:In|Up|Out)?)\\b(?=[\\s<={])`,
  );
  const found = find(pattern, /\.ts$/).filter((place) => !NOUNS.has(pattern.exec(place)?.[2] ?? ''));
  expect(found).toEqual([]);
});

test('each word to use stands in the glossary once', () => {
  const words = codeColumn(readPage('docs/glossary.md').split('## Where a new line')[0] ?? '');
  expect(words.length).toBe(new Set(words).size);
});
