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

test('in a terminal a bar is shown, and Ctrl-C shows the cursor again', async () => {
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

test('the bar fits the width of the terminal, and an estimate of the time left is shown', async () => {
  const { stream, text } = createTerminal();
  const states = createCounts({
    registered: 1,
    waiting: 100_000,
    unsure: 100_000,
    blocked: 100_000,
    failed: 100_000,
  });
  const shown = [
    batch({ eta_seconds: 90 }),
    batch({ states, eta_seconds: 90, finished: 2, percent_done: 100 }),
  ];
  const api = { readBatch: async () => shown.shift() ?? batch({ finished: 2 }) } as unknown as ApiClient;
  await followBatch(api, batch().batch_id, stream, new AbortController().signal, 10);
  const lines = text()
    .split('\r')
    .map((line) => line.split('\u001B')[0] ?? '');
  expect(lines.find((line) => line.includes('about 90 s left'))).toMatch(
    /^█{12}░{12} 50% \| 1\/2 \| 1 registered/,
  );
  expect(lines.find((line) => line.includes('100000 waiting'))).toHaveLength(119);
});

test('an error shows the cursor again too', async () => {
  const { stream, text } = createTerminal();
  const api = { readBatch: () => Promise.reject(new Error('gone')) } as unknown as ApiClient;
  const following = followBatch(api, batch().batch_id, stream, new AbortController().signal, 10);
  await expect(following).rejects.toThrow('gone');
  expect(text().lastIndexOf(SHOW)).toBeGreaterThan(text().lastIndexOf(HIDE));
});

test.each([['rejected'], ['stuck'], ['planned']] as const)(
  'a batch that is %s is not waited for',
  async (status) => {
    const { stream } = createTerminal();
    const stopped = batch({ status, problem: { code: 'x', message: 'No.', fix: 'Fix it.' } });
    const api = { readBatch: async () => stopped } as unknown as ApiClient;
    expect(await followBatch(api, stopped.batch_id, stream, new AbortController().signal, 10)).toBe(stopped);
  },
);

test('the end must be seen twice, because a bot that changes its state may be missed once', async () => {
  const { stream } = createTerminal();
  const rest = batch({ finished: 2, percent_done: 100, states: createCounts({ registered: 2 }) });
  const seen = [rest, batch(), rest, rest];
  const api = { readBatch: async () => seen.shift() ?? rest } as unknown as ApiClient;
  await followBatch(api, rest.batch_id, stream, new AbortController().signal, 10);
  expect(seen).toEqual([]);
});
