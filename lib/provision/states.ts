/**
 * The states of a bot and the moves between them, as data. A move names the states it may start from,
 * and that list is the condition of the write. docs/flow.md draws the same and a test compares the two.
 */
export const states = [
  'queued',
  'registering',
  'registered',
  'external',
  'waiting',
  'unsure',
  'blocked',
  'failed',
] as const;
export type BotState = (typeof states)[number];

export interface Move {
  readonly from: readonly BotState[];
  readonly to: BotState;
}

/** Something will still happen to these by itself. */
export const open = ['queued', 'registering', 'waiting', 'unsure'] as const;
const audited = ['registered', 'external'] as const;

export const moves = {
  /** check found an account without Safe: it gets a key and is registered next. */
  accept: { from: ['queued', 'waiting', 'unsure'], to: 'registering' },
  /** Mixin shows the account in Safe with the key we keep. */
  confirm: { from: [...open, ...audited], to: 'registered' },
  /** Mixin shows the account in Safe with a key that is not ours. */
  disown: { from: [...open, 'external'], to: 'external' },
  /** Not now: again at a given time. */
  postpone: { from: open, to: 'waiting' },
  /** A POST was sent and its outcome is unknown: only a GET can settle it. */
  doubt: { from: ['registering', 'unsure'], to: 'unsure' },
  /** An operator must act. */
  block: { from: [...open, ...audited], to: 'blocked' },
  /** Never again. */
  fail: { from: open, to: 'failed' },
  /** An operator asked for another try, or listed the bot again with news. */
  requeue: { from: ['queued', 'waiting', 'blocked', 'failed', 'external'], to: 'queued' },
} as const satisfies Record<string, Move>;
export type MoveName = keyof typeof moves;

/** From these an operator may ask for another try; the others go on by themselves, or are done. */
export const retryStates = ['blocked', 'failed', 'waiting', 'external'] as const;

/** May this move be made from that state? */
export const allows = (move: MoveName, from: BotState): boolean =>
  (moves[move].from as readonly BotState[]).includes(from);
