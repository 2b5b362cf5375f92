/** The one clock of a history: it moves only when something happens. */
export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  pass(milliseconds: number): void;
}

const START_MS = Date.UTC(2026, 0, 5, 9);

export const startClock = (): Clock => {
  let nowMs = START_MS;
  return {
    now: () => nowMs,
    pass: (milliseconds) => {
      nowMs += milliseconds;
    },
  };
};
