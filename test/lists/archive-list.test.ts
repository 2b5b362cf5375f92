import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { readList } from '../../lib/lists/list.ts';
import { limits } from '../../lib/model/limits.ts';
import { compression } from '../../lib/runtime/compression.ts';
import { type ZipEnd, type ZipFile, zipOf } from './zip.ts';

const read = (body: Uint8Array) => readList(body, 'zip', compression);

/** Rows and errors with their places; throws where the whole archive is refused. */
const readRows = async (body: Uint8Array) => {
  const result = await read(body);
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  const list = result.value;
  expect(list.total).toBe(list.rows.length + list.errors.length);
  return {
    rows: list.rows.map(({ file, row, line, fields }) => [file, row, line, fields]),
    errors: list.errors.map(({ file, row, line, field, code }) => [file, row, line, field, code]),
  };
};
const readProblem = async (body: Uint8Array) => {
  const list = await read(body);
  return list.ok ? undefined : `${list.error.code}: ${list.error.message}`;
};

const one: ZipFile = { name: 'a.json', text: '{"a":1}' };
const createInvalid = (says: ZipFile['says'] = {}, end: ZipEnd = {}) => zipOf([{ ...one, says }], end);

describe('an archive', () => {
  test('an archive is read as one list of all its files', async () => {
    const body = zipOf([
      { name: 'one.json', text: '\ufeff\n{"a":1}' },
      { name: 'deep/er/two.JSON', text: '[\n{"a":2},\n{"a":],\n{"a":3}]', stored: true },
      { name: 'three.jsonl', text: '{"a":4}\n\n7\n{"a":5}' },
      { name: '..\\..\\four.ndjson', text: '{"a":6}' },
      { name: '/etc/../five.csv', text: 'pin,b\r\n7,\r\n8,"=cmd()"' },
    ]);
    expect(await readRows(body)).toEqual({
      rows: [
        ['one.json', 1, 2, { a: 1 }],
        ['deep/er/two.JSON', 2, 2, { a: 2 }],
        ['deep/er/two.JSON', 4, 4, { a: 3 }],
        ['three.jsonl', 5, 1, { a: 4 }],
        ['three.jsonl', 7, 4, { a: 5 }],
        ['..\\..\\four.ndjson', 8, 1, { a: 6 }],
        ['/etc/../five.csv', 9, 2, { pin: '7' }],
        ['/etc/../five.csv', 10, 3, { pin: '8', b: '=cmd()' }],
      ],
      errors: [
        ['deep/er/two.JSON', 3, 3, '(row)', 'not_an_object'],
        ['three.jsonl', 6, 3, '(row)', 'not_an_object'],
      ],
    });
  });

  test('an archive is read as enlist upload packs a folder', async () => {
    const text = Buffer.from(JSON.stringify({ a: 'x'.repeat(10_000) }));
    const body = zipSync({ 'é/a.json': text, 'b.csv': [Buffer.from('pin\n1'), { level: 0 }] });
    expect((await readRows(body)).rows.map(([file, row]) => [file, row])).toEqual([
      ['é/a.json', 1],
      ['b.csv', 2],
    ]);
  });

  test('an archive may have a comment, and sizes that follow the data', async () => {
    const file = { ...one, says: { flags: 0x0808 } };
    expect((await readRows(zipOf([file], { comment: 'PK\u0005\u0006 of a person' }))).rows).toHaveLength(1);
  });

  test('folders, and files that systems leave in them, are skipped', async () => {
    const empty = [
      'folder/',
      '.DS_Store',
      '__MACOSX/._a.json',
      'x/.git/a.json',
      'a\\.b.csv',
      'f.json/',
      'x/Thumbs.db',
      'desktop.ini',
      '~$a.csv',
    ];
    const files = empty.map((name) => ({ name, text: '' }));
    expect((await readRows(zipOf([...files, { ...one, name: './x/../a.json' }]))).rows).toEqual([
      ['./x/../a.json', 1, 1, { a: 1 }],
    ]);
    expect(await readProblem(zipOf(files))).toMatch(/^empty_list/);
    expect(await readProblem(zipOf([]))).toMatch(/^empty_list/);
  });

  test('each file that is not a list is a row error, and the others are read', async () => {
    const utf16 = Buffer.from('\ufeff[{"a":1}]', 'utf16le');
    const files = [
      ['notes.txt', 'SECRET'],
      ['json', 'SECRET'],
      ['in.zip', zipOf([one])],
      ['broken.json', '[{"a":"SECRET"'],
      ['twice.csv', 'pin,PIN,SECRET\n1,2'],
      ['unknown.csv', 'SECRET,SECRET\n1,2'],
      ['wide.csv', utf16],
      ['empty.jsonl', '\n\n'],
      ['none.csv', 'pin,b\n'],
      ['create.json', '{"create":{"count":1}}'],
    ] as const;
    const { rows, errors } = await readRows(zipOf([...files.map(([name, text]) => ({ name, text })), one]));
    expect(errors.map(([file, row, line, field, code]) => `${file} ${row} ${line} ${field} ${code}`)).toEqual(
      [
        'notes.txt 1 1 (file) unknown_file',
        'json 2 1 (file) unknown_file',
        'in.zip 3 1 (file) unknown_file',
        'broken.json 4 1 (file) not_a_json_array',
        'twice.csv 5 1 (file) not_csv',
        'unknown.csv 6 1 (file) no_known_column',
        'wide.csv 7 1 (file) not_utf8',
        'empty.jsonl 8 1 (file) empty_list',
        'none.csv 9 1 (file) empty_list',
      ],
    );
    expect(rows.map(([file, row]) => [file, row])).toEqual([
      ['create.json', 10],
      ['a.json', 11],
    ]);
    expect(JSON.stringify(errors)).not.toContain('SECRET');
  });

  test('file names are shown without deceptive characters, and cut to 200 characters', async () => {
    const { errors } = await readRows(
      zipOf(
        [
          { name: 'a\u0000b\u001b[31m\u202egpj.\u2028x', text: '' },
          { name: `${'😀'.repeat(300)}.csv`, text: '' },
          { name: '', text: '' },
        ].filter(({ name }) => name !== ''),
      ),
    );
    expect(errors.map(([file]) => file)).toEqual(['ab[31mgpj.x', '😀'.repeat(200)]);
  });

  test('the rows of all files count together', async () => {
    const text = '{}\n'.repeat(limits.maxRows / 2 + 1);
    const half = (name: string) => ({ name, text });
    expect(await readProblem(zipOf([half('a.jsonl'), half('b.jsonl')]))).toMatch(/^too_many_rows/);
    expect(await readProblem(zipOf([half('a.jsonl')]))).toBeUndefined();
  });
});

