/** Lists as spreadsheets, tutorials and other programs write them. */
import { createPrivateKey, randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isPassedOver, type ListFormat } from '../../lib/lists/formats.ts';
import { readLabel } from '../../lib/lists/label.ts';
import { describeList, readList } from '../../lib/lists/list.ts';
import { readRow } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { compression } from '../../lib/runtime/compression.ts';
import { hex, imageOf, pinTokenFor, rsaKeys } from './keystores.ts';

const seed = () => hex(randomBytes(32));

const dashboard = async () => ({
  app_id: randomUUID() as string,
  session_id: randomUUID() as string,
  server_public_key: await keys.derivePublicKey(seed()),
  session_private_key: seed(),
});

const rsaKeystore = () => {
  const session_id = randomUUID() as string;
  return {
    app_id: randomUUID() as string,
    session_id,
    pin_token: pinTokenFor(rsaKeys[0], session_id).toString('base64'),
    private_key: rsaKeys[0].pkcs1,
  };
};

const read = (text: string, format: ListFormat) => readList(Buffer.from(text), format, compression);

/** What a list says in the end: its keystores and its errors, or the one problem of the whole list. */
const readAll = async (text: string, format: ListFormat = 'csv') => {
  const list = await read(text, format);
  if (!list.ok) return { problem: list.error, keystores: [], errors: [], lines: [] };
  const rows = await Promise.all(list.value.rows.map((row) => readRow(row, keys)));
  const valid = rows.flatMap((row) => (row.ok && 'keystore' in row.value ? [row.value] : []));
  return {
    problem: undefined,
    keystores: valid.map(({ keystore }) => keystore),
    lines: valid.map(({ line }) => line),
    labels: valid.map(({ label }) => label),
    errors: [...list.value.errors, ...rows.flatMap((row) => (row.ok ? [] : row.error))],
    understood: describeList(list.value),
  };
};

const table = (rows: readonly Readonly<Record<string, string>>[], separator = ',') =>
  [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))]
    .map((cells) => `${cells.join(separator)}\n`)
    .join('');

describe('CSV', () => {
  test.each([
    [';', 'CSV with semicolons'],
    ['\t', 'CSV with tabs'],
    ['|', 'CSV with vertical bars'],
    [',', 'CSV'],
  ])('cells may be separated by %j', async (separator, format) => {
    const rows = [await dashboard(), await dashboard()];
    const { keystores, understood } = await readAll(table(rows, separator));
    expect(keystores).toEqual(rows);
    expect(understood).toEqual({ formats: [format], known: Object.keys(rows[0] ?? {}), unknown: [] });
  });

  test.each(['sep=;\n', '"sep=;"\r\n', '\ufeffSEP=;\n\n'])(
    'a first line %j names the separator',
    async (line) => {
      const row = await dashboard();
      expect((await readAll(line + table([row], ';'))).keystores).toEqual([row]);
    },
  );

  test('a title above the header is passed over, and rows keep their lines', async () => {
    const row = await dashboard();
    const all = await readAll(`Our bots, November;;;\n\n"exported, by hand";;;\n${table([row], ';')}`);
    expect([all.keystores, all.lines]).toEqual([[row], [5]]);
  });

  test('a header with no known column is one problem of the list', async () => {
    const rows = Object.values(await dashboard()).join(',');
    const { problem } = await readAll(`one,two,three,four\n${`${rows}\n`.repeat(50)}`);
    expect(problem).toMatchObject({
      code: 'no_known_column',
      message: expect.stringMatching(/^[^.]+\.$/),
    });
    expect((await readAll('name_of_it,secret word\nx,y\n')).problem?.message).not.toContain('secret');
  });

  test('a list without a header is refused with one sentence, unless its columns tell themselves', async () => {
    const rows = [await dashboard(), await dashboard()].map((row) => Object.values(row).join(','));
    const { problem } = await readAll(rows.join('\n'));
    expect(problem?.code).toBe('no_known_column');
    expect(problem?.message).toContain('has no line that names its columns');
    for (const value of rows.join(',').split(',')) expect(JSON.stringify(problem)).not.toContain(value);
  });

  test('network users of RSA sessions need no header, whatever the order of their columns', async () => {
    const rows = [rsaKeystore(), rsaKeystore()];
    const quote = (cells: string[]) => cells.map((cell) => `"${cell}"`).join(',');
    for (const order of [
      ['private_key', 'pin_token', 'session_id', 'app_id'],
      ['app_id', 'session_id', 'pin_token', 'private_key'],
    ] as const) {
      const text = rows.map((row) => quote([...order.map((name) => row[name]), '123456'])).join('\n');
      const { keystores, errors } = await readAll(text);
      expect(errors).toEqual([]);
      expect(keystores).toEqual(rows.map((row) => ({ ...row, pin: '123456' })));
    }
  });

  test('rows of empty cells are no rows', async () => {
    const row = await dashboard();
    const all = await readAll(`${table([row])},,,\n , ,,\n\n`);
    expect([all.keystores.length, all.errors]).toEqual([1, []]);
  });

  test('a cell with a bare quote is an error of its row alone', async () => {
    const [one, two] = [await dashboard(), await dashboard()];
    const rows = table([
      { ...one, pin: '="012345"' },
      { ...two, pin: '"01"2345' },
      { ...two, pin: '"012345"' },
    ]);
    const { keystores, errors } = await readAll(rows);
    expect(keystores).toEqual([{ ...two, pin: '012345' }]);
    expect(errors.map(({ row, line, code }) => [row, line, code])).toEqual([
      [1, 2, 'bad_quotes'],
      [2, 3, 'bad_quotes'],
    ]);
  });

  test('a row of too many cells is refused for each separator', async () => {
    for (const separator of [',', ';', '\t', '|']) {
      const text = `app_id${separator}pin\n${separator.repeat(3_000)}\n`;
      expect((await readAll(text)).problem?.code).toBe('not_csv');
    }
  });
});

