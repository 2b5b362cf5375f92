import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readList } from '../../lib/lists/list.ts';
import { readRow } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { limits } from '../../lib/model/limits.ts';

const owner = randomUUID();
const wish = { owner, count: 3, full_name: 'Node {n} of {n}' };
const read = (create: unknown, more = {}) =>
  readList(Buffer.from(JSON.stringify({ create, ...more })), 'json');

const problemOf = (create: unknown, more = {}) => {
  const list = read(create, more);
  return 'problem' in list ? list.problem : undefined;
};

describe('a create', () => {
  test('is a row for each user', () => {
    const row = (n: number) => ({ row: n, line: 1, fields: { owner, full_name: `Node ${n} of ${n}` } });
    expect(read(wish)).toEqual({ rows: [row(1), row(2), row(3)], errors: [], total: 3 });
  });

  test('may accept a cost', () => {
    expect(read({ ...wish, accept_cost_usd: 1.5 })).toMatchObject({ accepted_cost_usd: 1.5 });
    expect(read({ ...wish, accept_cost_usd: 0 })).toMatchObject({ accepted_cost_usd: 0 });
    expect(read(wish)).not.toHaveProperty('accepted_cost_usd');
  });

  test('makes rows that are right', async () => {
    const list = read({
      owner: owner.toUpperCase(),
      count: limits.maxRows,
      full_name: ` ${'x'.repeat(123)}{n} `,
    });
    if ('problem' in list) throw new Error(list.problem.code);
    const last = list.rows.at(-1);
    expect(last && (await readRow(last, keys))).toEqual({
      row: limits.maxRows,
      line: 1,
      enrolment: { kind: 'network_user', owner, full_name: `${'x'.repeat(123)}${limits.maxRows}` },
    });
  });

  test.each([
    ['create', 'not an object', [wish]],
    ['create', 'not an object', null],
    ['create', 'not an object', 'x'],
    ['create', 'does not know', { ...wish, ownr: 1 }],
    ['create', 'does not know', JSON.parse(JSON.stringify(wish).replace('{', '{"__proto__":{"count":1},'))],
    ['owner', 'not a UUID', { ...wish, owner: 'x' }],
    ['owner', 'not a UUID', { count: 1, full_name: 'x' }],
    ['count', 'not a count', { ...wish, count: 0 }],
    ['count', 'not a count', { ...wish, count: 1.5 }],
    ['count', 'not a count', { ...wish, count: '3' }],
    ['count', 'not a count', { ...wish, count: limits.maxRows + 1 }],
    ['count', 'not a count', { ...wish, count: undefined }],
    ['full_name', 'not a name', { ...wish, full_name: ' ' }],
    ['full_name', 'not a name', { ...wish, full_name: 'a\nb' }],
    ['full_name', 'not a name', { ...wish, full_name: undefined }],
    ['full_name', 'not a name', { ...wish, count: 10, full_name: `${'x'.repeat(127)}{n}` }],
    ['accept_cost_usd', 'not an amount', { ...wish, accept_cost_usd: -1 }],
    ['accept_cost_usd', 'not an amount', { ...wish, accept_cost_usd: '1' }],
    ['accept_cost_usd', 'not an amount', { ...wish, accept_cost_usd: null }],
  ])('whose %s is %s is refused as a whole', (field, says, create) => {
    const problem = problemOf(create);
    expect(problem?.code).toBe('bad_create');
    expect(problem?.message).toContain(field);
    expect(problem?.message).toContain(says);
    expect(problem?.fix).toMatch(/\.$/);
  });

  test('of endless cost is refused', () => {
    const text = JSON.stringify({ create: { ...wish, accept_cost_usd: 0 } }).replace(':0}', ':1e999}');
    const list = readList(Buffer.from(text), 'json');
    expect('problem' in list && list.problem.code).toBe('bad_create');
  });

  test('stands alone, and says nothing of what it was given', () => {
    expect(problemOf(wish, { app_id: 'SECRET-1' })?.message).toContain('alone');
    const told = ['owner', 'count', 'full_name', 'accept_cost_usd', 'SECRET-2'].map((field) =>
      problemOf({ ...wish, [field]: 'SECRET-3\u0000' }),
    );
    expect(told).not.toContain(undefined);
    expect(JSON.stringify(told)).not.toContain('SECRET');
  });

  test.each([
    ['json', [{ create: wish }]],
    ['jsonl', { create: wish }],
  ] as const)('is no row of %s', async (format, value) => {
    const list = readList(Buffer.from(JSON.stringify(value)), format);
    const [raw] = 'rows' in list ? list.rows : [];
    expect(raw && (await readRow(raw, keys))).toMatchObject({
      errors: [{ field: 'create', code: 'bad_create' }],
    });
  });
});
