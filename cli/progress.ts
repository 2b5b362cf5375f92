/** Follows a batch until its bots have come to rest: a live bar in a terminal, plain lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import type { BatchView } from '../lib/api/contract.ts';
import type { ApiClient } from './api-client.ts';
import type { Terminal } from './terminal.ts';

const POLL_MS = 500;
/** A large batch takes long to count: most of the time nobody should be counting. */
const POLL_SHARE = 4;
/** A bot on the move may be missing from the index for a moment, so rest must be seen twice. */
const RESTING_POLLS = 2;
/** A bot that waits longer than this is at rest for whoever sits before the screen. */
const LONG_WAIT_MS = 10 * 60_000;

const countWaitingLong = async (api: ApiClient, batch: BatchView, nowMs: number): Promise<number> => {
  let count = 0;
  for await (const bot of api.listBots(batch.batch_id, 'waiting')) {
    if (bot.wait_until !== undefined && Date.parse(bot.wait_until) - nowMs > LONG_WAIT_MS) count += 1;
  }
  return count;
};

const goesNowhere: readonly BatchView['status'][] = ['rejected', 'stuck', 'planned'];

/**
 * Has every bot come to rest, or is it to wait for long? A list that intake cannot read goes nowhere, nor does
 * one whose cost nobody has accepted.
 */
const isAtRest = async (api: ApiClient, batch: BatchView, nowMs: number): Promise<boolean> => {
  if (goesNowhere.includes(batch.status)) return true;
  if (batch.status !== 'imported') return false;
  const open = batch.accepted - batch.not_in_batch - batch.finished;
  if (open === 0) return true;
  return open === batch.states.waiting && open === (await countWaitingLong(api, batch, nowMs));
};

const shown = ['enrolling', 'registered', 'external', 'waiting', 'unsure', 'blocked', 'failed'] as const;
const stateLine = (batch: BatchView) =>
  shown.flatMap((state) => (batch.states[state] ? [`${batch.states[state]} ${state}`] : [])).join(', ');

const words: Readonly<Partial<Record<BatchView['status'], string>>> = {
  received: 'reading the list',
  rejected: 'the list was refused',
  planned: 'planned: its cost is not accepted yet',
};
const standing = (batch: BatchView) => words[batch.status] ?? stateLine(batch);

const etaLine = (batch: BatchView) => (batch.eta_seconds === null ? '' : `about ${batch.eta_seconds} s left`);

interface Display {
  show(batch: BatchView): void;
  stop(): void;
}

const liveBar = (stream: Terminal['stderr']): Display => {
  const bar = new SingleBar({
    stream,
    format: '{bar} {percentage}% | {value}/{total} | {states} {eta_text}',
    hideCursor: true,
    barsize: 24,
  });
  bar.start(1, 0, { states: 'reading the list', eta_text: '' });
  return {
    show: (batch) => {
      bar.setTotal(Math.max(1, batch.accepted - batch.not_in_batch));
      bar.update(batch.finished, { states: standing(batch), eta_text: etaLine(batch) });
    },
    stop: () => bar.stop(),
  };
};

const plainLines = (stream: Terminal['stderr']): Display => {
  let last = '';
  return {
    show: (batch) => {
      const line = `${batch.percent_done}% | ${batch.finished}/${batch.accepted - batch.not_in_batch} | ${standing(batch)}`;
      if (line !== last) stream.write(`${line}\n`);
      last = line;
    },
    stop: () => undefined,
  };
};

/** Resolves with the batch once its list was read, or can never be. */
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

/** Resolves with the batch once its bots are at rest; progress goes to `stream`. */
export const followBatch = async (
  api: ApiClient,
  batch_id: string,
  stream: Terminal['stderr'],
  signal: AbortSignal,
  pollMs = POLL_MS,
): Promise<BatchView> => {
  const display = stream.isTTY ? liveBar(stream) : plainLines(stream);
  let restingPolls = 0;
  try {
    for (;;) {
      const askedAtMs = performance.now();
      const batch = await api.readBatch(batch_id);
      const tookMs = performance.now() - askedAtMs;
      display.show(batch);
      restingPolls = (await isAtRest(api, batch, Date.now())) ? restingPolls + 1 : 0;
      if (restingPolls === RESTING_POLLS) return batch;
      await sleep(Math.max(pollMs, POLL_SHARE * tookMs), undefined, { signal });
    }
  } finally {
    display.stop();
  }
};
