import { expect, test } from 'vitest';
import { faultNames } from '../../emulators/mixin/faults.ts';
import { mixinErrorCodes, mixinErrors } from '../../lib/mixin/errors.ts';
import { mixin } from '../../lib/model/mixin.ts';
import { codeColumn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/mixin.md');
const fieldsPage = readPage('docs/mixin-fields.md');
const standInPage = readPage('docs/stand-in.md');

test('docs/mixin.md has every error code with its numbers and its verdict, and no other', () => {
  const listed = tableRows(section(page, '## Errors'));
  const expected = mixinErrorCodes.map((code) => {
    const { mixin_codes, verdict } = mixinErrors[code];
    return [`\`${code}\``, mixin_codes.length === 0 ? '–' : mixin_codes.join(', '), verdict];
  });
  expect(listed).toEqual(expected);
});

test('docs/mixin.md names every call to Mixin', () => {
  const source = readPage('lib/mixin/safe.ts') + readPage('lib/mixin/accounts.ts');
  const urls = [...source.matchAll(/['`](\/[^'`]+)['`]/g)].map(([, path = '']) => path);
  const paths = new Set(urls.map((path) => path.replace(/\$\{.*\}/, ':id')));
  const listed = codeColumn(section(page, '## The calls')).map((call) => call.split(' ')[1]);
  expect(paths.size).toBe(7);
  expect(new Set(listed)).toEqual(paths);
});

test('docs/mixin-fields.md has exactly the fields that a sign-in passes on', () => {
  const [, list = ''] = /personFields = \[(.*?)\]/s.exec(readPage('lib/mixin/new-account.ts')) ?? [];
  const names = [...list.matchAll(/'([a-z_]+)'/g)].map(([, field = '']) => field);
  const rows = tableRows(section(fieldsPage, '### What `POST /verifications/:id` answers'));
  const listed = rows.filter(([, as = '']) => /in `account`/.test(as)).map(([field]) => field);
  expect(names.length).toBeGreaterThan(10);
  expect(new Set(listed)).toEqual(new Set(names.map((field) => `\`${field}\``)));
});

test('docs/stand-in.md has every fault, and no other', () => {
  expect(codeColumn(section(standInPage, '## Faults'))).toEqual(faultNames);
});

test('docs/stand-in.md names every endpoint and admin route of the stand-in', () => {
  const endpoints = readPage('emulators/mixin/server.ts').matchAll(/^ {2}'((?:GET|POST) \/[a-z/]+)': /gm);
  for (const [, endpoint] of endpoints) expect(standInPage).toContain(`\`${endpoint}\``);
  const matches = readPage('emulators/mixin/admin.ts').matchAll(/case '([A-Z]+) ([a-z]+)':/g);
  const routes = [...matches].map(([, method, name]) => `${method} /_stand-in/${name}`);
  expect(codeColumn(section(standInPage, '## Admin routes'))).toEqual(routes);
});

test('the time limits of docs/mixin.md are those of the code', () => {
  expect(page).toContain(`now, and ${mixin.tokenLifetimeSeconds} seconds later`);
  expect(page).toContain(`The whole exchange has ${mixin.timeoutMs / 1_000} seconds`);
  expect(mixin.maxAnswerBytes).toBe(2 ** 20);
});
