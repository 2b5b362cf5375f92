/** Follows a batch until its bots are finished: with a bar in a terminal, with lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchView } from '../lib/api/contract.ts';
import type { ApiClient } from './api-client.ts';
import type { Terminal } from './context.ts';
import { countBots, countUnfinished } from './exit-codes.ts';

const POLL_MS = 500;
/** Counting a large batch takes long: for each second of it, this many seconds pass before the next. */
const POLL_PAUSE_FACTOR = 4;
/** A bot that is changing its state may be missing from a count, so the end must be seen twice. */
const FINAL_POLLS = 2;
/** Bots that wait longer than this are not waited for. */
const LONG_WAIT_MS = 10 * 60_000;

const countLongWaits = async (api: ApiClient, batch: BatchView, nowMs: number): Promise<number> => {
  let count = 0;
  for await (const bot of api.listBots(batch.batch_id, { state: 'waiting' })) {
    if (bot.wait_until !== undefined && Date.parse(bot.wait_until) - nowMs > LONG_WAIT_MS) count += 1;
  }
  return count;
};

/** Nothing happens to these before an operator acts. */
const stoppedStatuses: readonly BatchView['status'][] = ['rejected', 'stuck', 'planned'];

/** Is every bot finished, or does it wait for long? Is the batch stopped? */
const isAtEnd = async (api: ApiClient, batch: BatchView, nowMs: number): Promise<boolean> => {
  if (stoppedStatuses.includes(batch.status)) return true;
  if (batch.status !== 'imported') return false;
  const unfinished = countUnfinished(batch);
  if (unfinished === 0) return true;
  return unfinished === batch.states.waiting && unfinished === (await countLongWaits(api, batch, nowMs));
};

const statesShown = [
  'enrolling',
  'registered',
  'external',
  'waiting',
  'unsure',
  'blocked',
  'failed',
] as const;

const statusTexts: Readonly<Partial<Record<BatchView['status'], string>>> = {
  received: 'reading the list',
  rejected: 'the list was refused',
  planned: 'planned: its cost is not accepted yet',
};

const describeStatus = ({ status, states }: BatchView) => {
  const counts = statesShown.filter((state) => states[state]).map((state) => `${states[state]} ${state}`);
  return statusTexts[status] ?? (counts.join(', ') || 'in progress');
};

const formatProgress = (batch: BatchView) =>
  `${batch.percent_done}% | ${batch.finished}/${countBots(batch)} | ${describeStatus(batch)}`;

interface Display {
  show(batch: BatchView): void;
  stop(): void;
}

const BAR_WIDTH = 24;
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const CLEAR_REST_OF_LINE = '\u001B[K';

/** One line that is written over and over. The cursor is hidden until stop. */
const startBar = (stream: Terminal['stderr']): Display => {
  stream.write(HIDE_CURSOR);
  return {
    show: (batch) => {
      const filled = Math.round((BAR_WIDTH * batch.finished) / Math.max(1, countBots(batch)));
      const bar = '█'.repeat(filled).padEnd(BAR_WIDTH, '░');
      const timeLeft = batch.eta_seconds === null ? '' : ` about ${batch.eta_seconds} s left`;
      const line = `${bar} ${formatProgress(batch)}${timeLeft}`;
      stream.write(`\r${line.slice(0, (stream.columns ?? 80) - 1)}${CLEAR_REST_OF_LINE}`);
    },
    stop: () => void stream.write(`\n${SHOW_CURSOR}`),
  };
};

const startLines = (stream: Terminal['stderr']): Display => {
  let last = '';
  return {
    show: (batch) => {
      const line = formatProgress(batch);
      if (line !== last) stream.write(`${line}\n`);
      last = line;
    },
    stop: () => undefined,
  };
};

/** Returns the batch as soon as its list was read, or can never be. */
export const waitUntilRead = async (
  api: ApiClient,
  batch_id: string,
  signal: AbortSignal,
): Promise<BatchView> => {
  for (;;) {
    const batch = await api.readBatch(batch_id);
    if (batch.status !== 'received') return batch;
    await sleep(POLL_MS, undefined, { signal });
  }
};

/**
 * Returns the batch as soon as its bots are finished or wait for long, or as the batch is stopped. Writes progress to
 * `stream`.
 */
export const followBatch = async (
  api: ApiClient,
  batch_id: string,
  stream: Terminal['stderr'],
  signal: AbortSignal,
  pollMs = POLL_MS,
): Promise<BatchView> => {
  const display = stream.isTTY ? startBar(stream) : startLines(stream);
  let finalPolls = 0;
  try {
    for (;;) {
      const startedAtMs = performance.now();
      const batch = await api.readBatch(batch_id);
      const tookMs = performance.now() - startedAtMs;
      display.show(batch);
      finalPolls = (await isAtEnd(api, batch, Date.now())) ? finalPolls + 1 : 0;
      if (finalPolls === FINAL_POLLS) return batch;
      await sleep(Math.max(pollMs, POLL_PAUSE_FACTOR * tookMs), undefined, { signal });
    }
  } finally {
    display.stop();
  }
};
