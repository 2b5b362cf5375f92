import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { ApiClient } from '../../cli/api-client.ts';
import { followBatch } from '../../cli/progress.ts';
import type { BatchView } from '../../lib/api/contract.ts';
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

test('the bar fits the width of the terminal, and shows an estimate of the remaining time', async () => {
  const { stream, text } = createTerminal();
  const states = createCounts({
    registered: 1,
    waiting: 100_000,
    unsure: 100_000,
    blocked: 100_000,
    failed: 100_000,
  });
  const answers = [
    batch({ eta_seconds: 90 }),
    batch({ states, eta_seconds: 90, finished: 2, percent_done: 100 }),
  ];
  const api = { readBatch: async () => answers.shift() ?? batch({ finished: 2 }) } as unknown as ApiClient;
  await followBatch(api, batch().batch_id, stream, new AbortController().signal, 10);
  const lines = text()
    .split('\r')
    .map((line) => line.split('\u001B')[0] ?? '');
  expect(lines.find((line) => line.includes('about 90 s left'))).toMatch(
    /^█{12}░{12} 50% \| 1\/2 \| 1 registered/,
  );
  expect(lines.find((line) => line.includes('100000 waiting'))).toHaveLength(119);
});

test('an error shows the cursor of the terminal again', async () => {
  const { stream, text } = createTerminal();
  const api = { readBatch: () => Promise.reject(new Error('no batch')) } as unknown as ApiClient;
  const following = followBatch(api, batch().batch_id, stream, new AbortController().signal, 10);
  await expect(following).rejects.toThrow('no batch');
  expect(text().lastIndexOf(SHOW)).toBeGreaterThan(text().lastIndexOf(HIDE));
});

test.each([['rejected'], ['stuck'], ['planned']] as const)(
  'watching does not wait for a batch that is %s',
  async (status) => {
    const { stream } = createTerminal();
    const final = batch({ status, problem: { code: 'x', message: 'No.', fix: 'Fix it.' } });
    const api = { readBatch: async () => final } as unknown as ApiClient;
    expect(await followBatch(api, final.batch_id, stream, new AbortController().signal, 10)).toBe(final);
  },
);

test('watching reads the end twice, because it may miss a bot that changes its state', async () => {
  const { stream } = createTerminal();
  const end = batch({ finished: 2, percent_done: 100, states: createCounts({ registered: 2 }) });
  const answers = [end, batch(), end, end];
  const api = { readBatch: async () => answers.shift() ?? end } as unknown as ApiClient;
  await followBatch(api, end.batch_id, stream, new AbortController().signal, 10);
  expect(answers).toEqual([]);
});
