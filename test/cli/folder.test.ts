/** Uploads folders and archives. */
import { mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../lib/model/limits.ts';
import { answerJson, BATCH_ID } from './answers.ts';
import { enlist, jsonLines, startServer } from './run.ts';

let home: string;
const write = async (name: string, text: string) => {
  const path = join(home, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  return path;
};

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'enlist-folder-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const upload = async (...args: string[]) => {
  await using server = await startServer(() => answerJson({ batch_id: BATCH_ID, status: 'received' }, 202));
  const result = await enlist(['upload', '--json', ...args, '--api', server.url]);
  return { result, requests: server.requests };
};
const filesIn = (bytes: Uint8Array) =>
  Object.entries(unzipSync(bytes)).map(([name, content]) => [name, strFromU8(content)]);

describe('folders', () => {
  test('a folder is packed with its lists and those of its folders, by name, and nothing else', async () => {
    await write('whole/b.json', 'b');
    await write('whole/a/Z.CSV', 'z');
    await write('whole/a.ndjson', 'a');
    await write('whole/ä.jsonl', 'ae');
    await write('whole/.hidden.json', 'hidden');
    await write('whole/.git/config.json', 'hidden');
    await write('whole/notes.txt', 'other');
    await write('whole/a/old.zip', 'other');
    await write('outside/secret.json', 'linked');
    await symlink(join(home, 'outside/secret.json'), join(home, 'whole/link.json'));
    await symlink(join(home, 'outside'), join(home, 'whole/linked'));
    const { result, requests } = await upload(join(home, 'whole'));
    expect(result.code).toBe(0);
    expect(jsonLines(result)).toEqual([
      { file: join(home, 'whole'), batch_id: BATCH_ID, status: 'received' },
    ]);
    expect(result.stderr).toBe(
      `Skipped in ${join(home, 'whole')}, because they are links or not lists: a/old.zip, link.json, linked and 1 more\n`,
    );
    expect(requests[0]?.headers['content-type']).toBe('application/zip');
    expect(filesIn(requests[0]?.bytes ?? Buffer.of())).toEqual([
      ['a.ndjson', 'a'],
      ['a/Z.CSV', 'z'],
      ['b.json', 'b'],
      ['ä.jsonl', 'ae'],
    ]);
  });

  test('a folder gives the same bytes and key at any time and place, and others when a list changes', async () => {
    const path = await write('same/a.json', '[1]');
    const first = await upload(join(home, 'same'));
    await utimes(path, 1, 1);
    const again = await upload(join(home, 'same'));
    await write('copy/a.json', '[1]');
    const copy = await upload(join(home, 'copy'));
    await write('copy/a.json', '[2]');
    const changed = await upload(join(home, 'copy'));
    const keys = [first, again, copy, changed].map(({ requests }) => requests[0]?.headers['idempotency-key']);
    expect(keys.slice(0, 3)).toEqual([keys[0], keys[0], keys[0]]);
    expect(keys[3]).not.toBe(keys[0]);
    expect(again.requests[0]?.bytes.equals(first.requests[0]?.bytes ?? Buffer.of())).toBe(true);
  });

  test('a folder that cannot be a list stops the whole upload with 1', async () => {
    const good = await write('good.json', '[]');
    await write('none/readme.md', 'not a list');
    await write('huge/a.json', '');
    await truncate(join(home, 'huge/a.json'), limits.maxArchiveBytes + 1);
    const [none, huge, withType] = await Promise.all([
      upload(good, join(home, 'none')),
      upload(good, join(home, 'huge')),
      upload(join(home, 'none'), '--type', 'zip'),
    ]);
    for (const { result, requests } of [none, huge, withType])
      expect([result.code, result.stdout, requests.length]).toEqual([1, '', 0]);
    expect(none.result.stderr).toContain(
      'has no list in it: no file ends in .json, .jsonl, .ndjson or .csv.',
    );
    expect(huge.result.stderr).toContain('have more than 60,000,000 bytes. Split them into several folders.');
    expect(withType.result.stderr).toContain('is a folder; --type is for files.');
  });
});

test('an archive is uploaded as it is', async () => {
  const path = await write('archive.ZIP', 'any content');
  const { result, requests } = await upload(path);
  expect([result.code, result.stderr]).toEqual([0, '']);
  expect(requests[0]).toMatchObject({ body: 'any content' });
  expect(requests[0]?.headers['content-type']).toBe('application/zip');
});
