/** The table at the end: how many bots are where, why, and what to do. */

import type { BatchView, BotView, RowErrorView } from '../lib/api/contract.ts';
import type { ApiClient } from './api-client.ts';
import { costLines, countLost, planLines } from './cost.ts';
import { printable } from './output.ts';

const EXAMPLES = 2;
const explained = ['registered', 'external', 'waiting', 'unsure', 'blocked', 'failed'] as const;

const plain: Readonly<Record<string, string>> = {
  registered: 'In Safe, with the key that lies in the vault.',
};

const concluded = {
  state: 'enrolled',
  message: 'Rows whose account was made; each account has a row of its own.',
  fix: '',
  examples: [],
};

interface Group {
  readonly state: string;
  readonly message: string;
  readonly fix: string;
  readonly examples: string[];
  count: number;
}

const addTo = (groups: Map<string, Group>, state: string, bot: BotView) => {
  const key = `${state} ${bot.reason?.code ?? ''}`;
  const group = groups.get(key) ?? {
    state,
    message: bot.reason?.message ?? plain[state] ?? '',
    fix: bot.reason?.fix ?? '',
    examples: [],
    count: 0,
  };
  group.count += 1;
  if (group.fix !== '' && group.examples.length < EXAMPLES) group.examples.push(bot.bot_id);
  groups.set(key, group);
};

const groupBots = async (api: ApiClient, batch: BatchView): Promise<Group[]> => {
  const groups = new Map<string, Group>();
  for (const state of explained) {
    if (!batch.states[state]) continue;
    for await (const bot of api.listBots(batch.batch_id, state)) addTo(groups, state, bot);
  }
  return [...groups.values()];
};

/** A row that was not taken, and how to mend it; of an archive, with its file. */
export const errorLine = ({ file, row, line, field, message, fix }: RowErrorView): string => {
  const place = file === undefined ? '' : `${printable(file)}, `;
  return `${place}row ${row} (line ${line}), ${field}: ${message} ${fix}`;
};

const errorLines = (batch: BatchView): string[] => {
  const shown = batch.errors.slice(0, 5);
  const lines = shown.map((error) => `    ${errorLine(error)}`);
  const more = batch.errors.length - shown.length;
  const rest = batch.more_errors ? 'many more' : `${more} more`;
  return more > 0 ? [...lines, `    … and ${rest}: enlist errors ${batch.batch_id}`] : lines;
};

const groupLines = ({ state, count, message, fix, examples }: Group): string[] => [
  `  ${String(count).padStart(6)}  ${state.padEnd(11)} ${message}`,
  ...(fix === '' ? [] : [`${' '.repeat(21)}→ ${fix}`]),
  ...(examples.length === 0 ? [] : [`${' '.repeat(21)}  such as ${examples.join(', ')}`]),
];

/** What to do about creations whose answer was lost. */
export const lostLines = (batch: BatchView): string[] =>
  countLost(batch) === 0
    ? []
    : [
        `Possibly created, for the answer was lost: ${countLost(batch)}. See enlist bots ${batch.batch_id} --state unsure`,
        `Create these once more, each for a second price maybe:  enlist retry ${batch.batch_id} --pay-again`,
      ];

const placeholderLines = ({ states }: BatchView): string[] =>
  states.enrolled ? groupLines({ ...concluded, count: states.enrolled }) : [];

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);

/** The lines of the table. Reads all bots of the batch, page by page. */
export const summaryLines = async (api: ApiClient, batch: BatchView): Promise<string[]> => {
  const trouble = batch.problem
    ? [`The list was not taken in: ${batch.problem.message} ${batch.problem.fix}`]
    : [];
  if (batch.status === 'rejected') return trouble;
  const head = `Batch ${batch.batch_id}: ${batch.total} rows, ${batch.invalid} wrong, ${batch.duplicates} double`;
  const wrong = batch.errors.length === 0 ? [] : ['  Rows that were not taken:', ...errorLines(batch)];
  if (batch.status === 'planned') return [head, ...wrong, ...planLines(batch)];
  const groups = await groupBots(api, batch);
  return [
    ...trouble,
    head,
    ...groups.flatMap(groupLines),
    ...placeholderLines(batch),
    ...indent(costLines(batch)),
    ...indent(lostLines(batch)),
    ...wrong,
  ];
};
