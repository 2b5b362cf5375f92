import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../lib/model/limits.ts';
import { startStack, type TestStack, waitForState } from '../helpers/stack.ts';
import {
  type CommandResult,
  enlist,
  enlistProcess,
  jsonLines,
  printedTexts,
  type RunOptions,
} from './run.ts';

let stack: TestStack;
let folder: string;
type Row = Record<string, string>;
/** One bot for each outcome. */
const bots: Record<'fresh' | 'other' | 'large' | 'revoked' | 'locked', Row> = {} as never;
const secrets: string[] = [];

const createRow = async (options: Parameters<TestStack['standIn']['createUser']>[0] = {}): Promise<Row> => {
  const { keystore } = await stack.standIn.createUser(options);
  secrets.push(keystore.session_private_key);
  return { ...keystore } as unknown as Row;
};

const newSeed = () => {
  const seed = (randomUUID() + randomUUID()).replaceAll('-', '');
  secrets.push(seed);
  return seed;
};

/** Writes a list and returns its path. */
const writeList = async (name: string, text: string | readonly unknown[]): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, typeof text === 'string' ? text : JSON.stringify(text));
  return path;
};
const formatCsv = (rows: readonly Row[]) => {
  const names = Object.keys(rows[0] ?? {});
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.join(',')).join('\n');
};

const enlistHere = (args: readonly string[], options?: RunOptions) =>
  enlist([...args, '--api', stack.embedded.url], options);
const findId = (stdout: string) => /[0-9a-f-]{36}/.exec(stdout)?.[0] ?? '';

