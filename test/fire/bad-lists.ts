/**
 * Lists that are damaged in every way we could think of. Each must give a problem of the whole list, or errors of its
 * rows. Values that must never be quoted contain the word CANARY.
 */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { ListFormat } from '../../lib/lists/formats.ts';
import { readList } from '../../lib/lists/list.ts';
import { readRow } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import type { Problem, RowError } from '../../lib/model/problem.ts';
import { compression } from '../../lib/runtime/compression.ts';
import { type Bot, bot, pinTokenFor, rsaKeys, writers } from '../lists/keystores.ts';
import { type ZipEnd, type ZipFile, zipOf } from '../lists/zip.ts';

export const CANARY = 'CANARY';
type Row = Readonly<Record<string, unknown>>;

const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);

/** Texts that break careless code. */
export const nastyTexts: readonly string[] = [
  '',
  ' ',
  `\0${CANARY}`,
  `${CANARY}\ud800`,
  `\udfff${CANARY}`,
  `=cmd|'/c ${CANARY}'!A1`,
  `@SUM(${CANARY})`,
  '+1',
  '-1',
  '"',
  `${CANARY}"",""`,
  `\r\n${CANARY}`,
  '\u2028',
  '\u202e',
  '١٢٣٤٥٦',
  '１２３４５６',
  `../../${CANARY}`,
  `C:\\${CANARY}`,
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  '%00',
  `\ufeff${CANARY}`,
  '1e999',
  `-----BEGIN RSA PRIVATE KEY-----${CANARY}`,
  `scalar:${'0'.repeat(64)}`,
  'f'.repeat(64),
  `01${'0'.repeat(62)}`,
  'ab'.repeat(64),
  CANARY.repeat(50_000),
];

export const nastyValues: readonly unknown[] = [
  ...nastyTexts,
  null,
  true,
  0,
  -1,
  0.5,
  2 ** 53,
  1e308,
  123_456,
  [],
  {},
  [[CANARY]],
  { toString: 1, valueOf: null, ['__proto__']: { app_id: CANARY } },
  nested(30),
  nested(40),
];

const plain = { cased: (text: string) => text, base64: (bytes: Buffer) => bytes.toString('base64') };
const styles = [
  { ...plain, isWhole: false, isHex: true },
  { ...plain, isWhole: true, isHex: true },
  { ...plain, isWhole: true, isHex: false },
];

const rsaRow = (key: (typeof rsaKeys)[number]): Row => {
  const session_id = randomUUID();
  const pin_token = pinTokenFor(key, session_id).toString('base64');
  return { client_id: randomUUID(), session_id, pin_token, private_key: key.pkcs1, pin: '314159' };
};

/** Valid rows of every kind. */
const createRows = async (): Promise<readonly Row[]> => {
  const bots = fc.sample(bot, styles.length);
  const keystores = Object.values(writers).flatMap((write) =>
    styles.map((style, i) => write(bots[i % bots.length] as Bot, style)),
  );
  return [
    ...(await Promise.all(keystores)),
    ...rsaKeys.map(rsaRow),
    { owner: randomUUID(), full_name: 'Wallet 1' },
    { verification_id: randomUUID(), code: '1234', session_key: 'ed25519' },
    { verification_id: randomUUID(), code: '0042', platform: 'iOS', registration_id: 7 },
  ];
};

/** Valid rows, and those of their values that are secret. */
export const rows: readonly Row[] = await createRows();
const isSecret = (value: unknown): value is string => typeof value === 'string' && value.length >= 32;
const publicNames = new Set(['app_id', 'client_id', 'user_id', 'session_id', 'owner', 'verification_id']);
const secrets: readonly string[] = [
  ...new Set(
    rows.flatMap((row) =>
      Object.entries(row).flatMap(([name, value]) =>
        !publicNames.has(name) && isSecret(value) ? [value] : [],
      ),
    ),
  ),
];

/** The first secret or marked value in a text. */
export const quoted = (text: string): string | undefined =>
  text.includes(CANARY) ? CANARY : secrets.find((secret) => text.includes(secret));

