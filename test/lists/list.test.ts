import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findContentType, findFormat, type ListFormat } from '../../lib/lists/formats.ts';
import { readList } from '../../lib/lists/list.ts';
import { findName } from '../../lib/lists/names.ts';
import { limits } from '../../lib/model/limits.ts';
import { compression } from '../../lib/runtime/compression.ts';

const read = (text: string | Uint8Array, format: ListFormat) =>
  readList(typeof text === 'string' ? Buffer.from(text) : text, format, compression);

/** The rows and the lines of the broken ones; throws where the whole list is refused. */
const readRows = async (text: string, format: ListFormat) => {
  const result = await read(text, format);
  if (!result.ok) throw new Error(result.error.code);
  const list = result.value;
  expect(list.total).toBe(list.rows.length + list.errors.length);
  return {
    rows: list.rows.map(({ line, fields }) => [line, fields]),
    broken: list.errors.map(({ line, code }) => [line, code]),
  };
};
const readProblem = async (text: string | Uint8Array, format: ListFormat) => {
  const list = await read(text, format);
  return list.ok ? undefined : list.error.code;
};

describe('the format', () => {
  test.each([
    ['application/json', 'json'],
    ['Application/JSON; charset=utf-8', 'json'],
    ['application/x-ndjson', 'jsonl'],
    ['application/jsonl', 'jsonl'],
    ['application/json-lines', 'jsonl'],
    ['text/csv; header=present', 'csv'],
    [' text/csv ', 'csv'],
    ['application/zip', 'zip'],
    ['application/x-zip-compressed', 'zip'],
  ])('Content-Type %s names the format %s', (type, format) => expect(findFormat(type)).toBe(format));

  test.each([undefined, '', 'text/plain', 'constructor', '__proto__', 'toString', 'application/json+x'])(
    'Content-Type %s names no format',
    (type) => expect(findFormat(type)).toBeUndefined(),
  );

  test.each([
    ['bots.json', 'json'],
    ['a.b.JSONL', 'jsonl'],
    ['x.ndjson', 'jsonl'],
    ['folder.zip/x.csv', 'csv'],
    ['bots.Zip', 'zip'],
    ['bots.txt', undefined],
    ['json', undefined],
    ['x.constructor', undefined],
    ['', undefined],
  ])('a file named %s has the format %s', (name, format) =>
    expect(findFormat(findContentType(name))).toBe(format),
  );
});

describe.each(['json', 'jsonl', 'csv'] as const)('any list as %s', (format) => {
  test.each(['', ' \n\n ', '\ufeff'])('the text %j has no rows, or is not a list', async (text) => {
    expect(await readProblem(text, format)).toBe(format === 'json' ? 'not_a_json_array' : 'empty_list');
  });

  test('a list that is not UTF-8 is rejected with the reason', async () => {
    expect(await readProblem(Uint8Array.of(0x5b, 0xff, 0xfe, 0x5d), format)).toBe('not_utf8');
    const text = Buffer.from('\ufeff[{"a":"x"}]', 'utf16le');
    for (const utf16 of [text, text.subarray(2), text.swap16(), text.subarray(2)]) {
      expect(await read(utf16, format)).toMatchObject({
        ok: false,
        error: { code: 'not_utf8', fix: expect.stringContaining('Save it as UTF-8') },
      });
    }
  });

  test('a list of too many rows is rejected before its rows are created', async () => {
    const [rows, start, end] = [limits.maxRows + 5, { json: '[', jsonl: '', csv: 'pin\n' }, { json: '1]' }];
    const separator = format === 'json' ? ',' : '\n';
    const text = `${start[format]}${`1${separator}`.repeat(rows)}${format === 'json' ? end.json : ''}`;
    expect(await readProblem(text, format)).toBe('too_many_rows');
  });
});

