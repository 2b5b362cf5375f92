import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type ApiClient, ApiError } from '../../cli/api-client.ts';
import { RequestError } from '../../cli/errors.ts';
import { followBatch, formatDuration } from '../../cli/progress.ts';
import type { BatchView, BotView } from '../../lib/api/contract.ts';
import { createCounts } from './answers.ts';

const batch = (more: Partial<BatchView> = {}): BatchView => ({
  batch_id: '00000000-0000-4000-8000-00000000b001',
  status: 'imported',
  created_at: '2026-01-01T00:00:00.000Z',
  total: 2,
  invalid: 0,
  duplicates: 0,
  accepted: 2,
  finished: 1,
  not_in_batch: 0,
  percent_done: 50,
  bots_per_minute: null,
  eta_seconds: null,
  states: createCounts({ registered: 1, queued: 1 }),
  errors: [],
  more_errors: false,
  errors_left_out: 0,
  ...more,
});

/** A terminal, and what was written to it. */
const createTerminal = () => {
  let text = '';
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  stream.on('data', (chunk) => {
    text += String(chunk);
  });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => text };
};

const HIDE = '\u001B[?25l';
const SHOW = '\u001B[?25h';

test('a terminal shows a bar, and Ctrl-C shows the cursor again', async () => {
  const abort = new AbortController();
  const { stream, text } = createTerminal();
  const api = { readBatch: async () => batch() } as unknown as ApiClient;
  const following = followBatch(api, batch().batch_id, stream, abort.signal);
  setTimeout(() => abort.abort(), 200);
  await expect(following).rejects.toMatchObject({ name: 'AbortError' });
  expect(text()).toContain('50% | 1/2 | 1 registered');
  expect(text().indexOf(HIDE)).toBeGreaterThanOrEqual(0);
  expect(text().lastIndexOf(SHOW)).toBeGreaterThan(text().lastIndexOf(HIDE));
});

/** An API whose answers come one after the other; the last one again and again. */
const createApi = (answers: (BatchView | Error)[], waiting: readonly Partial<BotView>[] = []) =>
  ({
    readBatch: async () => {
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) as BatchView | Error;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    listBots: async function* () {
      yield* waiting;
    },
  }) as unknown as ApiClient;

const follow = async (api: ApiClient, hasAnswered = false) => {
  const { stream, text } = createTerminal();
  Object.assign(stream, { columns: 80 });
  const signal = new AbortController().signal;
  await followBatch(api, batch().batch_id, stream, signal, { pollMs: 10, hasAnswered });
  return text();
};

const end = batch({ finished: 2, percent_done: 100, states: createCounts({ registered: 2 }) });

test('the bar fits the width of the terminal: of a long line the states are cut', async () => {
  const states = createCounts({
    registered: 1,
    external: 100_000,
    unsure: 100_000,
    blocked: 100_000,
    failed: 100_000,
  });
  const text = await follow(createApi([batch({ states, finished: 2, percent_done: 100 }), end]));
  const lines = text.split('\r').map((line) => line.split('\u001B')[0] ?? '');
  expect(lines.find((line) => line.includes('100000 external'))).toHaveLength(79);
});

test('while the list is read a block runs through the bar, and no number is shown', async () => {
  const received = batch({ status: 'received', total: 0, accepted: 0, finished: 0, percent_done: 0 });
  const text = await follow(createApi([received, received, end]));
  expect(text).toContain('████░░░░░░░░░░░░ reading the list');
  expect(text).toContain('░████░░░░░░░░░░░ reading the list');
  expect(text).not.toContain('0/0');
});

test('the total stays when a bot that changes its state is missing from one count', async () => {
  const text = await follow(createApi([batch(), batch({ not_in_batch: 1 }), batch(), end]));
  expect(text).not.toContain('1/1');
  expect(text).toContain('1/2');
});

test.each([
  [40, '40 s'],
  [61, '2 min'],
  [3_600, '1 h'],
  [5_400, '1 h 30 min'],
])('%i seconds are shown as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('as soon as bots wait, the commonest reason and its fix are shown once, with the next try', async () => {
  const reason = { code: 'mixin_down', message: 'Mixin cannot be reached.', fix: 'Check the network.' };
  const other = { code: 'other', message: 'Another.', fix: 'Other.' };
  const waiting = [
    { reason: other, wait_until: '2026-01-01T00:00:01.000Z' },
    { reason, wait_until: '2026-01-01T00:02:00.000Z' },
    { reason, wait_until: '2026-01-01T00:01:00.000Z' },
  ];
  const states = createCounts({ registered: 1, waiting: 1 });
  const text = await follow(createApi([batch({ states }), batch({ states }), end], waiting));
  expect(text.split('Bots wait:')).toHaveLength(2);
  expect(text).toContain(
    'Bots wait: Mixin cannot be reached. Check the network. The next try is at 2026-01-01 00:01:00 UTC.\n',
  );
});

test('an API that stops answering is waited for with one sentence, and one that never answered is not', async () => {
  const down = new RequestError('The API cannot be reached.');
  const text = await follow(
    createApi([batch(), down, down, new ApiError('The API answered 503.', 503), end]),
  );
  expect(text.split('The API cannot be reached. Waiting up to 15 min for it')).toHaveLength(2);
  expect(text).toContain('The API answers again.');
  await expect(follow(createApi([down]))).rejects.toBe(down);
  expect(await follow(createApi([down, end]), true)).toContain('The API answers again.');
  const gone = new ApiError('There is no such batch.', 404);
  await expect(follow(createApi([batch(), gone]))).rejects.toBe(gone);
});

test('an error shows the cursor of the terminal again', async () => {
  const { stream, text } = createTerminal();
  const api = { readBatch: () => Promise.reject(new Error('no batch')) } as unknown as ApiClient;
  const following = followBatch(api, batch().batch_id, stream, new AbortController().signal, { pollMs: 10 });
  await expect(following).rejects.toThrow('no batch');
  expect(text().lastIndexOf(SHOW)).toBeGreaterThan(text().lastIndexOf(HIDE));
});

test.each([['rejected'], ['stuck'], ['planned']] as const)(
  'watching does not wait for a batch that is %s',
  async (status) => {
    const { stream } = createTerminal();
    const final = batch({ status, problem: { code: 'x', message: 'No.', fix: 'Fix it.' } });
    const api = { readBatch: async () => final } as unknown as ApiClient;
    expect(await followBatch(api, final.batch_id, stream, new AbortController().signal, { pollMs: 10 })).toBe(
      final,
    );
  },
);

test('watching reads the end twice, because it may miss a bot that changes its state', async () => {
  const { stream } = createTerminal();
  const end = batch({ finished: 2, percent_done: 100, states: createCounts({ registered: 2 }) });
  const answers = [end, batch(), end, end];
  const api = { readBatch: async () => answers.shift() ?? end } as unknown as ApiClient;
  await followBatch(api, end.batch_id, stream, new AbortController().signal, { pollMs: 10 });
  expect(answers).toEqual([]);
});
