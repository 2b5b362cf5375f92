/** Runs a function at regular intervals, as EventBridge Scheduler does. */
import { randomUUID } from 'node:crypto';
import type { ScheduledEvent } from 'aws-lambda';
import { ACCOUNT, REGION } from './client-config.ts';
import { invoke, type LocalFunction, toError } from './invocation.ts';

export interface ScheduleOptions extends LocalFunction<ScheduledEvent> {
  readonly everySeconds: number;
  /** Called for each scheduled run that failed. */
  readonly onError?: (error: Error) => void;
}

const createEvent = (functionName: string): ScheduledEvent => ({
  version: '0',
  id: randomUUID(),
  'detail-type': 'Scheduled Event',
  source: 'aws.scheduler',
  account: ACCOUNT,
  time: `${new Date().toISOString().slice(0, 19)}Z`,
  region: REGION,
  resources: [`arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/default/${functionName}`],
  detail: '{}',
});

/** Starts the schedule; the first run comes after `everySeconds`. Runs never overlap: a tick in a long run is skipped. */
export const startSchedule = (options: ScheduleOptions) => {
  const { functionName, everySeconds, onError } = options;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const run = (): Promise<unknown> => {
    waiting += 1;
    const next = last.then(() => invoke(options, createEvent(functionName)));
    last = next
      .catch(() => undefined)
      .finally(() => {
        waiting -= 1;
      });
    return next;
  };

  const timer = setInterval(() => {
    if (waiting === 0) run().catch((error) => onError?.(toError(error)));
  }, everySeconds * 1_000);

  return {
    /** Runs now, after the current run if there is one. Throws what the handler throws. */
    runNow: async (): Promise<void> => {
      await run();
    },
    /** Starts no further run and waits for the current one. */
    stop: async (): Promise<void> => {
      clearInterval(timer);
      await last;
    },
  };
};
