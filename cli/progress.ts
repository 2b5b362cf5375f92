/** Follows a batch until its bots are finished: with a bar in a terminal, with lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchView, BotView } from '../lib/api/contract.ts';
import { type ApiClient, ApiError } from './api-client.ts';
import type { Terminal } from './context.ts';
import { RequestError } from './errors.ts';
import { countBots, countUnfinished } from './exit-codes.ts';
import { formatTime } from './output.ts';

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

/** 5400 → 1 h 30 min; 90 → 2 min; 40 → 40 s */
export const formatDuration = (seconds: number): string => {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
};

/** What is shown of a batch at one moment. */
interface Progress {
  readonly batch: BatchView;
  /** Bots of the batch, without those that are only missing from this count. */
  readonly total: number;
  readonly secondsLeft: number | undefined;
}

const formatProgress = ({ batch, total }: Progress) =>
  total === 0 && batch.status === 'received'
    ? describeStatus(batch)
    : `${batch.percent_done}% | ${batch.finished}/${total} | ${describeStatus(batch)}`;

interface Display {
  show(progress: Progress): void;
  /** Prints a line that stays. */
  note(line: string): void;
  stop(): void;
}

const BAR_WIDTH = 16;
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const CLEAR_REST_OF_LINE = '\u001B[K';

/** While the list is read nobody knows how much is left: a block runs to and fro. */
const drawReadingBar = (step: number): string => {
  const last = BAR_WIDTH - 4;
  const place = last - Math.abs((step % (2 * last)) - last);
  return `${'░'.repeat(place)}████`.padEnd(BAR_WIDTH, '░');
};

/** One line that is written over and over. The cursor is hidden until stop. */
const startBar = (stream: Terminal['stderr']): Display => {
  let step = 0;
  stream.write(HIDE_CURSOR);
  return {
    show: (progress) => {
      const { batch, total, secondsLeft } = progress;
      const filled = Math.round((BAR_WIDTH * batch.finished) / Math.max(1, total));
      const bar =
        batch.status === 'received' ? drawReadingBar(step) : '█'.repeat(filled).padEnd(BAR_WIDTH, '░');
      step += 1;
      const width = (stream.columns ?? 80) - 1;
      const end = secondsLeft === undefined ? '' : ` | ${formatDuration(secondsLeft)} left`;
      const start = `${bar} ${formatProgress(progress)}`;
      // Of a line that is too long the states are cut, and not the time.
      const room = Math.max(0, width - end.length);
      const line = `${start.length > room ? `${start.slice(0, Math.max(0, room - 1))}…` : start}${end}`;
      stream.write(`\r${line.slice(0, width)}${CLEAR_REST_OF_LINE}`);
    },
    note: (line) => void stream.write(`\r${CLEAR_REST_OF_LINE}${line}\n`),
    stop: () => void stream.write(`\n${SHOW_CURSOR}`),
  };
};

const startLines = (stream: Terminal['stderr']): Display => {
  let last = '';
  return {
    show: (progress) => {
      const line = formatProgress(progress);
      if (line !== last) stream.write(`${line}\n`);
      last = line;
    },
    note: (line) => void stream.write(`${line}\n`),
    stop: () => undefined,
  };
};

/** A rate that was measured for a shorter time says nothing. */
const MIN_MEASURED_MS = 5_000;

/** Makes what is shown out of what was counted: the total is steady, and the time left follows from what was seen. */
const createMeter = () => {
  let first: { readonly atMs: number; readonly finished: number } | undefined;
  let previousTotal = 0;
  return (batch: BatchView, atMs: number): Progress => {
    const counted = countBots(batch);
    // A bot that changes its state is missing from one count; one that is missing from two belongs to a later list.
    const total = Math.max(counted, previousTotal);
    previousTotal = counted;
    if (batch.status === 'received') return { batch, total, secondsLeft: undefined };
    first ??= { atMs, finished: batch.finished };
    const done = batch.finished - first.finished;
    const open = total - batch.finished - batch.states.waiting;
    const isKnown = atMs - first.atMs >= MIN_MEASURED_MS && done > 0 && open > 0;
    return { batch, total, secondsLeft: isKnown ? ((atMs - first.atMs) / 1_000 / done) * open : undefined };
  };
};

/** One page: the reasons of the others are hardly different ones. */
const BOTS_ASKED = 100;
/** Reasons are asked for no more often than this. */
const REASON_PAUSE_MS = 5_000;

