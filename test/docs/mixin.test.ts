import { expect, test } from 'vitest';
import { faultNames } from '../../emulators/mixin/faults.ts';
import { mixinErrorCodes, mixinErrors } from '../../lib/mixin/errors.ts';
import { mixin } from '../../lib/model/mixin.ts';
import { codeColumn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/mixin.md');

test('the table of errors has every code with its numbers and its verdict, and no other', () => {
  const told = tableRows(section(page, '## Errors'));
  const known = mixinErrorCodes.map((code) => {
    const { mixin_codes, verdict } = mixinErrors[code];
    return [`\`${code}\``, mixin_codes.length === 0 ? '–' : mixin_codes.join(', '), verdict];
  });
  expect(told).toEqual(known);
});

test('the table of calls has the calls that are made', () => {
  const source = readPage('lib/mixin/safe.ts') + readPage('lib/mixin/accounts.ts');
  const called = [...source.matchAll(/['`](\/[^'`]+)['`]/g)].map(([, path = '']) => path);
  const paths = new Set(called.map((path) => path.replace(/\$\{.*\}/, ':id')));
  const told = codeColumn(section(page, '## The calls')).map((call) => call.split(' ')[1]);
  expect(paths.size).toBe(7);
  expect(new Set(told)).toEqual(paths);
});

test('the fields that a sign-in hands on are those the table says', () => {
  const [, list = ''] = /personFields = \[(.*?)\]/s.exec(readPage('lib/mixin/new-account.ts')) ?? [];
  const handedOn = [...list.matchAll(/'([a-z_]+)'/g)].map(([, field = '']) => field);
  const rows = tableRows(section(page, '### What `POST /verifications/:id` answers'));
  const told = rows.filter(([, as = '']) => /in `account`|likewise/.test(as)).map(([field]) => field);
  expect(handedOn.length).toBeGreaterThan(10);
  expect(new Set(told)).toEqual(new Set(handedOn.map((field) => `\`${field}\``)));
});

test('the table of faults has every fault, and no other', () => {
  expect(codeColumn(section(page, '### Faults'))).toEqual(faultNames);
});

test('the endpoints and admin routes of the stand-in are those it serves', () => {
  const endpoints = readPage('emulators/mixin/server.ts').matchAll(/^ {2}'((?:GET|POST) \/[a-z/]+)': /gm);
  const standIn = section(page, '## The stand-in');
  for (const [, endpoint] of endpoints) expect(standIn).toContain(`\`${endpoint}\``);
  const served = readPage('emulators/mixin/admin.ts').matchAll(/case '([A-Z]+) ([a-z]+)':/g);
  const routes = [...served].map(([, method, name]) => `${method} /_stand-in/${name}`);
  expect(codeColumn(section(page, '### Admin routes'))).toEqual(routes);
});

test('limits and lives are those of the topology', () => {
  expect(page).toContain(`now, and ${mixin.tokenLifetimeSeconds} seconds later`);
  expect(page).toContain(`The whole exchange has ${mixin.timeoutMs / 1_000} seconds`);
  expect(mixin.maxAnswerBytes).toBe(2 ** 20);
});
