import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { ApiClient } from '../../cli/api-client.ts';
import { followBatch } from '../../cli/progress.ts';
import type { BatchView } from '../../lib/api/contract.ts';
import { countsOf } from './made-up.ts';

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
  states: countsOf({ registered: 1, queued: 1 }),
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

test('in a terminal there is a bar, and Ctrl-C gives the cursor back', async () => {
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

test('an error gives the cursor back too', async () => {
  const { stream, text } = createTerminal();
  const api = { readBatch: () => Promise.reject(new Error('gone')) } as unknown as ApiClient;
  const following = followBatch(api, batch().batch_id, stream, new AbortController().signal, 10);
  await expect(following).rejects.toThrow('gone');
  expect(text().lastIndexOf(SHOW)).toBeGreaterThan(text().lastIndexOf(HIDE));
});

test.each([['rejected'], ['stuck'], ['planned']] as const)(
  'a list that is %s is not waited for',
  async (status) => {
    const { stream } = createTerminal();
    const told = batch({ status, problem: { code: 'x', message: 'No.', fix: 'Mend it.' } });
    const api = { readBatch: async () => told } as unknown as ApiClient;
    expect(await followBatch(api, told.batch_id, stream, new AbortController().signal, 10)).toBe(told);
  },
);

test('rest must be seen twice: a bot on the move may be missed once', async () => {
  const { stream } = createTerminal();
  const rest = batch({ finished: 2, percent_done: 100, states: countsOf({ registered: 2 }) });
  const seen = [rest, batch(), rest, rest];
  const api = { readBatch: async () => seen.shift() ?? rest } as unknown as ApiClient;
  await followBatch(api, rest.batch_id, stream, new AbortController().signal, 10);
  expect(seen).toEqual([]);
});
