/** The table at the end of a batch: how many bots are in which state, why, and what to do. */

import type { BatchView, BotView, RowErrorView } from '../lib/api/contract.ts';
import type { ApiClient } from './api-client.ts';
import { countUnsureUsers, describeCost, describePlan } from './cost.ts';
import type { FormatCommand } from './hint.ts';
import { escapeControls, formatCount } from './output.ts';

const MAX_EXAMPLES = 2;
const MAX_ERRORS_SHOWN = 5;
const statesShown = ['registered', 'external', 'waiting', 'unsure', 'blocked', 'failed'] as const;

/** For bots without a reason. */
const stateMessages: Readonly<Record<string, string>> = {
  registered: 'In Safe, with the key that is in the vault.',
  enrolled: 'Rows whose account was created; each account has a row of its own.',
};

/** Bots with the same state and reason. */
interface Group {
  readonly state: string;
  readonly message: string;
  readonly fix: string;
  /** Ids of some of them. */
  readonly examples: string[];
  count: number;
}

const createGroup = (state: string, count: number, reason?: BotView['reason']): Group => ({
  state,
  message: reason?.message ?? stateMessages[state] ?? '',
  fix: reason?.fix ?? '',
  examples: [],
  count,
});

const addToGroup = (groups: Map<string, Group>, state: string, bot: BotView) => {
  const key = `${state} ${bot.reason?.code ?? ''}`;
  const group = groups.get(key) ?? createGroup(state, 0, bot.reason);
  group.count += 1;
  if (group.fix !== '' && group.examples.length < MAX_EXAMPLES) group.examples.push(bot.bot_id);
  groups.set(key, group);
};

const groupBots = async (api: ApiClient, batch: BatchView): Promise<Group[]> => {
  const groups = new Map<string, Group>();
  for (const state of statesShown) {
    if (!batch.states[state]) continue;
    for await (const bot of api.listBots(batch.batch_id, { state })) addToGroup(groups, state, bot);
  }
  const { enrolled: count } = batch.states;
  if (count > 0) groups.set('enrolled', createGroup('enrolled', count));
  return [...groups.values()];
};

/** What is wrong with a row, and how to fix it; with the file, where the list is an archive. */
export const formatRowError = ({ file, row, line, field, message, fix }: RowErrorView): string => {
  const place = file === undefined ? '' : `${escapeControls(file)}, `;
  return `${place}row ${row} (line ${line}), ${field}: ${message} ${fix}`;
};

const describeRowErrors = (
  { batch_id, errors, more_errors }: BatchView,
  formatCommand: FormatCommand,
): string[] => {
  if (errors.length === 0) return [];
  const lines = errors.slice(0, MAX_ERRORS_SHOWN).map((error) => `    ${formatRowError(error)}`);
  const rest = errors.length - lines.length;
  const more = `    … and ${more_errors ? 'many' : rest} more errors: ${formatCommand('errors', batch_id)}`;
  return ['  Rows that were refused:', ...lines, ...(rest > 0 ? [more] : [])];
};

const describeGroup = ({ state, count, message, fix, examples }: Group): string[] => [
  `  ${String(count).padStart(6)}  ${state.padEnd(11)} ${message}`,
  ...(fix === '' ? [] : [`${' '.repeat(21)}→ ${fix}`]),
  ...(examples.length === 0 ? [] : [`${' '.repeat(21)}  for example ${examples.join(', ')}`]),
];

/** What to do about users whose creation got no answer. */
export const describeUnsureUsers = (batch: BatchView, formatCommand: FormatCommand): string[] => {
  const count = countUnsureUsers(batch);
  if (count === 0) return [];
  return [
    `Possibly created, because the answer was lost: ${count}. See ${formatCommand('bots', batch.batch_id, '--state', 'unsure')}`,
    `Create them again, which may cost the price a second time:  ${formatCommand('retry', batch.batch_id, '--pay-again')}`,
  ];
};

/** 300 rows (280 valid, 12 invalid, 8 duplicates) */
export const formatRowCounts = ({ total, accepted, invalid, duplicates }: BatchView): string =>
  `${formatCount(total, 'row')} (${accepted} valid, ${invalid} invalid, ${formatCount(duplicates, 'duplicate')})`;

/** Where the bots count that a later list named again. */
export const describeFollowed = ({ followed_by = [] }: BatchView): string[] =>
  followed_by.map(
    ({ batch_id, bots }) =>
      `${formatCount(bots, 'bot')} ${bots === 1 ? 'is' : 'are'} now followed by batch ${batch_id}`,
  );

/** What importing the list stores anew, once that is known. */
export const describeNewSecrets = ({ new_secrets = 0 }: BatchView): string[] =>
  new_secrets === 0 ? [] : [`New secrets in the vault: ${new_secrets}`];

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);

/** The lines of the table. Reads all bots of the batch, page by page. */
export const summarizeBatch = async (
  api: ApiClient,
  batch: BatchView,
  formatCommand: FormatCommand,
): Promise<string[]> => {
  const { problem, status } = batch;
  const refusal = problem ? [`The list was not imported: ${problem.message} ${problem.fix}`] : [];
  if (status === 'rejected') return refusal;
  const head = `Batch ${batch.batch_id}: ${formatRowCounts(batch)}`;
  if (status === 'planned')
    return [head, ...describeRowErrors(batch, formatCommand), ...describePlan(batch, formatCommand)];
  const groups = await groupBots(api, batch);
  return [
    ...refusal,
    head,
    ...groups.flatMap(describeGroup),
    ...indent(describeFollowed(batch)),
    ...indent(describeNewSecrets(batch)),
    ...indent(describeCost(batch)),
    ...indent(describeUnsureUsers(batch, formatCommand)),
    ...describeRowErrors(batch, formatCommand),
  ];
};
