/**
 * The states of a bot and the moves between them, as data. A move names the states it may start from,
 * and that list is the condition of the write. docs/flow.md draws the same and a test compares the two.
 */
export const states = [
  'queued',
  'enrolling',
  'registering',
  'registered',
  'external',
  'waiting',
  'unsure',
  'blocked',
  'failed',
  'enrolled',
] as const;
export type BotState = (typeof states)[number];

export interface Move {
  readonly from: readonly BotState[];
  readonly to: BotState;
}

/** A step still works on these without an operator. */
export const unfinishedStates = ['queued', 'enrolling', 'registering', 'waiting', 'unsure'] as const;
/** Those of them that have an account. */
const known = ['queued', 'registering', 'waiting', 'unsure'] as const;
const audited = ['registered', 'external'] as const;

export const moves = {
  /** enroll starts on a row that has no account yet. */
  enroll: { from: ['queued', 'waiting'], to: 'enrolling' },
  /** The account is there and has a row of its own; this row ends. */
  conclude: { from: ['enrolling'], to: 'enrolled' },
  /** check found an account without Safe: it gets a key and is registered next. */
  accept: { from: ['queued', 'waiting', 'unsure'], to: 'registering' },
  /** Mixin shows the account in Safe with the key in the vault. */
  confirm: { from: [...known, ...audited], to: 'registered' },
  /** Mixin shows the account in Safe with a key that is not in the vault, or does not show the key. */
  mark_external: { from: [...known, 'external'], to: 'external' },
  /** Not now: checked again at a given time. */
  postpone: { from: unfinishedStates, to: 'waiting' },
  /** A POST was sent and its outcome is unknown: only a GET can tell, or an operator where there is none. */
  mark_unsure: { from: ['enrolling', 'registering', 'unsure'], to: 'unsure' },
  /** An operator must act. */
  block: { from: [...unfinishedStates, ...audited], to: 'blocked' },
  /** Never again. */
  fail: { from: unfinishedStates, to: 'failed' },
  /** An operator asked for a retry, or listed the bot again with a changed row. */
  requeue: { from: ['queued', 'waiting', 'blocked', 'failed', 'external'], to: 'queued' },
  /** An operator wants a call whose answer was lost to be sent again, although it may cost twice. */
  resend: { from: ['unsure'], to: 'queued' },
} as const satisfies Record<string, Move>;
export type MoveName = keyof typeof moves;

/** From these an operator may retry a bot (`unsure`: of an enrolment only). */
export const retryStates = ['blocked', 'failed', 'waiting', 'external', 'unsure'] as const;

/** May this move be made from that state? */
export const allows = (move: MoveName, from: BotState): boolean =>
  (moves[move].from as readonly BotState[]).includes(from);
