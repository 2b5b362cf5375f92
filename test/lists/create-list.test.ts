import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { readList } from '../../lib/lists/list.ts';
import { readRow } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { limits } from '../../lib/model/limits.ts';
import { compression } from '../../lib/runtime/compression.ts';

const owner = randomUUID();
const create = { owner, count: 3, full_name: 'Node {n} of {n}' };
const read = (value: unknown, more = {}) =>
  readList(Buffer.from(JSON.stringify({ create: value, ...more })), 'json', compression);

/** The list; throws where it is rejected. */
const readRows = async (value: unknown) => {
  const list = await read(value);
  if (!list.ok) throw new Error(list.error.code);
  return list.value;
};
const readProblem = async (value: unknown, more = {}) => {
  const list = await read(value, more);
  return list.ok ? undefined : list.error;
};

test('a create becomes a row for each user', async () => {
  const row = (n: number) => ({ row: n, line: 1, fields: { owner, full_name: `Node ${n} of ${n}` } });
  expect(await readRows(create)).toMatchObject({ rows: [row(1), row(2), row(3)], errors: [], total: 3 });
});

test('a create may accept a cost', async () => {
  expect(await readRows({ ...create, accept_cost_usd: 1.5 })).toMatchObject({ accepted_cost_usd: 1.5 });
  expect(await readRows({ ...create, accept_cost_usd: 0 })).toMatchObject({ accepted_cost_usd: 0 });
  expect(await readRows(create)).not.toHaveProperty('accepted_cost_usd');
});

test('the rows of a create are valid', async () => {
  const { rows } = await readRows({
    owner: owner.toUpperCase(),
    count: limits.maxRows,
    full_name: ` ${'x'.repeat(123)}{n} `,
  });
  const last = rows.at(-1);
  expect(last && (await readRow(last, keys))).toMatchObject({
    value: {
      row: limits.maxRows,
      line: 1,
      enrolment: { kind: 'network_user', owner, full_name: `${'x'.repeat(123)}${limits.maxRows}` },
    },
  });
});

test.each([
  ['create', 'not an object', [create]],
  ['create', 'not an object', null],
  ['create', 'not an object', 'x'],
  ['create', 'does not know', { ...create, ownr: 1 }],
  ['create', 'does not know', JSON.parse(JSON.stringify(create).replace('{', '{"__proto__":{"count":1},'))],
  ['owner', 'not a UUID', { ...create, owner: 'x' }],
  ['owner', 'not a UUID', { count: 1, full_name: 'x' }],
  ['count', 'not a valid count', { ...create, count: 0 }],
  ['count', 'not a valid count', { ...create, count: 1.5 }],
  ['count', 'not a valid count', { ...create, count: '3' }],
  ['count', 'not a valid count', { ...create, count: limits.maxRows + 1 }],
  ['count', 'not a valid count', { ...create, count: undefined }],
  ['full_name', 'not a valid name', { ...create, full_name: ' ' }],
  ['full_name', 'not a valid name', { ...create, full_name: 'a\nb' }],
  ['full_name', 'not a valid name', { ...create, full_name: undefined }],
  ['full_name', 'not a valid name', { ...create, count: 10, full_name: `${'x'.repeat(127)}{n}` }],
  ['accept_cost_usd', 'not an amount', { ...create, accept_cost_usd: -1 }],
  ['accept_cost_usd', 'not an amount', { ...create, accept_cost_usd: '1' }],
  ['accept_cost_usd', 'not an amount', { ...create, accept_cost_usd: null }],
])('a create whose %s is %s is rejected as a whole', async (field, says, value) => {
  const problem = await readProblem(value);
  expect(problem?.code).toBe('bad_create');
  expect(problem?.message).toContain(field);
  expect(problem?.message).toContain(says);
  expect(problem?.fix).toMatch(/\.$/);
});

test('a create whose accepted cost is infinite is rejected', async () => {
  const text = JSON.stringify({ create: { ...create, accept_cost_usd: 0 } }).replace(':0}', ':1e999}');
  const list = await readList(Buffer.from(text), 'json', compression);
  expect(list).toMatchObject({ ok: false, error: { code: 'bad_create' } });
});

test('a create must be alone in its list, and its problems quote nothing of it', async () => {
  expect((await readProblem(create, { app_id: 'SECRET-1' }))?.message).toContain('other fields beside');
  const fields = ['owner', 'count', 'full_name', 'accept_cost_usd', 'SECRET-2'];
  const problems = await Promise.all(
    fields.map((field) => readProblem({ ...create, [field]: 'SECRET-3\u0000' })),
  );
  expect(problems).not.toContain(undefined);
  expect(JSON.stringify(problems)).not.toContain('SECRET');
});

test.each([
  ['json', [{ create }]],
  ['jsonl', { create }],
] as const)('a create is not a row of %s', async (format, value) => {
  const list = await readList(Buffer.from(JSON.stringify(value)), format, compression);
  const [raw] = list.ok ? list.value.rows : [];
  expect(raw && (await readRow(raw, keys))).toMatchObject({
    error: [{ field: 'create', code: 'bad_create' }],
  });
});