describe('a JSON array', () => {
  test('each row of a JSON array knows its line', async () => {
    expect((await readRows('[\n  {"a": 1},\n\n  {"a":\n 2}, {"a": 3}\n]\n', 'json')).rows).toEqual([
      [2, { a: 1 }],
      [4, { a: 2 }],
      [5, { a: 3 }],
    ]);
  });

  test('CRLF and a byte order mark change nothing in JSON', async () => {
    expect((await readRows('\ufeff[\r\n{"a":1},\r\n{"a":2}]\r\n', 'json')).rows).toEqual([
      [2, { a: 1 }],
      [3, { a: 2 }],
    ]);
  });

  test('brackets, commas and escapes within strings are text', async () => {
    const values = [']},{"', '\\', '\\"', '[[[', '"]', '\u2028'];
    const items = values.map((a) => ({ a, ']},{[': [a, { a }] }));
    const text = `[${items.map((item) => JSON.stringify(item)).join(',\n')}]`;
    expect((await readRows(text, 'json')).rows).toEqual(items.map((item, i) => [i + 1, item]));
  });

  test('one broken row of a JSON array does not spoil the others', async () => {
    const text = '[\n{"a":1},\n{"a":},\n{"a":1],\n"text",\nnull,\n[{"a":1}],\n{a:1},\n{"a":2}\n]';
    expect(await readRows(text, 'json')).toEqual({
      rows: [
        [2, { a: 1 }],
        [9, { a: 2 }],
      ],
      broken: [3, 4, 5, 6, 7, 8].map((line) => [line, 'not_an_object']),
    });
  });

  test.each([
    '[',
    '[{"a":1}',
    '[{"a":1},',
    '[{"a":"',
    '[{"a":1}] x',
    '[{"a":1}][]',
    '{"a":1',
    '{"a":1}]',
    'x{"a":1}',
    '[,]',
    '"[]"',
    '{]',
  ])('%s as JSON is rejected as a whole', async (text) =>
    expect(await readProblem(text, 'json')).toBe('not_a_json_array'),
  );

  test('an empty JSON array has no rows', async () =>
    expect(await readProblem(' [ ] ', 'json')).toBe('empty_list'));

  test('one object needs no JSON array around it', async () => {
    expect(await readRows('\ufeff\n {"a":\n[1]}\n', 'json')).toEqual({ rows: [[2, { a: [1] }]], broken: [] });
    expect(await readProblem('{"a":}', 'json')).toBe('not_a_json_array');
  });
});

describe('nesting', () => {
  const nest = (levels: number) => `${'{"a":'.repeat(levels)}"{[{["${'}'.repeat(levels)}`;

  test.each(['json', 'jsonl'] as const)(
    'nesting that is too deep is an error of its row, in %s',
    async (format) => {
      const rows = [nest(32), nest(33), nest(50_000), '{"a":1}'];
      const text = format === 'json' ? `[${rows.join(',\n')}]` : rows.join('\n');
      const read = await readRows(text, format);
      expect(read.broken).toEqual([
        [2, 'not_an_object'],
        [3, 'not_an_object'],
      ]);
      expect(read.rows).toHaveLength(2);
    },
  );

  test.each(['json', 'jsonl'] as const)(
    'a row of too many parts is an error of its row, in %s',
    async (format) => {
      const of = (parts: number) => `{"a":["{"${',{}'.repeat(parts - 2)}]}`;
      const text = format === 'json' ? `[${of(50)},${of(51)}]` : `${of(50)}\n${of(51)}`;
      const read = await readRows(text, format);
      expect([read.rows.length, read.broken.map(([, code]) => code)]).toEqual([1, ['not_an_object']]);
    },
  );

  test('deep nesting is refused before it is built', async () => {
    const deep = `${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}`;
    const before = process.memoryUsage().heapUsed;
    expect((await readRows(`[${deep}]`, 'json')).broken).toEqual([[1, 'not_an_object']]);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  });
});

describe('JSON Lines', () => {
  test('blank lines of JSON Lines count as lines but not as rows', async () => {
    expect((await readRows('\ufeff\n{"a":1}\r\n\r\n  \n{"a":2}', 'jsonl')).rows).toEqual([
      [2, { a: 1 }],
      [5, { a: 2 }],
    ]);
  });

  test('one broken line of JSON Lines does not spoil the others', async () => {
    expect(await readRows('{"a":1}\n{"a":\n1}\n[]\n7\n{"a":2}', 'jsonl')).toEqual({
      rows: [
        [1, { a: 1 }],
        [6, { a: 2 }],
      ],
      broken: [2, 3, 4, 5].map((line) => [line, 'not_an_object']),
    });
  });
});

