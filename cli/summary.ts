/** The table at the end: how many bots are where, why, and what to do. */
import type { ApiClient, BatchView, BotView } from './api-client.ts';

const EXAMPLES = 2;
const explained = ['registered', 'external', 'waiting', 'unsure', 'blocked', 'failed'] as const;

const plain: Readonly<Record<string, string>> = {
  registered: 'In Safe, with the key that lies in the vault.',
};

interface Group {
  readonly state: string;
  readonly message: string;
  readonly todo: string;
  readonly examples: string[];
  count: number;
}

const addTo = (groups: Map<string, Group>, state: string, bot: BotView) => {
  const key = `${state} ${bot.reason?.code ?? ''}`;
  const group = groups.get(key) ?? {
    state,
    message: bot.reason?.message ?? plain[state] ?? '',
    todo: bot.reason?.todo ?? '',
    examples: [],
    count: 0,
  };
  group.count += 1;
  if (group.todo !== '' && group.examples.length < EXAMPLES) group.examples.push(bot.user_id);
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

const errorLines = (batch: BatchView): string[] => {
  const shown = batch.errors.slice(0, 5);
  const lines = shown.map(
    ({ row, line, field, message, fix }) => `    row ${row} (line ${line}), ${field}: ${message} ${fix}`,
  );
  const more = batch.errors.length - shown.length;
  const rest = batch.more_errors ? 'many more' : `${more} more`;
  return more > 0 ? [...lines, `    … and ${rest}: GET /batches/${batch.batch_id}/errors`] : lines;
};

const groupLines = ({ state, count, message, todo, examples }: Group): string[] => [
  `  ${String(count).padStart(6)}  ${state.padEnd(11)} ${message}`,
  ...(todo === '' ? [] : [`${' '.repeat(21)}→ ${todo}`]),
  ...(examples.length === 0 ? [] : [`${' '.repeat(21)}  such as ${examples.join(', ')}`]),
];

/** The lines of the table. Reads all bots of the batch, page by page. */
export const summaryLines = async (api: ApiClient, batch: BatchView): Promise<string[]> => {
  if (batch.problem) return [`The list was not taken in: ${batch.problem.message} ${batch.problem.fix}`];
  const groups = await groupBots(api, batch);
  return [
    `Batch ${batch.batch_id}: ${batch.total} rows, ${batch.invalid} wrong, ${batch.duplicates} double`,
    ...groups.flatMap(groupLines),
    ...(batch.errors.length === 0 ? [] : ['  Rows that were not taken:', ...errorLines(batch)]),
  ];
};
