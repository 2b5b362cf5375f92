import { expect, test } from 'vitest';
import { mixinErrorCodes } from '../../lib/mixin/errors.ts';
import { describeReason, type ReasonCode } from '../../lib/model/reasons.ts';
import { states } from '../../lib/model/states.ts';
import { codeColumn, codesIn, readPage, section, tableRows } from './page.ts';

const page = readPage('docs/reasons.md');
const ours = section(page, '## What Enlist found out');

/** The codes are not exported; their file lists them one a line. */
const reasonCodes = [...readPage('lib/model/reasons.ts').matchAll(/^ {2}([a-z_]+): \{$/gm)].map(
  ([, code]) => code as ReasonCode,
);

test('every reason of Enlist has its row, and no other', () => {
  expect(reasonCodes.length).toBeGreaterThan(10);
  for (const code of reasonCodes) expect(describeReason(code).message).toMatch(/\.$/);
  expect(codeColumn(ours)).toEqual(reasonCodes);
});

test('the states of the rows are states', () => {
  for (const [, state = ''] of tableRows(ours)) {
    const named = codesIn(state);
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(states).toContain(name);
  }
});

test('every code of a Mixin error has its row, and no other', () => {
  const told = codeColumn(section(page, '## What Mixin said'));
  const wanted = mixinErrorCodes.filter((code) => !(reasonCodes as readonly string[]).includes(code));
  expect(told).toEqual(wanted);
});
