/** The time of a history: it passes only when something happens. */
export interface Clock {
  /** Enlist's time, in milliseconds since 1970. */
  readonly now: () => number;
  /** The right time, of Mixin and the queues. */
  readonly right: () => number;
  pass(milliseconds: number): void;
  /** Sets Enlist's clock ahead by so many milliseconds; negative: behind. */
  set(aheadMs: number): void;
}

const START_MS = Date.UTC(2026, 0, 5, 9);

export const startClock = (): Clock => {
  let rightMs = START_MS;
  let aheadMs = 0;
  return {
    now: () => rightMs + aheadMs,
    right: () => rightMs,
    pass: (milliseconds) => {
      rightMs += milliseconds;
    },
    set: (milliseconds) => {
      aheadMs = milliseconds;
    },
  };
};