beforeAll(async () => {
  stack = await startStack();
  folder = await mkdtemp(join(tmpdir(), 'enlist-cli-'));
  const tip = newSeed();
  bots.fresh = await createRow();
  bots.other = await createRow();
  bots.large = await createRow();
  bots.revoked = await createRow({ session: 'revoked' });
  bots.locked = {
    ...(await createRow({ tip: { private_key: tip }, pin_locked: true })),
    tip_private_key: tip,
  };
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('lists with every outcome', () => {
  let uploads: Record<'good' | 'mixed' | 'stdin' | 'locked' | 'broken' | 'large', CommandResult>;
  let good: string;
  let mixed: string;

  beforeAll(async () => {
    const files = {
      good: await writeList('good.json', [bots.fresh]),
      mixed: await writeList(
        'mixed.csv',
        formatCsv([bots.revoked, { ...bots.other, app_id: 'no-uuid' }, bots.revoked]),
      ),
      locked: await writeList('locked.jsonl', JSON.stringify(bots.locked)),
      broken: await writeList('broken.json', '{"not": "a list"'),
      large: await writeList('large.ndjson', JSON.stringify(bots.large) + ' '.repeat(limits.maxInlineBytes)),
    };
    const stdin = `${JSON.stringify(bots.other)}\n`;
    const json = (file: string) => enlistHere(['upload', file, '--watch', '--json']);
    const all = await Promise.all([
      enlistProcess(['upload', files.good, '--watch', '--api', stack.embedded.url]),
      json(files.mixed),
      enlistHere(['upload', '-', '--type', 'jsonl', '--watch', '--json'], { stdin }),
      json(files.locked),
      enlistHere(['upload', files.broken, '--watch']),
      json(files.large),
    ]);
    const [goodRan, mixedRan, stdinRan, lockedRan, brokenRan, largeRan] = all;
    uploads = {
      good: goodRan,
      mixed: mixedRan,
      stdin: stdinRan,
      locked: lockedRan,
      broken: brokenRan,
      large: largeRan,
    };
    good = findId(goodRan.stdout);
    mixed = String(jsonLines(mixedRan)[0]?.batch_id);
  }, 60_000);

  test('enlist upload --watch ends with 0 when every bot is in Safe', () => {
    expect(uploads.good).toMatchObject({ code: 0, stdout: expect.stringContaining('1  registered') });
    expect(uploads.good.stderr).toContain('100% | 1/1 | 1 registered');
  });

  test('enlist upload --watch ends with 3 and prints the batch when an operator must act', () => {
    expect(uploads.mixed.code).toBe(3);
    expect(jsonLines(uploads.mixed)).toMatchObject([
      { file: join(folder, 'mixed.csv'), total: 3, invalid: 1, duplicates: 1, states: { blocked: 1 } },
    ]);
    expect(uploads.mixed.stderr).toContain(`${mixed}  ${join(folder, 'mixed.csv')}`);
  });

  test('enlist upload reads a list from stdin', () => {
    expect(uploads.stdin.code).toBe(0);
    expect(jsonLines(uploads.stdin)).toMatchObject([
      { file: '-', states: { registered: 1 }, percent_done: 100 },
    ]);
  });

  test('enlist upload --watch ends with 3 and explains why a file is not a list', async () => {
    const { code, stdout } = uploads.broken;
    expect({ code, stdout }).toEqual({
      code: 3,
      stdout: expect.stringContaining('neither a JSON array nor JSON objects'),
    });
    expect((await enlistHere(['status', findId(stdout)])).code).toBe(3);
  });

  test('enlist upload sends a list that is too large for a request by the upload form', () => {
    expect(jsonLines(uploads.large)).toMatchObject([{ total: 1, states: { registered: 1 } }]);
    expect(uploads.large.code).toBe(0);
  });

  test('the same list again gives the same batch, and a new one with --new', async () => {
    const file = join(folder, 'good.json');
    const again = await enlistHere(['upload', file]);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toContain(`${good}  ${file}  (this list was uploaded before: imported)`);
    const [newBatch] = jsonLines(await enlistHere(['upload', '--new', '--json', file]));
    expect(newBatch).toEqual({
      file,
      batch_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'received',
    });
    expect(newBatch?.batch_id).not.toBe(good);
  });

  test('several lists have one line each, and the most urgent exit code', async () => {
    const files = ['locked.jsonl', 'broken.json'].map((name) => join(folder, name));
    const result = await enlistHere(['upload', '--watch', '--json', ...files]);
    expect(jsonLines(result).map(({ file, status }) => [file, status])).toEqual([
      [files[0], 'imported'],
      [files[1], 'rejected'],
    ]);
    expect(result.code).toBe(3);
  });

  test('nothing is sent when one of several lists cannot be read', async () => {
    const fresh = await writeList('never-sent.json', [bots.fresh, bots.other]);
    const result = await enlistHere(['upload', fresh, join(folder, 'absent.json')]);
    expect(result).toEqual({
      code: 1,
      stdout: '',
      stderr: `${join(folder, 'absent.json')} cannot be read: there is no such file. See enlist upload --help\n`,
    });
  });

  test('enlist watch shows the states of the bots and what to do', async () => {
    const [fine, blocked] = await Promise.all([
      enlistHere(['watch', '--json', good]),
      enlistHere(['watch', mixed]),
    ]);
    expect(fine.code).toBe(0);
    expect(jsonLines(fine)).toMatchObject([{ batch_id: good, status: 'imported' }]);
    expect(blocked.code).toBe(3);
    expect(blocked.stdout).toContain('→ Create a new session for this account');
    expect(blocked.stdout).toContain('row 2 (line 3), app_id');
  });

  test('enlist watch ends with 5 when a bot waits for a day', async () => {
    expect(uploads.locked.code).toBe(5);
    const [batch] = jsonLines(uploads.locked);
    expect(batch).toMatchObject({ states: { waiting: 1 }, finished: 0 });
    const batch_id = String(batch?.batch_id);
    const [status, json, text] = await Promise.all([
      enlistHere(['status', batch_id]),
      enlistHere(['retry', batch_id, '--state', 'waiting', '--json']),
      enlistHere(['retry', batch_id, '--state', 'waiting']),
    ]);
    expect(status.code).toBe(5);
    expect(jsonLines(json)).toEqual([{ batch_id, retried: 0, pin_locked: 1 }]);
    expect(text.stdout).toBe('No bot was queued again.\nNot queued, because their PIN is locked: 1.\n');
  });

  test('enlist status shows counts and the next step', async () => {
    const result = await enlistHere(['status', mixed]);
    expect(result.code).toBe(3);
    expect(result.stdout).toContain(
      `Batch ${mixed}: imported\n  3 rows (1 valid, 1 invalid, 1 duplicate)\n  100%: 1 of 1 bot finished`,
    );
    expect(result.stdout).toContain(`enlist bots ${mixed} --state blocked`);
    expect(result.stdout).toContain(`enlist errors ${mixed}`);
    const json = await enlistHere(['status', mixed, '--json']);
    expect(json.code).toBe(3);
    expect(jsonLines(json)).toEqual([(await stack.get(`/batches/${mixed}`)).body]);
  });

  test('enlist bots lists the bots, all or by state', async () => {
    const [all, json, none] = await Promise.all([
      enlistHere(['bots', mixed, '--all']),
      enlistHere(['bots', mixed, '--state', 'blocked', '--json']),
      enlistHere(['bots', mixed, '--state', 'failed']),
    ]);
    expect(all.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['line', 'bot id', 'state', 'reason'],
      ['2', bots.revoked.app_id, 'blocked', 'session_refused'],
      [''],
    ]);
    expect(jsonLines(json)).toMatchObject([{ bot_id: bots.revoked.app_id, state: 'blocked' }]);
    expect(none).toEqual({ code: 0, stdout: 'No bot is in the state failed.\n', stderr: '' });
  });

  test('enlist errors lists the rows that were refused', async () => {
    const [text, json, none] = await Promise.all([
      enlistHere(['errors', mixed]),
      enlistHere(['errors', mixed, '--json']),
      enlistHere(['errors', good]),
    ]);
    expect(text.stdout).toMatch(/^row 2 \(line 3\), app_id: .+\nrow 3 \(line 4\), app_id: .+\n$/);
    expect(jsonLines(json)).toMatchObject([
      { row: 2, line: 3, field: 'app_id', code: 'invalid_field' },
      { row: 3, line: 4, code: 'duplicate' },
    ]);
    expect(none.stdout).toBe('No row has an error.\n');
  });

  test('enlist show shows state, reason, what to do, public key, and history with request ids', async () => {
    const [blocked, registered, json] = await Promise.all([
      enlistHere(['show', String(bots.revoked.app_id).toUpperCase()]),
      enlistHere(['show', String(bots.fresh.app_id)]),
      enlistHere(['show', String(bots.fresh.app_id), '--json']),
    ]);
    expect(blocked.stdout).toMatch(/state +blocked since \d{4}-/);
    expect(blocked.stdout).toMatch(/reason +session_refused: /);
    expect(blocked.stdout).toMatch(/what to do +Create a new session/);
    expect(blocked.stdout).toMatch(/blocked +check +session_refused +request [0-9a-f-]{36}/);
    expect(registered.stdout).toMatch(/public key +[0-9a-f]{64}\n/);
    expect(jsonLines(json)).toEqual([(await stack.get(`/bots/${bots.fresh.app_id}`)).body]);
  });

  test('enlist retry queues the chosen bots again', async () => {
    const none = await enlistHere(['retry', mixed, '--reason', 'tip_key_missing']);
    expect(none).toEqual({
      code: 0,
      stdout:
        'No bot was queued again: 1 bot is blocked or failed, and none for the reason tip_key_missing.\n',
      stderr: '',
    });
    const result = await enlistHere([
      'retry',
      mixed,
      '--state',
      'blocked',
      '--state',
      'failed',
      '--reason',
      'session_refused',
    ]);
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('Queued again: 1.') });
    await waitForState(stack, String(bots.revoked.app_id), 'blocked');
  });

  test('Ctrl-C stops watching with 4 and says how to continue', async () => {
    stack.standIn.setFaults([{ name: 'slow', delayMs: 1_500, path: '/safe/me' }]);
    const file = await writeList('slow.json', [await createRow()]);
    const result = await enlistProcess(['upload', file, '--watch', '--api', stack.embedded.url], {
      onStart: (child) => child.stderr?.once('data', () => child.kill('SIGINT')),
    });
    stack.standIn.setFaults([]);
    expect(result.code).toBe(4);
    expect(result.stderr).toContain(`Follow it again:  npx enlist watch ${findId(result.stdout)}`);
  });

  test('no key of any list was printed', () => {
    expect(printedTexts.length).toBeGreaterThan(20);
    expect(secrets.length).toBeGreaterThan(4);
    const all = printedTexts.join('\n').toLowerCase();
    expect(secrets.filter((secret) => all.includes(secret.toLowerCase()))).toEqual([]);
  });
});
