import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../lib/model/limits.ts';
import { type LivedInHouse, openHouse, untilState } from '../flow/lived-in.ts';
import { enlist, enlistProcess, jsonLines, printed, type Ran, type RunOptions } from './run.ts';

let lived: LivedInHouse;
let folder: string;
type Row = Record<string, string>;
/** Bots by where they end. */
const bots: Record<'fresh' | 'other' | 'large' | 'revoked' | 'locked', Row> = {} as never;
const secrets: string[] = [];

const createRow = async (
  options: Parameters<LivedInHouse['standIn']['createUser']>[0] = {},
): Promise<Row> => {
  const { keystore } = await lived.standIn.createUser(options);
  secrets.push(keystore.session_private_key);
  return { ...keystore } as unknown as Row;
};

const newSeed = () => {
  const seed = (randomUUID() + randomUUID()).replaceAll('-', '');
  secrets.push(seed);
  return seed;
};

/** Writes a list and returns its path. */
const listOf = async (name: string, text: string | readonly unknown[]): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, typeof text === 'string' ? text : JSON.stringify(text));
  return path;
};
const csvOf = (rows: readonly Row[]) => {
  const names = Object.keys(rows[0] ?? {});
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.join(',')).join('\n');
};

const here = (args: readonly string[], options?: RunOptions) =>
  enlist([...args, '--api', lived.house.url], options);
const idOf = (stdout: string) => /[0-9a-f-]{36}/.exec(stdout)?.[0] ?? '';