describe('CSV', () => {
  test('the CSV header names the fields, whatever its case and spaces', async () => {
    expect((await readRows('\ufeff App_ID ,b\r\n1, x \r\n\r\n2,"y, ""z"" "\r\n', 'csv')).rows).toEqual([
      [2, { app_id: '1', b: 'x' }],
      [4, { app_id: '2', b: 'y, "z" ' }],
    ]);
  });

  test('an empty CSV cell is not a field, and rows may be short or long', async () => {
    expect((await readRows('pin,b\n,2\n1\n1,2,3\n,\n , \n5', 'csv')).rows).toEqual([
      [2, { b: '2' }],
      [3, { pin: '1' }],
      [4, { pin: '1', b: '2' }],
      [7, { pin: '5' }],
    ]);
  });

  test.each([
    ['a column named twice', 'pin,PIN\n1,2'],
    ['a quote that does not close', 'pin,b\n1,"2'],
  ])('%s makes a CSV list unreadable', async (_name, text) =>
    expect(await readProblem(text, 'csv')).toBe('not_csv'),
  );

  test('formulas, quotes and PEM keys in CSV are text', async () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----';
    expect((await readRows(`pin,b\n"=cmd|' /C calc'!A0","${pem}"\n@x,-1+1\n`, 'csv')).rows).toEqual([
      [2, { pin: "=cmd|' /C calc'!A0", b: pem }],
      [5, { pin: '@x', b: '-1+1' }],
    ]);
  });

  test('CSV rows of millions of cells are refused before they are created', async () => {
    const commas = ','.repeat(3_000_000);
    for (const text of [`${commas}\n1`, `pin\n${commas}\n1`, `pin\n"x,\n,"${commas}`])
      expect(await readProblem(text, 'csv')).toBe('not_csv');
    expect((await readRows(`pin\n"${commas}"`, 'csv')).rows).toEqual([[2, { pin: commas }]]);
  });

  test('CSV line ends of every kind count once, quoted or not', async () => {
    const text = 'pin,b\r\n1,"x\r\ny\r\nz"\r\n2,"x\ry"\n3,c\r4,d\r\r\n5,e';
    expect((await readRows(text, 'csv')).rows).toEqual([
      [2, { pin: '1', b: 'x\ny\nz' }],
      [5, { pin: '2', b: 'x\ny' }],
      [7, { pin: '3', b: 'c' }],
      [8, { pin: '4', b: 'd' }],
      [10, { pin: '5', b: 'e' }],
    ]);
  });

  test('a CSV header alone has no rows', async () =>
    expect(await readProblem('pin,b\n', 'csv')).toBe('empty_list'));
});

test('fields with names of prototypes are fields like others and change no prototype', async () => {
  const evil = '{"__proto__": {"polluted": 1}, "constructor": "x", "hasOwnProperty": "y"}';
  for (const [text, format] of [
    [`[${evil}]`, 'json'],
    [evil, 'jsonl'],
    ['__proto__,constructor,hasOwnProperty,pin\npolluted,x,y,1', 'csv'],
  ] as const) {
    const list = await read(text, format);
    const [row] = list.ok ? list.value.rows : [];
    expect(row?.fields.constructor).toBe('x');
    expect(row?.fields).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  }
});

test('no problem and no row error ever quotes the list', async () => {
  const canary = fc.stringMatching(/^[A-Za-z0-9]{16}$/);
  const broken = fc.constantFrom(
    (s: string) => `[{"k":"${s}"`,
    (s: string) => `{"k": ${s}}`,
    (s: string) => `[{"k": ${s}},\n"${s}"]`,
    (s: string) => `k,k\n${s},x`,
    (s: string) => `${s},${s}\n1,2`,
    (s: string) => `k\n"${s}"${s}\n`,
    (s: string) => `k\n"${s}`,
  );
  await fc.assert(
    fc.asyncProperty(
      canary,
      broken,
      fc.constantFrom('json', 'jsonl', 'csv'),
      async (secret, spoil, format) => {
        const list = await read(spoil(secret), format);
        const problem = list.ok ? list.value.errors : list.error;
        expect(JSON.stringify(problem)).not.toContain(secret);
      },
    ),
  );
});

