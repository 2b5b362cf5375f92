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

test('docs/reasons.md has one row for every reason of Enlist', () => {
  expect(reasonCodes.length).toBeGreaterThan(10);
  for (const code of reasonCodes) expect(describeReason(code).message).toMatch(/\.$/);
  expect(codeColumn(ours)).toEqual(reasonCodes);
});

test('every state in docs/reasons.md exists', () => {
  for (const [, state = ''] of tableRows(ours)) {
    const names = codesIn(state);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(states).toContain(name);
  }
});

test('docs/reasons.md has one row for every error of Mixin', () => {
  const rows = codeColumn(section(page, '## What Mixin refused'));
  const codes = mixinErrorCodes.filter((code) => !(reasonCodes as readonly string[]).includes(code));
  expect(rows).toEqual(codes);
});
