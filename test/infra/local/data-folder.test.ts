import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RequestError } from '../../../cli/errors.ts';
import {
  prepareDataFolder,
  readDataFolder,
  rememberList,
  STAND_IN,
} from '../../../infra/local/data-folder.ts';
import { startEmbeddedStack } from '../../../infra/local/embedded-stack.ts';
import { temporaryFolder } from './helpers.ts';

const read = (folder: string) => readFile(join(folder, 'enlist.json'), 'utf8');

test('the first start creates the data folder for its owner alone and writes the schema number', async () => {
  const folder = join(await temporaryFolder(), 'data');
  await prepareDataFolder(folder);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(JSON.parse(await read(folder))).toEqual({ schema: 1 });
});

test('a data folder with the same schema number is accepted, with any other files in it', async () => {
  const folder = await temporaryFolder();
  await prepareDataFolder(folder);
  await mkdir(join(folder, 'dynamodb'));
  await prepareDataFolder(folder);
  expect((await readdir(folder)).toSorted()).toEqual(['dynamodb', 'enlist.json']);
});

test('a schema file that a crash left empty is written again if the data folder has nothing else', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'enlist.json'), '');
  await prepareDataFolder(folder);
  expect(JSON.parse(await read(folder))).toEqual({ schema: 1 });
});

test.each([
  ['no schema file', { 'list.json': '[]' }],
  ['another schema number', { 'enlist.json': '{"schema":2}', 'list.json': '[]' }],
  ['another schema number and nothing else', { 'enlist.json': '{"schema":0}' }],
  ['a schema file that is not JSON', { 'enlist.json': 'one', 'list.json': '[]' }],
])('a folder with %s is refused with one sentence, and nothing in it is changed', async (_what, files) => {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const refusal = new RequestError(
    `The folder ${folder} was not written by this version of Enlist: use the version that wrote it, or choose another folder with --data.`,
  );
  await expect(prepareDataFolder(folder)).rejects.toThrow(refusal);
  await expect(
    startEmbeddedStack({ dataDir: folder, mixinUrl: 'http://127.0.0.1:1', log: () => undefined }),
  ).rejects.toThrow(refusal);
  const after = await Promise.all(
    (await readdir(folder)).map(async (name) => [name, await readFile(join(folder, name), 'utf8')]),
  );
  expect(Object.fromEntries(after)).toEqual(files);
});

test('a data folder belongs to one Mixin, and refuses any other without a change', async () => {
  const folder = await temporaryFolder();
  await prepareDataFolder(folder, 'https://api.mixin.one');
  await rememberList(folder, 'one', 'bots.json');
  await prepareDataFolder(folder, 'https://api.mixin.one');
  const before = await read(folder);
  expect(JSON.parse(before)).toEqual({
    schema: 1,
    mixin: 'https://api.mixin.one',
    lists: [{ batch_id: 'one', file: 'bots.json' }],
  });
  for (const other of [STAND_IN, 'https://mixin-api.zeromesh.net'])
    await expect(prepareDataFolder(folder, other)).rejects.toThrow(
      `${folder} belongs to https://api.mixin.one: leave --mixin out`,
    );
  expect(await read(folder)).toBe(before);
});

test('a folder with the accounts of a stand-in belongs to test bots, also if it does not say so', async () => {
  const folder = await temporaryFolder();
  await prepareDataFolder(folder);
  await mkdir(join(folder, 'mixin'));
  expect(await readDataFolder(folder)).toMatchObject({ mixin: STAND_IN });
  await expect(prepareDataFolder(folder, 'https://api.mixin.one')).rejects.toThrow('belongs to test bots');
});
