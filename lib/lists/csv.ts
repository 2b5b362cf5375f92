/** CSV → raw rows, each with its line. Pure. */
import { limits } from '../model/limits.ts';
import type { RowError } from '../model/problem.ts';
import { type Result, succeed } from '../model/result.ts';
import { findHeader, type Header, type Shape, tellShape } from './csv-header.ts';
import { CsvProblem, type CsvRecord, readRecords } from './csv-records.ts';
import { findName } from './names.ts';
import { type RawList, type RawRow, rejectList, tooManyRows } from './raw-list.ts';

/** Columns that Enlist does not know are read only so that an error can name them. */
const MAX_UNKNOWN_COLUMNS = 50;

const brokenQuotes = ({ line }: CsvRecord, row: number): RowError => ({
  row,
  line,
  field: '(row)',
  code: 'bad_quotes',
  message: 'A cell of the row has a quote in it, or text after its closing quote.',
  fix: 'Write such a cell as "…", with each quote in it doubled, or without quotes.',
});

const isFilled = ({ cells, isBroken }: CsvRecord): boolean => isBroken || cells.some((cell) => cell !== '');

/** The rows, at most one more than a list may have. Rows of empty cells are none. */
const readRows = (
  records: Iterable<CsvRecord>,
  toRow: (cells: readonly string[]) => Omit<RawRow, 'row' | 'line'>,
) => {
  const rows: RawRow[] = [];
  const errors: RowError[] = [];
  let total = 0;
  for (const record of records) {
    if (!isFilled(record)) continue;
    total += 1;
    if (total > limits.maxRows) break;
    if (record.isBroken) errors.push(brokenQuotes(record, total));
    else rows.push({ row: total, line: record.line, ...toRow(record.cells) });
  }
  return { rows, errors, total };
};

/** Each column needs a name of its own, else one silently wins. */
const readNames = (header: readonly string[]): readonly string[] => {
  const names = header.map((name) => findName(name) ?? name.trim().toLowerCase());
  const named = names.filter((name) => name !== '');
  if (new Set(named).size < named.length) throw new CsvProblem(': a column is named twice');
  return names;
};

interface Column {
  readonly name: string;
  readonly index: number;
}

const pickColumns = (names: readonly string[]): readonly Column[] => {
  let unknown = 0;
  return names.flatMap((name, index) => {
    if (findName(name) === undefined) unknown += 1;
    return name === '' || unknown > MAX_UNKNOWN_COLUMNS ? [] : [{ name, index }];
  });
};

/** The cells that are filled, by the names of their columns. Empty ones are dropped at once, to save memory. */
const pickFields = (columns: readonly Column[], cells: readonly string[]) =>
  Object.fromEntries(
    columns.flatMap(({ name, index }) => {
      const cell = cells[index] ?? '';
      return cell === '' ? [] : [[name, cell] as const];
    }),
  );

const HEADER_FIX =
  'Put a line that names the columns above the first row, such as app_id,session_id,server_public_key,session_private_key.';

const noKnownColumn = rejectList(
  'no_known_column',
  'No line of the list names a column that Enlist knows.',
  HEADER_FIX,
);

const noHeader = rejectList(
  'no_known_column',
  'The list has no line that names its columns, and their content does not show which is which.',
  HEADER_FIX,
);

const SAMPLE_ROWS = 20;

/** What each column holds, by the form of its first cells; undefined where they differ. */
const tellShapes = (records: readonly CsvRecord[]): readonly Shape[] => {
  const width = Math.max(...records.map(({ cells }) => cells.length));
  return Array.from({ length: width }, (_, i): Shape => {
    const cells = records.map(({ cells }) => cells[i] ?? '').filter((cell) => cell !== '');
    const shapes = new Set(cells.map(tellShape));
    const [shape = 'other'] = shapes;
    return shapes.size === 1 ? shape : 'other';
  });
};

const takeSample = (records: Iterable<CsvRecord>): CsvRecord[] => {
  const sample: CsvRecord[] = [];
  for (const record of records) {
    if (isFilled(record)) sample.push(record);
    if (sample.length === SAMPLE_ROWS) break;
  }
  return sample;
};

/**
 * A list without a header, as tutorials write network users: an RSA key, its token and the two UUIDs tell themselves.
 * Two keys of 32 bytes do not, nor do the UUIDs of an Ed25519 session.
 */
const readWithoutHeader = (text: string, header: Header): Result<Omit<RawList, 'formats'>> => {
  const read = () => readRecords(text.slice(header.start), header.delimiter, header.line);
  const sample = takeSample(read());
  if (sample.length === 0) return succeed({ rows: [], errors: [], total: 0 });
  const shapes = tellShapes(sample);
  const find = (shape: Shape) => shapes.flatMap((it, i) => (it === shape ? [i] : []));
  const [uuids, rsa, tokens, digits] = [find('uuid'), find('rsa_key'), find('token'), find('digits')];
  const isTold = uuids.length === 2 && rsa.length === 1 && tokens.length === 1 && digits.length <= 1;
  if (!isTold || find('key').length > 0) {
    return shapes.every((shape) => shape === 'other' || shape === 'digits') ? noKnownColumn : noHeader;
  }
  const columns = [
    { name: 'private_key', index: rsa[0] ?? 0 },
    { name: 'pin_token', index: tokens[0] ?? 0 },
    ...digits.map((index) => ({ name: 'pin', index })),
  ];
  return succeed(
    readRows(read(), (cells) => ({
      fields: pickFields(columns, cells),
      uuids: [cells[uuids[0] ?? 0] ?? '', cells[uuids[1] ?? 0] ?? ''],
    })),
  );
};

const readBelowHeader = (text: string, header: Header): Omit<RawList, 'formats'> => {
  const records = readRecords(text.slice(header.start), header.delimiter, header.line);
  const columns = pickColumns(readNames(records.next().value?.cells ?? []));
  return readRows(records, (cells) => ({ fields: pickFields(columns, cells) }));
};

const notCsv = (where: string) =>
  rejectList(
    'not_csv',
    `The list cannot be read as CSV${where}.`,
    'Start with a header line that names each column once, and quote fields that contain commas or quotes.',
  );

const delimiterNames = {
  ',': '',
  ';': ' with semicolons',
  '\t': ' with tabs',
  '|': ' with vertical bars',
} as const;

/**
 * A line that names the columns, perhaps below a title, then one line a row. Cells are separated by commas, semicolons,
 * tabs or vertical bars. Every value is text; an empty one is left out.
 */
export const readCsv = (written: string): Result<RawList> => {
  const text = written.replace(/\r\n?/g, '\n');
  const header = findHeader(text);
  try {
    const list = header.known > 0 ? succeed(readBelowHeader(text, header)) : readWithoutHeader(text, header);
    if (!list.ok) return list;
    if (list.value.total > limits.maxRows) return tooManyRows;
    const name = `CSV${delimiterNames[header.delimiter]}${header.known > 0 ? '' : ', without a header'}`;
    return succeed({ ...list.value, formats: [name] });
  } catch (error) {
    if (error instanceof CsvProblem) return notCsv(error.message);
    throw error;
  }
};