/** One change of a row. */
const rowDamage = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), field: fc.nat(40), value: fc.constantFrom(...nastyValues) }),
  fc.record({
    kind: fc.constantFrom('drop', 'cut', 'upper', 'space', 'array') as fc.Arbitrary<string>,
    field: fc.nat(40),
  }),
  fc.record({
    kind: fc.constant('alias' as const),
    field: fc.nat(40),
    value: fc.constantFrom(...nastyValues),
  }),
  fc.record({ kind: fc.constant('mix' as const), field: fc.nat(200) }),
  fc.record({
    kind: fc.constant('name' as const),
    field: fc.nat(40),
    value: fc.constantFrom('__proto__', 'constructor', 'create', 'authorization_id', '', '\0', 'nickname'),
  }),
) as fc.Arbitrary<{ kind: string; field: number; value?: unknown }>;
type RowDamage = typeof rowDamage extends fc.Arbitrary<infer T> ? T : never;

const aliases = ['app_id', 'user_id', 'pin_token', 'spend_key', 'safe_key', 'pin', 'private_key', 'code'];

const withField = (row: Row, name: string, value: unknown): Row => ({ ...row, [name]: value });

const damagedValue = (kind: string, value: unknown): unknown => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (kind === 'cut') return text.slice(0, -1);
  if (kind === 'upper') return text.toUpperCase();
  if (kind === 'space') return ` ${text}\t`;
  return [value];
};

const damageRow = (row: Row, { kind, field, value }: RowDamage): Row => {
  const names = Object.keys(row);
  const name = names[field % names.length] ?? 'app_id';
  const { [name]: old, ...others } = row;
  switch (kind) {
    case 'set':
      return withField(row, name, value);
    case 'drop':
      return others;
    case 'alias':
      return withField(row, aliases[field % aliases.length] ?? '', value);
    case 'mix':
      return { ...row, ...rows[field % rows.length] };
    case 'name':
      return withField(others, String(value), old);
    default:
      return withField(row, name, damagedValue(kind, old));
  }
};

const cell = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const toCsv = (list: readonly Row[]): string => {
  const names = [...new Set(list.flatMap((row) => Object.keys(row)))];
  const lines = list.map((row) => names.map((name) => (name in row ? cell(row[name]) : '')).join(','));
  return `${[names.map(cell).join(','), ...lines].join('\n')}\n`;
};

type TextFormat = Exclude<ListFormat, 'zip'>;
const write: Readonly<Record<TextFormat, (list: readonly Row[]) => string>> = {
  json: (list) => JSON.stringify(list, undefined, 1),
  jsonl: (list) => list.map((row) => JSON.stringify(row)).join('\n'),
  csv: toCsv,
};

/** One change of the bytes of a list. */
export const byteDamage = fc.record({
  kind: fc.constantFrom('cut', 'flip', 'insert', 'delete', 'double', 'encode', 'ends'),
  /** Where, from 0 (start) to 1 (end). */
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  n: fc.integer({ min: 1, max: 64 }),
});
type ByteDamage = typeof byteDamage extends fc.Arbitrary<infer T> ? T : never;

const inserts = ['\0', '"', '\\', '[', ']', '{', '}', ',', '\r', '\n', '\ufeff', "'", '\t', '[['.repeat(99)];
const encodings = ['utf16le', 'latin1', 'base64', 'utf16be', 'bom'] as const;
const lineEnds = ['\r\n', '\r', '\n\r', '\u2028', '\n\n'];

const encode = (bytes: Buffer, n: number): Buffer => {
  const how = encodings[n % encodings.length] ?? 'latin1';
  const text = bytes.toString('utf8');
  if (how === 'utf16be') return Buffer.from(text, 'utf16le').swap16();
  if (how === 'bom') return Buffer.from(`\ufeff${text}`, n % 2 === 0 ? 'utf8' : 'utf16le');
  return Buffer.from(text, how);
};

export const damageBytes = (bytes: Buffer, { kind, at, n }: ByteDamage): Buffer => {
  const place = Math.floor(at * bytes.length);
  const [head, tail] = [bytes.subarray(0, place), bytes.subarray(place)];
  const copy = Buffer.from(bytes);
  switch (kind) {
    case 'cut':
      return head;
    case 'flip':
      if (copy.length > 0) copy[place % copy.length] = (copy[place % copy.length] ?? 0) ^ (1 << (n % 8));
      return copy;
    case 'insert':
      return Buffer.concat([head, Buffer.from(inserts[n % inserts.length] ?? '\0'), tail]);
    case 'delete':
      return Buffer.concat([head, tail.subarray(n)]);
    case 'double':
      return Buffer.concat([head, tail.subarray(0, n), tail]);
    case 'encode':
      return encode(bytes, n);
    default:
      return Buffer.from(bytes.toString('utf8').replaceAll('\n', lineEnds[n % lineEnds.length] ?? '\r'));
  }
};