/** The commonest reason of the first waiting bots, with its fix and the time of the next try. */
const describeCommonestReason = async (api: ApiClient, batch_id: string): Promise<string | undefined> => {
  const bots: BotView[] = [];
  for await (const bot of api.listBots(batch_id, { state: 'waiting' })) {
    bots.push(bot);
    if (bots.length === BOTS_ASKED) break;
  }
  const groups = Map.groupBy(
    bots.filter(({ reason }) => reason !== undefined),
    ({ reason }) => reason?.code,
  );
  const [group = []] = [...groups.values()].toSorted((a, b) => b.length - a.length);
  const [{ reason } = {}] = group;
  if (!reason) return undefined;
  const [next] = group.flatMap(({ wait_until }) => wait_until ?? []).toSorted();
  const until = next === undefined ? '' : ` The next try is at ${formatTime(next)} UTC.`;
  return `Bots wait: ${reason.message} ${reason.fix}${until}`;
};

/** Says why bots wait as soon as they do, and again when another reason is the commonest. */
const createReasonWatch = (api: ApiClient, display: Display) => {
  const said = new Set<string>();
  let askedAtMs = -Infinity;
  return async ({ batch_id, states }: BatchView, atMs: number): Promise<void> => {
    if (states.waiting === 0 || atMs - askedAtMs < REASON_PAUSE_MS) return;
    askedAtMs = atMs;
    const line = await describeCommonestReason(api, batch_id);
    const key = line?.replace(/ The next try is at .*/, '');
    if (line === undefined || key === undefined || said.has(key)) return;
    said.add(key);
    display.note(line);
  };
};

/** An API that has answered before may restart, or be busy with a large list: it is waited for this long. */
const MAX_OUTAGE_MS = 15 * 60_000;
const OUTAGE_PAUSE_MS = 1_000;

const isOutage = (error: unknown): boolean =>
  error instanceof RequestError &&
  (!(error instanceof ApiError) || error.status >= 500 || error.status === 429);

/** Does `ask` again and again while the API does not answer, and says so once. Throws what else it throws. */
const outlast = async <Answer>(
  ask: () => Promise<Answer>,
  display: Display,
  signal: AbortSignal,
  pauseMs: number,
): Promise<Answer> => {
  const startedAtMs = performance.now();
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await ask();
      if (attempt > 0) display.note('The API answers again.');
      return answer;
    } catch (error) {
      if (!isOutage(error) || performance.now() - startedAtMs > MAX_OUTAGE_MS) throw error;
      if (attempt === 0)
        display.note(
          `${(error as RequestError).message} Waiting up to ${formatDuration(MAX_OUTAGE_MS / 1_000)} for it; Ctrl-C stops watching.`,
        );
      await sleep(pauseMs, undefined, { signal });
    }
  }
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

export interface FollowOptions {
  /** @default 500 */
  readonly pollMs?: number;
  /** The API has answered before: when it stops, it is waited for from the beginning. @default false */
  readonly hasAnswered?: boolean;
}

/**
 * Returns the batch as soon as its bots are finished or wait for long, or as the batch is stopped. Writes progress to
 * `stream`, why bots wait, and that the API does not answer for a while.
 */
export const followBatch = async (
  api: ApiClient,
  batch_id: string,
  stream: Terminal['stderr'],
  signal: AbortSignal,
  { pollMs = POLL_MS, hasAnswered = false }: FollowOptions = {},
): Promise<BatchView> => {
  const display = stream.isTTY ? startBar(stream) : startLines(stream);
  const measure = createMeter();
  const explainWaiting = createReasonWatch(api, display);
  let finalPolls = 0;
  const poll = async () => {
    const startedAtMs = performance.now();
    const batch = await api.readBatch(batch_id);
    const nowMs = performance.now();
    await explainWaiting(batch, nowMs);
    display.show(measure(batch, nowMs));
    return { batch, tookMs: nowMs - startedAtMs, isEnd: await isAtEnd(api, batch, Date.now()) };
  };
  try {
    for (let mayWait = hasAnswered; ; mayWait = true) {
      const { batch, tookMs, isEnd } = await (mayWait
        ? outlast(poll, display, signal, Math.min(OUTAGE_PAUSE_MS, pollMs))
        : poll());
      finalPolls = isEnd ? finalPolls + 1 : 0;
      if (finalPolls === FINAL_POLLS) return batch;
      await sleep(Math.max(pollMs, POLL_PAUSE_FACTOR * tookMs), undefined, { signal });
    }
  } finally {
    display.stop();
  }
};
