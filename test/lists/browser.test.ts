/** A web page reads lists with the same code: it uses nothing of Node, and gets keys and compression as arguments. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import type { ListFormat } from '../../lib/lists/formats.ts';
import type { readList } from '../../lib/lists/list.ts';
import type { readRow } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { compression } from '../../lib/runtime/compression.ts';
import { hex, pinTokenFor, type RowFields, rsaKeys } from './keystores.ts';
import { zipOf } from './zip.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Lists {
  readonly readList: typeof readList;
  readonly readRow: typeof readRow;
}

/** As a page would load it: esbuild refuses every import of Node's modules. */
const bundleForBrowser = async (): Promise<string> => {
  const { outputFiles } = await build({
    stdin: {
      contents:
        "export { readList } from './lib/lists/list.ts'; export { readRow } from './lib/lists/row.ts';",
      resolveDir: root,
    },
    bundle: true,
    format: 'iife',
    globalName: 'lists',
    logLevel: 'silent',
    platform: 'browser',
    target: 'es2024',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
};

/** A realm with the language itself and a few globals that every browser has. */
const loadInBrowser = async (): Promise<Lists> => {
  const context = createContext({ atob, btoa, crypto, TextDecoder, TextEncoder });
  expect(runInContext('[typeof Buffer, typeof process, typeof require]', context)).toMatchObject([
    'undefined',
    'undefined',
    'undefined',
  ]);
  runInContext(await bundleForBrowser(), context);
  return runInContext('lists', context);
};

const seed = () => hex(randomBytes(32));

const ed25519Keystore = async () => ({
  app_id: randomUUID() as string,
  session_id: randomUUID() as string,
  server_public_key: await keys.derivePublicKey(seed()),
  session_private_key: seed(),
  pin: '012345',
});

const rsaKeystore = () => {
  const session_id = randomUUID() as string;
  const pin_token = pinTokenFor(rsaKeys[0], session_id).toString('base64');
  return { app_id: randomUUID() as string, session_id, pin_token, private_key: rsaKeys[0].pkcs1 };
};

const writeCsv = (row: RowFields): string =>
  `${Object.keys(row).join(',')}\n${Object.values(row)
    .map((cell) => `"${cell}"`)
    .join(',')}\n`;

const lists = await loadInBrowser();

const readKeystores = async (body: Uint8Array, format: ListFormat) => {
  const list = await lists.readList(body, format, compression);
  if (!list.ok) throw new Error(list.error.message);
  expect(list.value.errors).toHaveLength(0);
  const rows = await Promise.all(list.value.rows.map((row) => lists.readRow(row, keys)));
  // Copied into this realm, because objects of another realm equal none of ours.
  return JSON.parse(JSON.stringify(rows.map((row) => (row.ok ? { ...row.value } : row.error))));
};

const digest = expect.stringMatching(/^[0-9a-f]{32}$/);

test('a browser reads a JSON list with keystores of both kinds', async () => {
  const keystores = [await ed25519Keystore(), rsaKeystore()];
  const rows = await readKeystores(Buffer.from(JSON.stringify(keystores)), 'json');
  expect(rows).toEqual(
    keystores.map((keystore, i) => ({ row: i + 1, line: 1, keystore, row_digest: digest })),
  );
});

test('a browser reads a CSV list', async () => {
  const keystore = await ed25519Keystore();
  const rows = await readKeystores(Buffer.from(`\ufeff${writeCsv(keystore)}`), 'csv');
  expect(rows).toEqual([{ row: 1, line: 2, keystore, row_digest: digest }]);
});

test('a browser reads a ZIP of lists', async () => {
  const [one, other] = [await ed25519Keystore(), await ed25519Keystore()];
  const body = zipOf([
    { name: 'one.json', text: JSON.stringify(one) },
    { name: 'other.csv', text: writeCsv(other), stored: true },
  ]);
  expect(await readKeystores(body, 'zip')).toMatchObject([
    { row: 1, file: 'one.json', keystore: one },
    { row: 2, file: 'other.csv', keystore: other },
  ]);
});

test('a browser names what is wrong with a list and with a row', async () => {
  const list = await lists.readList(Buffer.from('PK'), 'zip', compression);
  expect(list.ok ? undefined : list.error.code).toBe('bad_archive');
  const row = await lists.readRow({ row: 1, line: 1, fields: { app_id: 'x' } }, keys);
  expect(row.ok ? undefined : row.error[0]?.code).toBe('invalid_field');
});

test.each(['lib/lists', 'lib/model'])(
  'no file of %s names a module or global that only Node has',
  (folder) => {
    const files = readdirSync(`${root}/${folder}`).map((file) => `${root}/${folder}/${file}`);
    expect(files.length).toBeGreaterThan(10);
    const matches = files.filter((file) =>
      /\b(Buffer|process|require)\b|node:/.test(readFileSync(file, 'utf8')),
    );
    expect(matches).toEqual([]);
  },
);
