/** enlist check: reads lists without any server. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { derivePublicKey } from '../../lib/mixin/keys.ts';
import { enlist, enlistProcess, jsonLines } from './run.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'enlist-check-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const write = async (name: string, text: string) => {
  const path = join(home, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  return path;
};

const seed = () => randomBytes(32).toString('hex');
const keystore = async () => ({
  app_id: randomUUID() as string,
  session_id: randomUUID() as string,
  server_public_key: await derivePublicKey(seed()),
  session_private_key: seed(),
});

test('enlist check shows what would be imported, and exits with 0 when every row is right', async () => {
  const rows = [await keystore(), await keystore()];
  const lines = [...Object.keys(rows[0] ?? {}), 'Nickname'].join(';');
  const text = `Our bots\n${lines}\n${rows.map((row) => [...Object.values(row), 'x'].join(';')).join('\n')}\n`;
  const file = await write('bots.csv', text);
  expect(await enlistProcess(['check', file])).toEqual({
    code: 0,
    stdout: [
      `${file}: 2 rows (2 valid, 0 invalid, 0 duplicates)`,
      '  format: CSV with semicolons',
      '  fields understood: app_id, session_id, server_public_key, session_private_key',
      '  fields not understood, and ignored: nickname',
      '',
    ].join('\n'),
    stderr: '',
  });
});

test('enlist check lists every row error in the order of the rows, and exits with 3', async () => {
  const [one, two] = [await keystore(), await keystore()];
  const { session_id: _, ...rest } = two;
  const file = await write(
    'bots.json',
    JSON.stringify([one, rest, 7, one, { owner: one.app_id, full_name: 'Ann' }]),
  );
  const result = await enlist(['check', file]);
  expect(result.code).toBe(3);
  expect(result.stdout).toContain(': 5 rows (2 valid, 2 invalid, 1 duplicate)');
  expect(result.stdout).toContain('users to create, which costs money: 1');
  const errors = result.stdout.split('\n').filter((line) => line.startsWith('  row '));
  expect(errors.map((line) => line.split(':')[0])).toEqual([
    '  row 2 (line 1), session_id',
    '  row 3 (line 1), (row)',
    '  row 4 (line 1), app_id',
  ]);
  for (const value of [...Object.values(one), ...Object.values(two)])
    expect(result.stdout).not.toContain(value);
});

test('enlist check --json prints one line per file or folder, with all of its errors', async () => {
  const row = await keystore();
  await write('folder/a.json', JSON.stringify(row));
  await write('folder/b.csv', 'x,y\n1,2\n');
  await write('folder/Thumbs.db', 'x');
  const bad = await write('bad.csv', 'x,y\n1,2\n');
  const result = await enlist(['check', join(home, 'folder'), bad, '--json']);
  expect([result.code, result.stderr]).toEqual([3, '']);
  expect(jsonLines(result)).toMatchObject([
    {
      file: join(home, 'folder'),
      total: 2,
      valid: 1,
      invalid: 1,
      formats: ['JSON'],
      errors: [{ row: 2, file: 'b.csv', field: '(file)', code: 'no_known_column' }],
    },
    { file: bad, total: 0, problem: { code: 'no_known_column' } },
  ]);
});

test('enlist check reads stdin, and says in words that a list would be rejected', async () => {
  const result = await enlist(['check', '-', '--type', 'json'], { stdin: '[{' });
  expect(result.code).toBe(3);
  expect(result.stdout).toMatch(/^- would be rejected: .*cut off\. Write /);
});