describe('invalid archives', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['no bytes', Buffer.alloc(0), /^bad_archive: The archive is not a ZIP/],
    ['not a ZIP', Buffer.from('[{"a":1}]'.repeat(10)), /^bad_archive: The archive is not a ZIP/],
    ['more bytes than the comment', Buffer.concat([createInvalid(), Buffer.from('x')]), /^bad_archive/],
    ['bytes before the archive', Buffer.concat([Buffer.from('x'), createInvalid()]), /^bad_archive/],
    ['a count too high', createInvalid({}, { count: 2 }), /^bad_archive/],
    ['a count too low', createInvalid({}, { count: 0 }), /^bad_archive/],
    ['a directory at another place', createInvalid({}, { directory: 1 }), /^bad_archive/],
    ['a directory beyond the end', createInvalid({}, { directory: 0xfffffff0 }), /^bad_archive/],
    ['a directory cut short', createInvalid({}, { directoryBytes: 40, directory: 0 }), /^bad_archive/],
    ['other bytes in the directory', createInvalid({}, { before: Buffer.from('junk') }), /^bad_archive/],
    ['a password', createInvalid({ flags: 0x0801 }), /^bad_archive: The archive is encrypted/],
    ['strong encryption', createInvalid({ flags: 0x0841 }), /^bad_archive: The archive is encrypted/],
    ['a password in the local header alone', createInvalid({ localFlags: 1 }), /^bad_archive/],
    ['bzip2', createInvalid({ method: 12 }), /^bad_archive: .*another compression than Deflate/],
    ['another compression in the local header', createInvalid({ localMethod: 0 }), /^bad_archive/],
    [
      'stored, with two different sizes',
      zipOf([{ ...one, stored: true, says: { bytes: 6 } }]),
      /^bad_archive/,
    ],
    ['a packed size too high', createInvalid({ packedBytes: 10_000 }), /^bad_archive/],
    ['a packed size too low', createInvalid({ packedBytes: 3 }), /^bad_archive/],
    ['no packed bytes', createInvalid({ packedBytes: 0 }), /^bad_archive/],
    ['a size too high', createInvalid({ bytes: 8 }), /^bad_archive/],
    ['a size too low', createInvalid({ bytes: 6 }), /^bad_archive/],
    ['no size', createInvalid({ bytes: 0 }), /^bad_archive/],
    ['a wrong checksum', createInvalid({ crc: 1 }), /^bad_archive/],
    ['data at another place', createInvalid({ start: 1 }), /^bad_archive/],
    ['data beyond the end', createInvalid({ start: 0xffffff00 }), /^bad_archive/],
    ['sizes in a ZIP64 record', createInvalid({ bytes: 0xffffffff }), /^bad_archive: The archive is a ZIP64/],
    [
      'a place in a ZIP64 record',
      createInvalid({ start: 0xffffffff }),
      /^bad_archive: The archive is a ZIP64/,
    ],
    ['several parts', createInvalid({}, { disk: 1 }), /^bad_archive: The archive is a ZIP64/],
    [
      'a ZIP64 locator',
      createInvalid({}, { before: Buffer.concat([Buffer.from([0x50, 0x4b, 6, 7]), Buffer.alloc(16)]) }),
      /^bad_archive: The archive is a ZIP64/,
    ],
    ['two files of the same data', zipOf([one, { ...one, says: { start: 0 } }]), /^bad_archive/],
    [
      'more than it may hold, unpacked',
      zipOf([one, { ...one, name: 'b.json', says: { bytes: limits.maxArchiveBytes } }]),
      /^archive_too_large: .*60000000 bytes/,
    ],
  ])('an archive with this fault is rejected: %s', async (_name, body, problem) =>
    expect(await readProblem(body)).toMatch(problem),
  );

  test('an archive is rejected wherever it is cut off', async () => {
    const body = zipOf([one, { name: 'b.csv', text: 'a\n1', stored: true }]);
    for (let length = 0; length < body.length; length += 1)
      expect(await readProblem(body.subarray(0, length)), `${length}`).toMatch(/^bad_archive/);
  });

  test('an archive of too many files is rejected', async () => {
    const changeable: { maxArchiveFiles: number } = limits;
    const before = limits.maxArchiveFiles;
    try {
      changeable.maxArchiveFiles = 2;
      expect(await readProblem(zipOf([one, one, one]))).toMatch(/^archive_too_large: .* files/);
      expect(await readProblem(zipOf([one, one]))).toBeUndefined();
    } finally {
      changeable.maxArchiveFiles = before;
    }
  });
});

