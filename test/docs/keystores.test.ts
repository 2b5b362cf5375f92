import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findContentType, listFormats } from '../../lib/lists/formats.ts';
import { keystoreFields } from '../../lib/lists/names.ts';
import { signInFields } from '../../lib/lists/row-enrolment.ts';
import { keystoreSchema } from '../../lib/model/keystore.ts';
import { limits } from '../../lib/model/limits.ts';
import { codeColumn, codesIn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/keystores.md');

/** Every code that the sources write into a row error, or into the problem of a list. */
const matches = (path: string, pattern: RegExp) =>
  [...readPage(path).matchAll(pattern)].map(([, code]) => code ?? '');
const CODE = /\bcode: '([a-z0-9_]+)'/g;
const PROBLEM = /\brejectList\(\s*'([a-z0-9_]+)'/g;
const folder = 'lib/lists';
const readers = readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => `${folder}/${name}`);

/** Problems of one file of an archive, not of the whole list. */
const fileCodes = ['unknown_file'];
const rowCodes = [
  ...readers.flatMap((path) => matches(path, CODE)),
  ...fileCodes,
  // The codes of the vault are keys of an object.
  ...matches('lib/batches/import-chunk.ts', /^ {2}([a-z_]+): \{\n {4}message:/gm),
];
const problemCodes = [
  ...readers.flatMap((path) => matches(path, PROBLEM)).filter((code) => !fileCodes.includes(code)),
  ...['read-list', 'inbox', 'intake'].flatMap((name) => matches(`lib/batches/${name}.ts`, CODE)),
];

test('docs/keystores.md has every code of a row error, and no other', () => {
  expect(rowCodes).toEqual(expect.arrayContaining(['pending_deletion', 'contradiction', 'duplicate']));
  expect(new Set(codeColumn(section(page, '## Errors of a row')))).toEqual(new Set(rowCodes));
});

test('docs/keystores.md has every problem of a list, and no other', () => {
  expect(problemCodes).toEqual(expect.arrayContaining(['bad_archive', 'bad_create', 'list_gone']));
  expect(new Set(codeColumn(section(page, '## Problems of a whole list')))).toEqual(new Set(problemCodes));
});

/** Name and "required" of the rows of the first table under a heading. */
const fieldsUnder = (heading: string) =>
  tableRows(section(page, heading)).map(([name = '', required]) => [name.replaceAll('`', ''), required]);

test('docs/keystores.md names the parts of a keystore as the code does, in its order', () => {
  const rows = tableRows(section(page, '## Fields')).slice(0, Object.keys(keystoreFields).length);
  expect(rows.map(([, , names = '']) => codesIn(names))).toEqual(Object.values(keystoreFields));
  expect(rows.map(([, required]) => required)).toEqual(['yes', 'yes', 'yes', 'yes', 'no', 'no']);
});

test('the fields of a sign-in in docs/keystores.md are those of the code', () => {
  const names = ['verification_id', ...Object.keys(signInFields)];
  const isNeeded = (name: string) => (['verification_id', 'code'].includes(name) ? 'yes' : 'no');
  expect(fieldsUnder('## Sign-ins')).toEqual(names.map((name) => [name, isNeeded(name)]));
});

test('the fields of a secret in docs/keystores.md are those of a keystore', () => {
  const names = tableRows(section(page, '## The secret')).flatMap(([names = '']) => codesIn(names));
  const fields = keystoreSchema.options.flatMap(({ shape }) => Object.keys(shape));
  const common = ['app_id', 'session_id', 'AWSCURRENT', 'ENLIST_KEY', 'ENLIST_TIP_…'];
  expect(new Set([...names, ...common])).toEqual(new Set([...fields, ...common]));
});

test('content types, endings and limits of a list in docs/keystores.md are those of the code', () => {
  const rows = tableRows(section(page, '## A list'));
  const types = rows.flatMap(([, cell = '']) => codesIn(cell));
  expect([...types].sort()).toEqual(Object.keys(listFormats).sort());
  for (const [, cell = '', endings = ''] of rows)
    for (const ending of codesIn(endings)) expect(codesIn(cell)).toContain(findContentType(ending));
  const { maxInlineBytes, maxUploadBytes, maxArchiveBytes } = limits;
  for (const bytes of [maxInlineBytes, maxUploadBytes, maxArchiveBytes])
    expect(page).toContain(`${bytes.toLocaleString('en-US')} bytes`);
  expect(page).toContain(`${limits.maxRows.toLocaleString('en-US')} rows`);
  expect(page).toContain(`${limits.maxArchiveFiles.toLocaleString('en-US')} files`);
  expect(page).toContain(`first ${limits.maxErrors.toLocaleString('en-US')} errors`);
});
