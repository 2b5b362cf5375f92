import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { codeColumn, readPage, section, tableRows } from './page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const list = 'docs/replaced-words.md';

interface TextFile {
  readonly file: string;
  readonly text: string;
}

/** Every file that people read, but the list itself and what npm writes. */
const files: readonly TextFile[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => /\.(ts|mjs|md|json)$/.test(file) && ![list, 'package-lock.json'].includes(file))
  .flatMap((file) => {
    try {
      return [{ file, text: readFileSync(`${root}/${file}`, 'utf8') }];
    } catch {
      // A file that is deleted and not committed yet is still listed.
      return [];
    }
  });

const place = ({ file, text }: TextFile, index: number): string =>
  `${file}:${text.slice(0, index).split('\n').length}`;

const escapeForRegExp = (word: string) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Between two words may be a line end, with the start of a comment or of a quotation on the next line. */
const GAP = '(?:\\s|\\*|//|>)+';

const findPhrase = (phrase: string): readonly string[] => {
  const pattern = new RegExp(`\\b${phrase.split(' ').map(escapeForRegExp).join(GAP)}\\b`, 'gi');
  return files.flatMap((file) => [...file.text.matchAll(pattern)].map(({ index }) => place(file, index)));
};

interface Name {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

const rows = (heading: string) => tableRows(section(readPage(list), heading));

const namesEverywhere = rows('## Names of code').map(([name = '']) => name);
const namesInPlaces = rows('## Names in one place').map(([name = '', places = '']) => ({
  name,
  places: places.split(', '),
}));

/** All identifiers of a source file, and its string literals that look like one; comments are not looked at. */
const readNames = ({ file, text }: TextFile): readonly Name[] => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const names: Name[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isIdentifier(node) || ts.isStringLiteral(node)) && /^\w+$/.test(node.text)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      names.push({ name: node.text, file, line: line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
};

/** This file has the words in its own tests. */
const sources = files.filter(({ file }) => file.endsWith('.ts') && file !== 'test/docs/words.test.ts');

/** Only a file with one of the words in its text is worth the time of a parser. */
const mayMatch = ({ file, text }: TextFile): boolean => {
  const here = namesInPlaces.filter(({ places }) => places.some((start) => file.startsWith(start)));
  const words = [...namesEverywhere, ...here.map(({ name }) => name)];
  return new RegExp(`\\b(?:${words.map(escapeForRegExp).join('|')})\\b`).test(text);
};
const byName = Map.groupBy(sources.filter(mayMatch).flatMap(readNames), ({ name }) => name);

const findName = (name: string, places: readonly string[] = ['']): readonly string[] =>
  (byName.get(name) ?? [])
    .filter(({ file }) => places.some((start) => file.startsWith(start)))
    .map(({ file, line }) => `${file}:${line}`);

test.each(rows('## Phrases').map(([phrase = '']) => phrase))('no text says "%s"', (phrase) => {
  expect(findPhrase(phrase)).toEqual([]);
});

test.each(namesEverywhere)('no code uses the name %s', (name) => {
  expect(findName(name)).toEqual([]);
});

test.each(namesInPlaces)('no code in $places uses the name $name', ({ name, places }) => {
  expect(findName(name, places)).toEqual([]);
});

const PARTICIPLES = new Set(
  'Bent Bound Built Cut Done Found Given Gone Heard Held Kept Known Left Made Meant Met Paid Ran Said Seen Sent Shown Spoken Struck Taken Told Written'.split(
    ' ',
  ),
);
/** Words in -ed and -ing that are nouns. */
const NOUNS = new Set(
  'Seed Feed Speed Need Bed Red String Ring Thing Setting Timing Encoding Padding Recording Heading Mapping Billing'.split(
    ' ',
  ),
);

const isParticiple = (type: string): boolean => {
  const words = type.match(/[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+/g) ?? [];
  const last = words.filter((word) => !['In', 'Up', 'Out'].includes(word)).at(-1) ?? '';
  return PARTICIPLES.has(last) || (/(ed|ing)$/.test(last) && !NOUNS.has(last));
};

const findTypes = ({ file, text }: TextFile) =>
  [...text.matchAll(/\b(?:interface|type|class)\s+([A-Z]\w*)\b(?=[\s<={])/g)].map(
    ({ 1: name = '', index }) => ({
      name,
      at: place({ file, text }, index),
    }),
  );

test('no type is named by a participle', () => {
  const matches = sources.flatMap(findTypes).filter(({ name }) => isParticiple(name));
  expect(matches.map(({ name, at }) => `${at}: ${name}`)).toEqual([]);
});

test('tests are declared with test(), never with it()', () => {
  const pattern = /^\s*it(?:\.\w+)*\(\s*['"`]/m;
  const matches = sources.filter(({ file, text }) => file.startsWith('test/') && pattern.test(text));
  expect(matches.map(({ file }) => file)).toEqual([]);
});

test('the search finds names, phrases across lines, and types named by participles', () => {
  const source = 'interface Told { a: 1 }\n// taken\n// in\nconst x = "at_rest";';
  expect(readNames({ file: 'a.ts', text: source }).map(({ name }) => name)).toEqual([
    'Told',
    'a',
    'x',
    'at_rest',
  ]);
  expect(['Told', 'BatchTold', 'ListedIn', 'Asked', 'Making'].every(isParticiple)).toBe(true);
  expect(['StoredKey', 'Seed', 'RowError', 'Setting'].some(isParticiple)).toBe(false);
  expect('taken\n// in').toMatch(new RegExp(`taken${GAP}in`));
});

test('each word of the glossary is in it once', () => {
  const words = codeColumn(readPage('docs/glossary.md').split('## Where a new line')[0] ?? '');
  expect(words.length).toBe(new Set(words).size);
});