describe('ZIP bombs', () => {
  /** Millions of bytes that pack to next to nothing. */
  const spaces = (millions: number) => Buffer.alloc(millions * 1_000_000, ' ');

  const measure = async (body: Uint8Array) => {
    const [before, start] = [process.memoryUsage(), performance.now()];
    const problem = await readProblem(body);
    const after = process.memoryUsage();
    const bytes = after.arrayBuffers - before.arrayBuffers + after.heapUsed - before.heapUsed;
    return { problem, bytes, milliseconds: performance.now() - start };
  };

  test.each([1, 6_000, 70_000])(
    'a ZIP bomb that says it has %i bytes is not unpacked further',
    async (bytes) => {
      const { problem, ...took } = await measure(
        zipOf([{ name: 'a.csv', text: spaces(100), says: { bytes } }]),
      );
      expect(problem).toMatch(/^bad_archive/);
      expect(took.bytes).toBeLessThan(60_000_000);
      expect(took.milliseconds).toBeLessThan(10_000);
    },
  );

  test('a ZIP bomb that states its true size is rejected unread', async () => {
    const { problem, ...took } = await measure(zipOf([{ name: 'a.json', text: spaces(61) }]));
    expect(problem).toMatch(/^archive_too_large/);
    expect(took.bytes).toBeLessThan(5_000_000);
    const parts = ['a', 'b', 'c', 'd'].map((name) => ({ name: `${name}.json`, text: spaces(16) }));
    expect((await measure(zipOf(parts))).problem).toMatch(/^archive_too_large/);
  });

  test('files that share their data are rejected before any is unpacked', async () => {
    const kernel = { name: 'k.json', text: spaces(1) };
    const packed = deflateRawSync(spaces(1)).length;
    const others = Array.from({ length: 40 }, (_, i) => ({
      name: `${i}.json`,
      text: '',
      says: { start: 0, packedBytes: packed, bytes: 1_000_000 },
    }));
    const { problem, ...took } = await measure(zipOf([kernel, ...others]));
    expect(problem).toMatch(/^bad_archive/);
    expect(took.bytes).toBeLessThan(5_000_000);
  });

  test('a ZIP bomb within the limits is read in time', async () => {
    const { problem, milliseconds } = await measure(
      zipOf([{ name: 'a.json', text: Buffer.concat([spaces(15), Buffer.from('{"a":1}')]) }]),
    );
    expect(problem).toBeUndefined();
    expect(milliseconds).toBeLessThan(10_000);
  });
});