describe('names of fields', () => {
  const spellings = [
    ['Client ID', 'Session ID', 'PIN Token', 'Private Key'],
    ['clientId', 'sessionId', 'pinToken', 'privateKey'],
    ['APP_ID', 'SESSION_ID', 'PIN_TOKEN', 'PRIVATE_KEY'],
    ['app-id', 'session-id', 'pin-token', 'private-key'],
  ] as const;

  test.each(spellings)('%s, %s, %s and %s are known, in CSV and in JSON', async (...names) => {
    const listed = await dashboard();
    const token = Buffer.from(imageOf(listed.server_public_key), 'hex').toString('base64');
    const values = [listed.app_id, listed.session_id, token, listed.session_private_key];
    const row = Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']));
    for (const [text, format] of [
      [table([row]), 'csv'],
      [JSON.stringify([row]), 'json'],
    ] as const) {
      const { keystores, errors } = await readAll(text, format);
      expect(errors).toEqual([]);
      expect(keystores).toMatchObject([{ app_id: listed.app_id, session_id: listed.session_id }]);
    }
  });

  test('an unknown field is named where one is missing, once, and never its value', async () => {
    const { session_private_key: aeskey, server_public_key: _, ...rest } = await dashboard();
    const { errors } = await readAll(JSON.stringify([{ ...rest, aeskey, [aeskey]: 1 }]), 'json');
    expect(errors.map(({ field }) => field)).toEqual(['session_private_key', 'server_public_key']);
    expect(errors[0]?.message).toContain('does not know these fields of the row: aeskey.');
    expect(errors[1]?.message).not.toContain('aeskey');
    expect(JSON.stringify(errors)).not.toContain(aeskey);
  });

  test('a row without any known field has one error', async () => {
    const { errors } = await readAll('[{"key one": 1, "key two": 2}]', 'json');
    expect(errors).toMatchObject([{ code: 'no_known_field' }]);
    expect(errors[0]?.message).toBe('The row has no field that Enlist knows; it has key one, key two.');
  });

  test('session_key and session_seed are keys where their values are', async () => {
    const { session_private_key, ...rest } = await dashboard();
    const base64 = Buffer.from(session_private_key, 'hex').toString('base64');
    const { private_key, ...rsa } = rsaKeystore();
    const { keystores, errors } = await readAll(
      JSON.stringify([
        { ...rest, session_seed: base64 },
        { ...rest, session_key: base64 },
        { ...rsa, session_key: private_key },
      ]),
      'json',
    );
    expect(errors).toEqual([]);
    const listed = { ...rest, session_private_key };
    expect(keystores).toEqual([listed, listed, { ...rsa, private_key }]);
  });

  test('two spellings of one name must have one value', async () => {
    const row = await dashboard();
    const { errors } = await readAll(JSON.stringify([{ ...row, appId: randomUUID() }]), 'json');
    expect(errors).toMatchObject([{ field: 'appId', code: 'contradiction' }]);
    expect((await readAll(JSON.stringify([{ ...row, appId: row.app_id }]), 'json')).keystores).toEqual([row]);
  });
});