const names = [
  'a',
  '../../a',
  '/etc/a',
  'C:\\a',
  '..\\a',
  'a\0b',
  '\u202ea',
  '',
  'a/'.repeat(500),
  '__proto__',
];
const endings = ['.json', '.jsonl', '.csv', '.CSV', '.zip', '', '.exe', '/'];

/** False fields of a file in an archive. */
const falseFields = fc.record(
  {
    method: fc.constantFrom(0, 8, 9, 12, 99),
    flags: fc.constantFrom(0, 1, 0x40, 0x2000, 0xffff),
    localFlags: fc.constantFrom(0, 1),
    localMethod: fc.constantFrom(0, 8),
    crc: fc.nat(),
    packedBytes: fc.constantFrom(0, 1, 1_000_000, 0xffffffff),
    bytes: fc.constantFrom(0, 1, 1_000_000, 60_000_001, 0xffffffff),
    start: fc.constantFrom(0, 1, 1_000_000, 0xffffffff),
  },
  { requiredKeys: [] },
);
const falseEndFields = fc.record(
  {
    count: fc.constantFrom(0, 1, 0xffff),
    directory: fc.constantFrom(0, 1, 0xffffffff),
    directoryBytes: fc.constantFrom(0, 0xffffffff),
    disk: fc.constantFrom(0, 1, 0xffff),
    comment: fc.constantFrom('', 'PK\u0005\u0006', 'x'.repeat(65_535)),
  },
  { requiredKeys: [] },
);

export interface DamagedList {
  readonly format: ListFormat;
  readonly body: Buffer;
}

const rarely = <T>(it: fc.Arbitrary<T>, otherwise: T) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: it });

