/** Writes on the context when the invocation began and when its work must end. */
import type { MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';

/** The time that is left for the end of an invocation: to answer, and to write down what failed. */
const SPARE_MS = 1_000;

/** Thrown when the time is over. The work goes on until Lambda freezes or ends the process. */
export class OutOfTime extends Error {
  override readonly name = 'OutOfTime';
}

/** Milliseconds since 1970, both. */
export interface Deadline {
  readonly startedMs: number;
  readonly deadlineMs: number;
}
export type ContextWithDeadline = Context & Deadline;

export const createOutOfTime = () => new OutOfTime('the step ran out of time');

export const deadline = (now: () => number): MiddlewareObj => ({
  before: ({ context }) => {
    const startedMs = now();
    const deadlineMs = startedMs + context.getRemainingTimeInMillis() - SPARE_MS;
    Object.assign(context, { startedMs, deadlineMs } satisfies Deadline);
  },
});

/** Settings of middy: a handler that has not answered by the deadline fails with OutOfTime. */
export const failAtDeadline = {
  timeoutEarlyInMillis: SPARE_MS,
  timeoutEarlyResponse: () => {
    throw createOutOfTime();
  },
};