describe('lists that are read back', () => {
  const space = fc.stringMatching(/^[ \t]{0,3}$/);
  const breaks = fc.constantFrom('', '\n', '\r\n', '\n\n', ' \n\t');
  const linesIn = (text: string) => text.split('\n').length - 1;
  // No backslash in names: V8 13.6 (Node 24.21) itself misreads some names that need one.
  const name = fc.stringMatching(/^[a-z_ é{}[\],:]{1,8}$/);
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(null, true, false, '', '\\', '"', ']},{"', '\n'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(name, tie('value'), { maxKeys: 3 }),
    ),
  }));
  const rows = fc.array(fc.dictionary(name, value, { maxKeys: 4 }), { minLength: 1, maxLength: 8 });
  const bom = fc.constantFrom('', '\ufeff');

  test('any JSON array reads back as it was written, each row with its line', async () => {
    const gap = fc.tuple(space, breaks, space).map((parts) => parts.join(''));
    const list = rows.chain((items) =>
      fc.tuple(
        fc.constant(items),
        fc.array(fc.tuple(gap, gap, fc.nat({ max: 2 })), {
          minLength: items.length,
          maxLength: items.length,
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(list, gap, bom, async ([items, gaps], end, mark) => {
        let text = `${mark}[`;
        const expected = items.map((item, i) => {
          const [lead, trail, indent] = gaps[i] ?? ['', '', 0];
          text += `${i > 0 ? ',' : ''}${lead}`;
          const line = 1 + linesIn(text);
          text += `${JSON.stringify(item, undefined, indent)}${trail}`;
          return [line, JSON.parse(JSON.stringify(item))];
        });
        expect(await readRows(`${text}]${end}`, 'json')).toEqual({ rows: expected, broken: [] });
      }),
    );
  });

  test('any JSON Lines read back as they were written, each row with its line', async () => {
    const list = fc.array(fc.tuple(rows, fc.constantFrom('\n', '\r\n', '\n \n')), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(list, space, bom, async (parts, lead, mark) => {
        let text = mark;
        const expected = parts.flatMap(([items, end]) =>
          items.map((item) => {
            const line = 1 + linesIn(text);
            text += `${lead}${JSON.stringify(item)}${end}`;
            return [line, JSON.parse(JSON.stringify(item))];
          }),
        );
        expect(await readRows(text, 'jsonl')).toEqual({ rows: expected, broken: [] });
      }),
    );
  });

  test('any CSV reads back as it was written, each row with its line', async () => {
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const field = fc.stringMatching(/^[ -~é€]{0,12}$/);
    const columns = fc
      .uniqueArray(
        fc.stringMatching(/^[a-z_]{1,8}$/).filter((name) => findName(name) === undefined),
        { maxLength: 4 },
      )
      .map((names) => [...names, 'pin']);
    const list = columns.chain((names) =>
      fc.tuple(
        fc.constant(names),
        fc.array(fc.tuple(fc.tuple(...names.map(() => field)), fc.nat({ max: 2 })), {
          minLength: 1,
          maxLength: 8,
        }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(list, fc.constantFrom('\n', '\r\n'), bom, async ([names, records], end, mark) => {
        let text = `${mark}${names.join(',')}${end}`;
        const expected = records.flatMap(([values, blanks]) => {
          text += end.repeat(blanks);
          const line = 1 + linesIn(text);
          text += values.map(quote).join(',') + end;
          const fields = names.flatMap((name, i) => (values[i] ? [[name, values[i]]] : []));
          return fields.length === 0 ? [] : [[line, Object.fromEntries(fields)]];
        });
        if (expected.length === 0) expect(await readProblem(text, 'csv')).toBe('empty_list');
        else expect(await readRows(text, 'csv')).toEqual({ rows: expected, broken: [] });
      }),
    );
  });
});
