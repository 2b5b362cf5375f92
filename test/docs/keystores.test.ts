import { expect, test } from 'vitest';
import { keystoreSchema } from '../../lib/keystore.ts';
import { listFormats } from '../../lib/provision/list.ts';
import { uploads } from '../../lib/topology.ts';
import { codeColumn, codesIn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/keystores.md');

/** Every code the sources of intake write: into an error of a row, or a problem of a list. */
const matches = (path: string, pattern: RegExp) =>
  [...readPage(path).matchAll(pattern)].map(([, code]) => code ?? '');
const CODE = /\bcode: '([a-z0-9_]+)'/g;
const intake = 'lib/provision/intake.ts';
const rowCodes = [
  ...matches('lib/provision/row.ts', CODE),
  ...matches('lib/provision/list.ts', CODE),
  // The refusals of the vault carry its own words as codes.
  ...matches('lib/provision/chunk.ts', /^ {2}([a-z_]+): \{\n {4}message:/gm),
];
const problemCodes = [
  ...matches('lib/provision/list.ts', /\bproblem\(\s*'([a-z0-9_]+)'/g),
  ...matches(intake, CODE),
  ...matches('lib/provision/inbox.ts', CODE),
  ...matches('lib/provision/crash.ts', CODE),
];

test('every code of a row has its line in the table, and no other', () => {
  expect(rowCodes).toContain('pending_deletion');
  expect(new Set(codeColumn(section(page, '## Errors of a row')))).toEqual(new Set(rowCodes));
});

test('every problem of a list has its line in the table, and no other', () => {
  expect(new Set(codeColumn(section(page, '## Problems of a whole list')))).toEqual(new Set(problemCodes));
});

test('the fields are those of a keystore, and the same must be there', () => {
  const told = tableRows(section(page, '## Fields')).map(([name = '', must]) => [
    name.replaceAll('`', ''),
    must === 'yes',
  ]);
  const known = Object.entries(keystoreSchema.shape).map(([name, schema]) => [
    name,
    !schema.safeParse(undefined).success && !name.startsWith('spend_') && !name.startsWith('tip_'),
  ]);
  expect(told).toEqual(known);
});

test('content types and the limit of a list are those of the code', () => {
  const types = tableRows(section(page, '## A list')).flatMap(([, cell = '']) => codesIn(cell));
  expect([...types].sort()).toEqual(Object.keys(listFormats).sort());
  for (const bytes of [uploads.maxInlineBytes, uploads.maxUploadBytes]) {
    expect(page).toContain(`${bytes.toLocaleString('en-US')} bytes`);
  }
});
