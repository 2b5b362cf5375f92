/** Time in a history: it passes only when something happens. */
export interface Clock {
  /** What Enlist takes for the time, in milliseconds since 1970. */
  readonly now: () => number;
  /** What Mixin, the queues and everybody else take for it. */
  readonly right: () => number;
  pass(milliseconds: number): void;
  /** From now on Enlist's clock is so far ahead, or behind where this is negative. */
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
