/** CSV → raw rows, each with its line. `#csv-parse` is the build of csv-parse for Node or for a browser. Pure. */
import { CsvError, parse as parseCsv } from '#csv-parse';
import { limits } from '../model/limits.ts';
import { type Result, succeed } from '../model/result.ts';
import { type RawList, type RawRow, rejectList, tooManyRows } from './raw-list.ts';

/** Far more than there are names of fields. */
const MAX_COLUMNS = 1_000;

/** Rows of millions of empty cells would take memory far beyond their size. */
const isTooWide = (text: string): boolean => {
  let columns = 1;
  let inQuotes = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') inQuotes = !inQuotes;
    else if (inQuotes) continue;
    else if (char === '\n' || char === '\r') columns = 1;
    else if (char === ',') {
      columns += 1;
      if (columns > MAX_COLUMNS) return true;
    }
  }
  return false;
};

/** Each column needs a name of its own, else one silently wins. */
const readHeader = (header: readonly string[]): readonly string[] => {
  const names = header.map((name) => name.trim().toLowerCase());
  const named = names.filter((name) => name !== '');
  if (new Set(named).size < named.length) throw new RangeError('a column is named twice');
  return names;
};

interface CsvRecord {
  readonly record: readonly string[];
  readonly raw: string;
  readonly info: { readonly lines: number };
}

/** The cells that are filled, by the names of their columns. */
const pickFields = (names: readonly string[], cells: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name, i) => {
      const cell = cells[i] ?? '';
      return cell === '' ? [] : [[name, cell] as const];
    }),
  );

/** Where a record begins; csv-parse says where it ends. */
const findLine = ({ raw, info }: CsvRecord): number => info.lines - (raw.trim().split('\n').length - 1);

/** The rows, at most one more than a list may have. Empty cells are dropped at once, to save memory. */
const parse = (text: string): readonly RawRow[] => {
  let names: readonly string[] | undefined;
  let row = 0;
  const addRecord = (record: CsvRecord): RawRow | undefined => {
    if (!names) {
      names = readHeader(record.record);
      return undefined;
    }
    row += 1;
    return { row, line: findLine(record), fields: pickFields(names, record.record) };
  };
  return parseCsv(text, {
    bom: true,
    info: true,
    on_record: addRecord as never,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    // Counts the header too.
    to: limits.maxRows + 2,
    trim: true,
  }) as unknown as RawRow[];
};

const notCsv = (where: string) =>
  rejectList(
    'not_csv',
    `The list cannot be read as CSV${where}.`,
    'Start with a header line that names each column once, and quote fields that contain commas or quotes.',
  );

/** A header line that names the columns, then one line a row. Every value is text; an empty one is left out. */
export const readCsv = (text: string): Result<RawList> => {
  if (isTooWide(text)) return notCsv(`: a row has more than ${MAX_COLUMNS} columns`);
  try {
    // csv-parse knows one kind of line ends in a text, and counts a quoted CRLF twice.
    const rows = parse(text.replace(/\r\n?/g, '\n'));
    return rows.length > limits.maxRows ? tooManyRows : succeed({ rows, errors: [], total: rows.length });
  } catch (error) {
    if (error instanceof RangeError) return notCsv(': a column is named twice');
    if (!(error instanceof CsvError)) throw error;
    return notCsv(typeof error.lines === 'number' ? ` near line ${error.lines}` : '');
  }
};