test('any damaged archive is read or rejected', async () => {
  const text = JSON.stringify(Array.from({ length: 20 }, () => ({ key: randomBytes(32).toString('hex') })));
  const whole = zipOf([one, { name: 'b.json', text }, { name: 'c.csv', text: 'a\n1', stored: true }]);
  const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      const body = Buffer.from(whole);
      for (const [at, byte] of changes) body[at] = byte;
      const list = await read(body);
      if (list.ok) expect(list.value.total).toBeGreaterThan(0);
      else expect(list.error.code).toMatch(/^(bad_archive|archive_too_large)$/);
    }),
    { numRuns: 800 },
  );
});

test('any files are read back as they were packed', async () => {
  const file = fc.record({
    text: fc.array(fc.string({ maxLength: 300 }), { maxLength: 40 }).map((parts) => parts.join('')),
    stored: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { minLength: 1, maxLength: 5 }),
      fc.string({ maxLength: 20 }),
      async (files, comment) => {
        const body = zipOf(
          files.map(({ text: a, stored }, i) => ({ name: `${i}.json`, text: JSON.stringify({ a }), stored })),
          { comment },
        );
        expect((await readRows(body)).rows).toEqual(
          files.map(({ text: a }, i) => [`${i}.json`, i + 1, 1, { a }]),
        );
      },
    ),
  );
});

test('large files are unpacked to the byte', async () => {
  const rows = Array.from({ length: 4_000 }, () => ({ key: randomBytes(64).toString('base64') }));
  const body = zipOf([{ name: 'a.json', text: JSON.stringify(rows) }]);
  expect(body.length).toBeGreaterThan(200_000);
  expect((await readRows(body)).rows.map(([, , , fields]) => fields)).toEqual(rows);
  for (const bytes of [1_000, 270_000, 40_000_000])
    expect(
      await readProblem(zipOf([{ name: 'a.json', text: JSON.stringify(rows), says: { bytes } }])),
    ).toMatch(/^bad_archive/);
});