const damagedRows = fc
  .array(fc.tuple(fc.nat(rows.length - 1), fc.array(rowDamage, { maxLength: 2 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((list) => list.map(([index, damages]) => damages.reduce(damageRow, rows[index] ?? {})));

const textList = fc
  .tuple(fc.constantFrom('json', 'jsonl', 'csv') as fc.Arbitrary<TextFormat>, damagedRows)
  .map(([format, list]) => ({ format, text: write[format](list) }));

const archive = fc
  .tuple(
    fc.array(
      fc.tuple(
        textList,
        fc.constantFrom(...names),
        rarely(fc.constantFrom(...endings), '?'),
        rarely(falseFields, {}),
        fc.boolean(),
      ),
      { minLength: 1, maxLength: 4 },
    ),
    rarely(falseEndFields, {}),
  )
  .map(([files, end]) =>
    zipOf(
      files.map(([{ format, text }, name, ending, says, stored]) => ({
        name: name + (ending === '?' ? `.${format}` : ending),
        text,
        stored,
        says: says as NonNullable<ZipFile['says']>,
      })),
      end as ZipEnd,
    ),
  );

/** A valid list with wrong rows, wrong bytes or a wrong format. */
export const damagedList: fc.Arbitrary<DamagedList> = fc
  .tuple(
    fc.oneof(
      {
        weight: 3,
        arbitrary: textList.map(({ format, text }) => ({
          format: format as ListFormat,
          body: Buffer.from(text),
        })),
      },
      { weight: 1, arbitrary: archive.map((body) => ({ format: 'zip' as ListFormat, body })) },
    ),
    fc.array(byteDamage, { maxLength: 2 }),
    rarely(fc.constantFrom('json', 'jsonl', 'csv', 'zip') as fc.Arbitrary<ListFormat>, 'same' as ListFormat),
  )
  .map(([{ format, body }, damages, other]) => ({
    format: (other as string) === 'same' ? format : other,
    body: damages.reduce(damageBytes, body),
  }));

const csv = (text: string | Uint8Array): DamagedList => ({
  format: 'csv',
  body: Buffer.from(text as string),
});
const json = (text: string | Uint8Array): DamagedList => ({
  format: 'json',
  body: Buffer.from(text as string),
});
const jsonl = (text: string | Uint8Array): DamagedList => ({
  format: 'jsonl',
  body: Buffer.from(text as string),
});
const zip = (files: readonly ZipFile[], end?: ZipEnd): DamagedList => ({
  format: 'zip',
  body: zipOf(files, end),
});
const asZip = (body: Buffer): DamagedList => ({ format: 'zip', body });

const right = rows[0] ?? {};
const rightJson = JSON.stringify([right]);
const rightCsv = toCsv([right]);
const file = (name: string, more: Partial<ZipFile> = {}): ZipFile => ({ name, text: rightCsv, ...more });
const create = (more: Row) =>
  json(JSON.stringify({ create: { owner: randomUUID(), count: 1, full_name: 'A', ...more } }));

/** Named bad lists, each with its error code if there is just one. */
export const nastyLists: Readonly<Record<string, readonly [DamagedList, string?]>> = {
  nothing: [json(''), 'not_a_json_array'],
  'a NUL': [csv('\0'), 'not_utf8'],
  'UTF-16 LE': [csv(Buffer.from(rightCsv, 'utf16le')), 'not_utf8'],
  'UTF-16 BE': [csv(Buffer.from(rightCsv, 'utf16le').swap16()), 'not_utf8'],
  'UTF-16 with a BOM': [json(Buffer.from(`\ufeff${rightJson}`, 'utf16le')), 'not_utf8'],
  latin1: [csv(Buffer.from(`app_id,é\n${CANARY},é\n`, 'latin1')), 'not_utf8'],
  'a surrogate as bytes': [csv(Buffer.from([0x61, 0x0a, 0xed, 0xa0, 0x80])), 'not_utf8'],
  'an overlong slash': [csv(Buffer.from([0x61, 0x0a, 0xc0, 0xaf])), 'not_utf8'],
  'JSON that breaks off': [json(rightJson.slice(0, -5)), 'not_a_json_array'],
  'JSON as CSV': [csv(rightJson)],
  'CSV as JSON': [json(rightCsv), 'not_a_json_array'],
  'a million brackets': [json('['.repeat(1_000_000)), 'not_a_json_array'],
  'a million brackets that close': [
    json(`[${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}]`),
    'not_an_object',
  ],
  'deep objects': [jsonl('{"a":'.repeat(200_000)), 'not_an_object'],
  'a row with __proto__': [json(`[{"__proto__":${JSON.stringify(right)}}]`)],
  'a row with constructor': [json(`[{"constructor":{"prototype":${JSON.stringify(right)}}}]`)],
  'keys twice': [json(`[{"app_id":"${CANARY}",${JSON.stringify(right).slice(1)}]`)],
  'huge numbers': [json(`[{"app_id":1e999,"pin":-1e999,"code":${'9'.repeat(10_000)}}]`)],
  'a field of 300,000 characters': [
    json(JSON.stringify([{ ...right, session_private_key: CANARY.repeat(50_000) }])),
    'invalid_field',
  ],
  'an unknown field of 300,000 characters': [
    json(JSON.stringify([{ ...right, note: CANARY.repeat(50_000) }])),
  ],
  'CSV: a line of 300,000 characters': [csv(`${CANARY.repeat(50_000)}\n1\n`)],
  'CSV: formulas': [csv(`app_id,pin\n=HYPERLINK("${CANARY}"),@SUM(1)\n`)],
  'CSV: a quote that never closes': [csv(`app_id\n"${CANARY}`), 'not_csv'],
  'CSV: quotes only': [csv(`pin\n${'"'.repeat(100_001)}`), 'not_csv'],
  'CSV: a quote within a cell': [csv(`a,b\nx"y,${CANARY}\n`)],
  'CSV: NULs': [csv(`app_id,pin\n\0\0,${CANARY}\0\n`)],
  'CSV: CR alone': [csv(rightCsv.replaceAll('\n', '\r'))],
  'CSV: mixed line ends': [csv(`app_id,pin\r\n${CANARY},1\n${CANARY},2\r${CANARY},3\n\r`)],
  'CSV: a header twice': [csv(`app_id,APP_ID\n1,2\n`), 'not_csv'],
  'CSV: 1,001 columns': [csv(`${'a,'.repeat(1_000)}\n`), 'not_csv'],
  'CSV: columns of prototypes': [csv(`__proto__,constructor,toString\n${CANARY},1,2\n`)],
  'CSV: a header alone': [csv('app_id\n'), 'empty_list'],
  'JSON Lines with CR alone': [jsonl(`${JSON.stringify(right)}\r${JSON.stringify(right)}`)],
  'create: too many': [create({ count: 80_001 }), 'bad_create'],
  'create: a billion': [create({ count: 1e9 }), 'bad_create'],
  'create: fewer than none': [create({ count: -1 }), 'bad_create'],
  'create: half a user': [create({ count: 1.5 }), 'bad_create'],
  'create: a count in text': [create({ count: '5' }), 'bad_create'],
  'create: names that grow': [create({ count: 80_000, full_name: '{n}'.repeat(128) }), 'bad_create'],
  'create: a secret for an owner': [create({ owner: CANARY }), 'bad_create'],
  'create: a prototype': [
    json(`{"create":{"__proto__":{"owner":"${randomUUID()}"},"count":1}}`),
    'bad_create',
  ],
  'create: a cost of minus one': [create({ accept_cost_usd: -1 }), 'bad_create'],
  'create in a row': [json(JSON.stringify([{ create: {} }])), 'bad_create'],
  'ZIP: nothing': [asZip(Buffer.alloc(0)), 'bad_archive'],
  'ZIP: an end and no more': [zip([]), 'empty_list'],
  'ZIP: gzip': [asZip(gzipSync(rightCsv)), 'bad_archive'],
  'ZIP: a tar': [asZip(Buffer.alloc(10_240)), 'bad_archive'],
  'ZIP: cut off': [asZip(zipOf([file('a.csv')]).subarray(0, -30)), 'bad_archive'],
  'ZIP: something before it': [
    asZip(Buffer.concat([Buffer.from('MZ'), zipOf([file('a.csv')])])),
    'bad_archive',
  ],
  'ZIP: something after it': [
    asZip(Buffer.concat([zipOf([file('a.csv')]), Buffer.from('x')])),
    'bad_archive',
  ],
  'ZIP: a ZIP within': [zip([{ name: 'a.zip', text: zipOf([file('b.csv')]) }]), 'unknown_file'],
  'ZIP: a ZIP that is named CSV': [zip([{ name: 'a.csv', text: zipOf([file('b.csv')]) }])],
  'ZIP: a bomb': [zip([{ name: 'a.csv', text: Buffer.alloc(61_000_000) }]), 'archive_too_large'],
  'ZIP: a bomb that says it is small': [
    zip([{ name: 'a.csv', text: Buffer.alloc(61_000_000), says: { bytes: 10 } }]),
    'bad_archive',
  ],
  'ZIP: many bombs': [
    zip(Array.from({ length: 7 }, (_, i) => ({ name: `${i}.csv`, text: Buffer.alloc(10_000_000, 'a,\n') }))),
    'archive_too_large',
  ],
  'ZIP: it says larger than it is': [zip([file('a.csv', { says: { bytes: 50_000_000 } })]), 'bad_archive'],
  'ZIP: it says stored and is deflated': [zip([file('a.csv', { says: { method: 0 } })]), 'bad_archive'],
  'ZIP: a wrong checksum': [zip([file('a.csv', { says: { crc: 1 } })]), 'bad_archive'],
  'ZIP: encrypted': [zip([file('a.csv', { says: { flags: 1 } })]), 'bad_archive'],
  'ZIP: encrypted, says the local header': [zip([file('a.csv', { says: { localFlags: 1 } })]), 'bad_archive'],
  'ZIP: another compression': [zip([file('a.csv', { says: { method: 14 } })]), 'bad_archive'],
  'ZIP64: sizes elsewhere': [zip([file('a.csv', { says: { bytes: 0xffffffff } })]), 'bad_archive'],
  'ZIP64: a locator': [
    zip([file('a.csv')], { before: Buffer.concat([Buffer.from('PK\x06\x07'), Buffer.alloc(16)]) }),
    'bad_archive',
  ],
  'ZIP: of several disks': [zip([file('a.csv')], { disk: 1 }), 'bad_archive'],
  'ZIP: files that overlap': [zip([file('a.csv'), file('b.csv', { says: { start: 0 } })]), 'bad_archive'],
  'ZIP: data beyond its end': [zip([file('a.csv', { says: { packedBytes: 1_000_000 } })]), 'bad_archive'],
  'ZIP: a directory elsewhere': [zip([file('a.csv')], { directory: 0xfffffff0 }), 'bad_archive'],
  'ZIP: a wrong count': [zip([file('a.csv')], { count: 0xffff }), 'bad_archive'],
  'ZIP: an end within its comment': [zip([file('a.csv')], { comment: `PK\x05\x06${'\0'.repeat(18)}` })],
  'ZIP: ../ in a name': [zip([file('../../../etc/cron.d/a.csv')])],
  'ZIP: an absolute name': [zip([file('/etc/passwd.csv')])],
  'ZIP: a drive letter': [zip([file('C:\\Windows\\a.csv')])],
  'ZIP: two of one name': [zip([file('a.csv'), file('a.csv')])],
  'ZIP: no name': [zip([file('')])],
  'ZIP: a name with a NUL': [zip([file('a.csv\0.exe')]), 'unknown_file'],
  'ZIP: a name of 65,535 bytes': [zip([file(`${'a'.repeat(65_531)}.csv`)])],
  'ZIP: a name that is no UTF-8': [zip([file('\ud800.csv')])],
  'ZIP: a name of prototypes': [zip([file('__proto__.constructor')]), 'unknown_file'],
  'ZIP: what a Mac leaves': [zip([file('__MACOSX/a.csv'), file('.DS_Store')]), 'empty_list'],
  'ZIP: 65,535 files': [
    zip(Array.from({ length: 65_535 }, (_, i) => ({ name: `${i}.csv`, text: '', stored: true }))),
  ],
};

const ROWS_READ = 50;

/** Reads a list with readList and readRow: a problem or errors, and the number of valid rows. */
const read = async ({ body, format }: DamagedList) => {
  const result = await readList(body, format, compression);
  if (!result.ok) return { problem: result.error, errors: [], good: 0, total: 0 };
  const list = result.value;
  const read = await Promise.all(list.rows.slice(0, ROWS_READ).map((row) => readRow(row, keys)));
  const errors = [...list.errors, ...read.flatMap((row) => (row.ok ? [] : row.error))];
  if (list.total !== list.rows.length + list.errors.length) throw new Error('rows went missing');
  return {
    problem: undefined,
    errors,
    good: read.filter(({ ok }) => ok).length,
    total: list.total,
  };
};

const isClear = ({ code, message, fix }: Problem): boolean =>
  /^[a-z0-9_]+$/.test(code) && /.[.)]$/.test(message) && /.[.)]$/.test(fix);

/** Counts lines as editors do. In line ends that were converted twice (CR CR LF) each character may count. */
const countLines = (body: Buffer): number => {
  const text = body.toString('latin1');
  return text.split(text.includes('\r\r') ? /[\r\n]/ : /\r\n|\n|\r/).length;
};

/** What is wrong with an error; undefined for a correct one. */
const findFault = ({ body, format }: DamagedList, error: RowError, total: number): string | undefined => {
  if (!isClear(error)) return 'an error does not say what to do';
  if (!Number.isInteger(error.row) || error.row < 1 || error.row > total) return 'an error is of no row';
  const inText = format === 'zip' || error.line <= countLines(body);
  return Number.isInteger(error.line) && error.line >= 1 && inText ? undefined : 'an error is of no line';
};

/** No list of this size may take longer, even on a busy machine. */
const MAX_MS = 20_000;

/** Reads a damaged list. Throws if the result is not correct; returns the error codes. */
export const checkList = async (list: DamagedList): Promise<readonly string[]> => {
  const startedAt = performance.now();
  const { problem, errors, good, total } = await read(list);
  if (performance.now() - startedAt > MAX_MS) throw new Error('it took too long');
  if (problem && !isClear(problem)) throw new Error('the problem does not say what to do');
  const fault = errors.map((error) => findFault(list, error, total)).find((it) => it !== undefined);
  if (fault !== undefined) throw new Error(fault);
  const quotedValue = quoted(JSON.stringify([problem, errors]));
  if (quotedValue !== undefined) throw new Error(`a value is quoted: ${quotedValue.slice(0, 12)}…`);
  if (!problem && errors.length === 0 && good === 0 && total > 0) throw new Error('nothing was said');
  return [...new Set([...(problem ? [problem.code] : []), ...errors.map(({ code }) => code)])];
};