describe('JSON', () => {
  test('wrappers are taken off, and their names are labels', async () => {
    const [one, two] = [await dashboard(), await dashboard()];
    for (const value of [
      { bots: [one, two] },
      { data: [one, two], page: 1 },
      { first: one, second: two },
      [{ keystore: one }, { data: { keystore: two } }],
      { bots: [{ keystore: one, id: 1 }, { keystore: two }] },
    ]) {
      const { keystores, errors } = await readAll(JSON.stringify(value, undefined, 1), 'json');
      expect(errors).toEqual([]);
      expect(keystores).toEqual([one, two]);
    }
    const { labels, lines } = await readAll(
      JSON.stringify({ first: one, second: two }, undefined, 1),
      'json',
    );
    expect([labels, lines]).toEqual([
      ['first', 'second'],
      [2, 8],
    ]);
  });

  test('JSON Lines, arrays and objects are read as what they are, whatever the name says', async () => {
    const rows = [await dashboard(), await dashboard()];
    const lines = rows.map((row) => JSON.stringify(row));
    const texts = [
      lines.join('\n'),
      lines.join(',\n'),
      `${lines.join(',\r\n')},\r\n`,
      JSON.stringify(rows, undefined, 2),
      JSON.stringify(rows),
      rows.map((row) => JSON.stringify(row, undefined, 2)).join('\n'),
    ];
    for (const text of texts) {
      for (const format of ['json', 'jsonl'] as const) {
        const { keystores, errors } = await readAll(text, format);
        expect([keystores, errors]).toEqual([rows, []]);
      }
    }
  });

  test('a field that a row has twice with two values is a contradiction', async () => {
    const row = await dashboard();
    const text = (value: string) => `[${JSON.stringify(row).slice(0, -1)}, "app_id": "${value}"}]`;
    expect((await readAll(text(randomUUID()), 'json')).errors).toMatchObject([
      { row: 1, field: 'app_id', code: 'contradiction' },
    ]);
    expect((await readAll(text(row.app_id), 'json')).keystores).toEqual([row]);
    const secret = seed();
    const { errors } = await readAll(`[{"${secret}": 1, "${secret}": 2}]`, 'json');
    expect(errors).toMatchObject([{ field: '(row)', code: 'contradiction' }]);
    expect(JSON.stringify(errors)).not.toContain(secret);
  });
});

describe('values', () => {
  test('hex may have 0x before it, and a UUID braces or no dashes', async () => {
    const row = await dashboard();
    const written = {
      app_id: `{${row.app_id.toUpperCase()}}`,
      session_id: row.session_id.replaceAll('-', ''),
      server_public_key: `0x${row.server_public_key}`,
      session_private_key: `0X${row.session_private_key.toUpperCase()}`,
    };
    expect((await readAll(JSON.stringify(written), 'json')).keystores).toEqual([row]);
  });

  test('the kind of a session key is told by its bytes', async () => {
    const row = await dashboard();
    const der = Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      Buffer.from(row.session_private_key, 'hex'),
    ]);
    const pkcs8 = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
      .export({ format: 'pem', type: 'pkcs8' })
      .toString();
    for (const session_private_key of [
      pkcs8,
      `Bag Attributes\n    localKeyID: 01\n${pkcs8}`,
      der.toString('base64'),
    ])
      expect((await readAll(JSON.stringify({ ...row, session_private_key }), 'json')).keystores).toEqual([
        row,
      ]);

    const rsa = rsaKeystore();
    const bare = (pem: string) => pem.replace(/-----[^-]+-----/g, '').trim();
    const swapped = rsaKeys[0].pkcs1.replaceAll('RSA PRIVATE', 'PRIVATE');
    for (const private_key of [
      bare(rsaKeys[0].pkcs1),
      bare(rsaKeys[0].pkcs8).replaceAll('\n', ''),
      `Bag Attributes: <none>\nKey Attributes: <none>\n${rsaKeys[0].pkcs8}`,
      swapped,
    ])
      expect((await readAll(JSON.stringify({ ...rsa, private_key }), 'json')).keystores).toEqual([rsa]);
  });
});

test.each(['Thumbs.db', 'a/desktop.ini', '__MACOSX/a.json', '.DS_Store', 'a/', '~$bots.csv'])(
  'the file %s is passed over',
  (name) => expect(isPassedOver(name)).toBe(true),
);

test.each(['a.json', './x/../a.json', 'desktop.ini.json', 'thumbs.csv'])(
  'the file %s is not passed over',
  (name) => expect(isPassedOver(name)).toBe(false),
);

describe('the label of a row', () => {
  test.each([
    [{ label: ' My\tbot\n', name: 'x' }, 'My bot'],
    [{ name: 'Shop', full_name: 'y' }, 'Shop'],
    [{ full_name: 'Ünïcode 🤖' }, 'Ünïcode 🤖'],
    [{ label: 'a\u202eb\u0007c' }, 'a b c'],
    [{ label: '🤖'.repeat(200) }, '🤖'.repeat(100)],
    [{ label: '' }, undefined],
    [{ label: 7 }, undefined],
  ])('the label of %j is read and cleaned', (fields, label) => expect(readLabel(fields)).toBe(label));

  test('a label is never a key or a PIN', () => {
    for (const label of [
      seed(),
      randomBytes(32).toString('base64'),
      `key ${seed()}`,
      rsaKeys[0].pkcs1,
      '123456',
    ]) {
      expect(readLabel({ label })).toBeUndefined();
      expect(readLabel({ label, name: 'Shop' })).toBe('Shop');
    }
    for (const bytes of [32, 48, 64])
      for (let i = 0; i < 50; i += 1)
        expect(readLabel({ name: randomBytes(bytes).toString('base64url') })).toBeUndefined();
  });
});
