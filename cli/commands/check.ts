/** check: reads lists as an import would, without any server. */
import { type Command, Option } from 'commander';
import { findFormat } from '../../lib/lists/formats.ts';
import { describeList, readList as readRawList } from '../../lib/lists/list.ts';
import type { RawRow, Understood } from '../../lib/lists/raw-list.ts';
import { type Row, readRow, splitDuplicates } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import type { Problem, RowError } from '../../lib/model/problem.ts';
import { compression } from '../../lib/runtime/compression.ts';
import type { Context, Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { type List, listTypes, readList } from '../lists.ts';
import { formatExamples, joinParagraphs } from '../options.ts';
import { formatCount } from '../output.ts';
import { formatRowError } from '../summary.ts';

interface Options {
  readonly type?: string;
}

/** What an import would make of a list. */
interface Report extends Partial<Understood> {
  readonly file: string;
  readonly problem?: Problem;
  readonly total: number;
  readonly valid: number;
  readonly invalid: number;
  readonly duplicates: number;
  /** Users that would be created, which costs money. */
  readonly network_users: number;
  readonly errors: readonly RowError[];
}

const readRows = async (rawRows: readonly RawRow[]) => {
  const rows: Row[] = [];
  const errors: RowError[] = [];
  for (const raw of rawRows) {
    const row = await readRow(raw, keys);
    if (row.ok) rows.push(row.value);
    else errors.push(...row.error);
  }
  return { rows, errors };
};

const isNetworkUser = (row: Row): boolean => 'enrolment' in row && row.enrolment.kind === 'network_user';

const byPlace = (one: RowError, other: RowError): number => one.row - other.row;

const checkList = async ({ file, body, contentType }: List): Promise<Report> => {
  const list = await readRawList(body, findFormat(contentType) ?? 'json', compression);
  if (!list.ok) {
    const none = { total: 0, valid: 0, invalid: 0, duplicates: 0, network_users: 0, errors: [] };
    return { file, problem: list.error, ...none };
  }
  const { rows, errors } = await readRows(list.value.rows);
  const { unique, duplicates } = splitDuplicates(rows);
  return {
    file,
    total: list.value.total,
    valid: unique.length,
    invalid: list.value.total - rows.length,
    duplicates: duplicates.length,
    network_users: unique.filter(isNetworkUser).length,
    ...describeList(list.value),
    errors: [...list.value.errors, ...errors, ...duplicates].sort(byPlace),
  };
};

const describeReport = (report: Report): string[] => {
  const { file, problem, total, valid, invalid, duplicates, network_users, errors } = report;
  if (problem) return [`${file} would be rejected: ${problem.message} ${problem.fix}`];
  const { formats = [], known = [], unknown = [] } = report;
  const users = network_users === 0 ? [] : [`  users to create, which costs money: ${network_users}`];
  return [
    `${file}: ${formatCount(total, 'row')} (${valid} valid, ${invalid} invalid, ${formatCount(duplicates, 'duplicate')})`,
    ...(formats.length > 0 ? [`  format: ${formats.join('; ')}`] : []),
    ...(known.length > 0 ? [`  fields understood: ${known.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`  fields not understood, and ignored: ${unknown.join(', ')}`] : []),
    ...users,
    ...errors.map((error) => `  ${formatRowError(error)}`),
  ];
};

const isFine = ({ problem, errors }: Report): boolean => problem === undefined && errors.length === 0;

const check = async ({ terminal, output }: Context, files: readonly string[], { type }: Options) => {
  let areFine = true;
  for (const file of files) {
    const list = await readList(file, type, terminal);
    if (list.note !== undefined) output.writeNote(list.note);
    const report = await checkList(list);
    output.writeJson(report);
    output.writeLines(describeReport(report));
    areFine &&= isFine(report);
  }
  return areFine ? exitCodes.done : exitCodes.actionNeeded;
};

export const addCheck = (program: Command, run: Run): void => {
  program
    .command('check')
    .summary('Reads lists without sending them, and shows what is wrong.')
    .description(
      joinParagraphs(
        'Reads lists as an import would, without any server or credentials: nothing is sent. Prints how many rows are valid, which fields were understood, and every row that would be refused. No value of a list is shown.',
        'What only the vault or Mixin knows is not checked: whether a session is valid, or whether a bot has another key already.',
        '--json prints one line per file: {"file", "total", "valid", "invalid", "duplicates", "network_users", "formats", "known", "unknown", "errors"}, and "problem" for a list that would be rejected.',
      ),
    )
    .argument('<FILE...>', 'a list, as for enlist upload; a folder; - for stdin')
    .addOption(new Option('--type <TYPE>', 'type of the list, whatever its name is').choices(listTypes))
    .addHelpText('after', formatExamples('enlist check bots.csv', 'enlist check keystores/ --json'))
    .action(run(check));
};