beforeAll(async () => {
  lived = await openHouse();
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
  await lived?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('lists of every fate', () => {
  let uploaded: Record<'good' | 'mixed' | 'stdin' | 'locked' | 'broken' | 'large', Ran>;
  let good: string;
  let mixed: string;

  beforeAll(async () => {
    const files = {
      good: await listOf('good.json', [bots.fresh]),
      mixed: await listOf(
        'mixed.csv',
        csvOf([bots.revoked, { ...bots.other, app_id: 'no-uuid' }, bots.revoked]),
      ),
      locked: await listOf('locked.jsonl', JSON.stringify(bots.locked)),
      broken: await listOf('broken.json', '{"not": "a list"'),
      large: await listOf('large.ndjson', JSON.stringify(bots.large) + ' '.repeat(limits.maxInlineBytes)),
    };
    const stdin = `${JSON.stringify(bots.other)}\n`;
    const json = (file: string) => here(['upload', file, '--watch', '--json']);
    const all = await Promise.all([
      enlistProcess(['upload', files.good, '--watch', '--api', lived.house.url]),
      json(files.mixed),
      here(['upload', '-', '--type', 'jsonl', '--watch', '--json'], { stdin }),
      json(files.locked),
      here(['upload', files.broken, '--watch']),
      json(files.large),
    ]);
    const [goodRan, mixedRan, stdinRan, lockedRan, brokenRan, largeRan] = all;
    uploaded = {
      good: goodRan,
      mixed: mixedRan,
      stdin: stdinRan,
      locked: lockedRan,
      broken: brokenRan,
      large: largeRan,
    };
    good = idOf(goodRan.stdout);
    mixed = String(jsonLines(mixedRan)[0]?.batch_id);
  }, 60_000);

  test('upload --watch ends with 0 when every bot is in Safe', () => {
    expect(uploaded.good).toMatchObject({ code: 0, stdout: expect.stringContaining('1  registered') });
    expect(uploaded.good.stderr).toContain('100% | 1/1 | 1 registered');
  });

  test('rows and bots that need hands: 3, and the batch as JSON', () => {
    expect(uploaded.mixed.code).toBe(3);
    expect(jsonLines(uploaded.mixed)).toMatchObject([
      { file: join(folder, 'mixed.csv'), total: 3, invalid: 1, duplicates: 1, states: { blocked: 1 } },
    ]);
    expect(uploaded.mixed.stderr).toContain(`${mixed}  ${join(folder, 'mixed.csv')}`);
  });

  test('a list from stdin', () => {
    expect(uploaded.stdin.code).toBe(0);
    expect(jsonLines(uploaded.stdin)).toMatchObject([
      { file: '-', states: { registered: 1 }, percent_done: 100 },
    ]);
  });

  test('a list that is none is told, with 3', async () => {
    const { code, stdout } = uploaded.broken;
    expect({ code, stdout }).toEqual({ code: 3, stdout: expect.stringContaining('not a JSON array') });
    expect((await here(['status', idOf(stdout)])).code).toBe(3);
  });

  test('a list too large for a request goes by the form', () => {
    expect(jsonLines(uploaded.large)).toMatchObject([{ total: 1, states: { registered: 1 } }]);
    expect(uploaded.large.code).toBe(0);
  });

  test('the same list again is the same batch; with --new it is another', async () => {
    const file = join(folder, 'good.json');
    const again = await here(['upload', file]);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toContain(`${good}  ${file}  (this list was uploaded before: imported)`);
    const [anew] = jsonLines(await here(['upload', '--new', '--json', file]));
    expect(anew).toEqual({ file, batch_id: expect.stringMatching(/^[0-9a-f-]{36}$/), status: 'received' });
    expect(anew?.batch_id).not.toBe(good);
  });

  test('several lists: a line each, and the worst exit code', async () => {
    const files = ['locked.jsonl', 'broken.json'].map((name) => join(folder, name));
    const ran = await here(['upload', '--watch', '--json', ...files]);
    expect(jsonLines(ran).map(({ file, status }) => [file, status])).toEqual([
      [files[0], 'imported'],
      [files[1], 'rejected'],
    ]);
    expect(ran.code).toBe(3);
  });

  test('a list that cannot be read stops all of them before anything is sent', async () => {
    const fresh = await listOf('never-sent.json', [bots.fresh, bots.other]);
    const ran = await here(['upload', fresh, join(folder, 'absent.json')]);
    expect(ran).toEqual({
      code: 1,
      stdout: '',
      stderr: `${join(folder, 'absent.json')} cannot be read: there is no such file. See enlist upload --help.\n`,
    });
  });

  test('watch tells where the bots are and what to do', async () => {
    const [fine, hands] = await Promise.all([here(['watch', '--json', good]), here(['watch', mixed])]);
    expect(fine.code).toBe(0);
    expect(jsonLines(fine)).toMatchObject([{ batch_id: good, status: 'imported' }]);
    expect(hands.code).toBe(3);
    expect(hands.stdout).toContain('→ Make a new session for the account');
    expect(hands.stdout).toContain('row 2 (line 3), app_id');
  });

  test('a bot that waits for a day is not waited for: 5', async () => {
    expect(uploaded.locked.code).toBe(5);
    const [batch] = jsonLines(uploaded.locked);
    expect(batch).toMatchObject({ states: { waiting: 1 }, finished: 0 });
    const batch_id = String(batch?.batch_id);
    const [status, json, text] = await Promise.all([
      here(['status', batch_id]),
      here(['retry', batch_id, '--state', 'waiting', '--json']),
      here(['retry', batch_id, '--state', 'waiting']),
    ]);
    expect(status.code).toBe(5);
    expect(jsonLines(json)).toEqual([{ batch_id, retried: 0, pin_locked: 1 }]);
    expect(text.stdout).toBe('No bot was queued again.\nLeft alone, because their PIN is locked: 1.\n');
  });

  test('status tells counts and the next step', async () => {
    const ran = await here(['status', mixed]);
    expect(ran.code).toBe(3);
    expect(ran.stdout).toContain(
      `Batch ${mixed}: taken in\n  3 rows, 1 wrong, 1 double\n  100%: 1 of 1 bots at rest`,
    );
    expect(ran.stdout).toContain(`enlist bots ${mixed} --state blocked`);
    expect(ran.stdout).toContain(`enlist errors ${mixed}`);
    const json = await here(['status', mixed, '--json']);
    expect(json.code).toBe(3);
    expect(jsonLines(json)).toEqual([(await lived.get(`/batches/${mixed}`)).body]);
  });

  test('bots lists them, by state too', async () => {
    const [all, json, none] = await Promise.all([
      here(['bots', mixed, '--all']),
      here(['bots', mixed, '--state', 'blocked', '--json']),
      here(['bots', mixed, '--state', 'failed']),
    ]);
    expect(all.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['line', 'user id', 'state', 'reason'],
      ['2', bots.revoked.app_id, 'blocked', 'session_refused'],
      [''],
    ]);
    expect(jsonLines(json)).toMatchObject([{ bot_id: bots.revoked.app_id, state: 'blocked' }]);
    expect(none).toEqual({ code: 0, stdout: 'No bots are failed.\n', stderr: '' });
  });

  test('errors lists the rows that were not taken', async () => {
    const [text, json, none] = await Promise.all([
      here(['errors', mixed]),
      here(['errors', mixed, '--json']),
      here(['errors', good]),
    ]);
    expect(text.stdout).toMatch(/^row 2 \(line 3\), app_id: .+\nrow 3 \(line 4\), app_id: .+\n$/);
    expect(jsonLines(json)).toMatchObject([
      { row: 2, line: 3, field: 'app_id', code: 'invalid_field' },
      { row: 3, line: 4, code: 'duplicate' },
    ]);
    expect(none.stdout).toBe('No row has an error.\n');
  });

  test('show tells state, reason, what to do, key and history with request ids', async () => {
    const [blocked, registered, json] = await Promise.all([
      here(['show', String(bots.revoked.app_id).toUpperCase()]),
      here(['show', String(bots.fresh.app_id)]),
      here(['show', String(bots.fresh.app_id), '--json']),
    ]);
    expect(blocked.stdout).toMatch(/state +blocked since \d{4}-/);
    expect(blocked.stdout).toMatch(/reason +session_refused: /);
    expect(blocked.stdout).toMatch(/what to do +Make a new session/);
    expect(blocked.stdout).toMatch(/blocked +check +session_refused +request [0-9a-f-]{36}/);
    expect(registered.stdout).toMatch(/public key +[0-9a-f]{64}\n/);
    expect(jsonLines(json)).toEqual([(await lived.get(`/bots/${bots.fresh.app_id}`)).body]);
  });

  test('retry queues again what is asked for', async () => {
    const none = await here(['retry', mixed, '--reason', 'tip_key_missing']);
    expect(none).toEqual({ code: 0, stdout: 'No bot was queued again.\n', stderr: '' });
    const ran = await here([
      'retry',
      mixed,
      '--state',
      'blocked',
      '--state',
      'failed',
      '--reason',
      'session_refused',
    ]);
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('Queued again: 1.') });
    await untilState(lived, String(bots.revoked.app_id), 'blocked');
  });

  test('Ctrl-C ends the watching with 4 and says how to go on', async () => {
    lived.standIn.setFaults([{ name: 'slow', delayMs: 1_500, path: '/safe/me' }]);
    const file = await listOf('slow.json', [await createRow()]);
    const ran = await enlistProcess(['upload', file, '--watch', '--api', lived.house.url], {
      onStart: (child) => child.stderr?.once('data', () => child.kill('SIGINT')),
    });
    lived.standIn.setFaults([]);
    expect(ran.code).toBe(4);
    expect(ran.stderr).toContain(`Follow it again:  enlist watch ${idOf(ran.stdout)}`);
  });

  test('no key of any list was printed', () => {
    expect(printed.length).toBeGreaterThan(20);
    expect(secrets.length).toBeGreaterThan(4);
    const all = printed.join('\n').toLowerCase();
    expect(secrets.filter((secret) => all.includes(secret.toLowerCase()))).toEqual([]);
  });
});
