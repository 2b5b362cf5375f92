import type { ScheduledEvent } from 'aws-lambda';
import { expect, onTestFinished, test } from 'vitest';
import { type ScheduleOptions, startSchedule } from '../../../infra/local/schedule.ts';
import { eventually } from './helpers.ts';

const start = (handler: ScheduleOptions['handler'], options: Partial<ScheduleOptions> = {}) => {
  const schedule = startSchedule({
    functionName: 'recheck',
    everySeconds: 3_600,
    timeoutSeconds: 5,
    handler,
    ...options,
  });
  onTestFinished(() => schedule.stop());
  return schedule;
};

test('the schedule runs its function again and again', async () => {
  let runs = 0;
  start(
    async () => {
      runs += 1;
    },
    { everySeconds: 0.01 },
  );
  expect(runs).toBe(0);
  await eventually(() => expect(runs).toBeGreaterThan(2));
});

test('the schedule gives its function a scheduled event and a context', async () => {
  const runs: { event: ScheduledEvent; name: string; remaining: number }[] = [];
  const schedule = start(async (event, context) => {
    runs.push({ event, name: context.functionName, remaining: context.getRemainingTimeInMillis() });
  });
  await schedule.runNow();
  expect(runs).toEqual([
    {
      event: {
        version: '0',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        'detail-type': 'Scheduled Event',
        source: 'aws.scheduler',
        account: '000000000000',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        region: 'us-east-1',
        resources: ['arn:aws:scheduler:us-east-1:000000000000:schedule/default/recheck'],
        detail: '{}',
      },
      name: 'recheck',
      remaining: expect.closeTo(5_000, -3),
    },
  ]);
});

test('runs of a schedule never overlap, neither timed ones nor those of runNow', async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const schedule = start(
    async () => {
      running += 1;
      runs += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 15));
      running -= 1;
    },
    { everySeconds: 0.002 },
  );
  await Promise.all([schedule.runNow(), schedule.runNow(), schedule.runNow()]);
  await eventually(() => expect(runs).toBeGreaterThan(4));
  expect(most).toBe(1);
});

test('onError is called for a failed run, and the next run follows', async () => {
  const errors: string[] = [];
  start(async () => Promise.reject(new Error('crash')), {
    everySeconds: 0.01,
    onError: ({ message }) => errors.push(message),
  });
  await eventually(() => expect(errors.slice(0, 2)).toEqual(['crash', 'crash']));
});

test('runNow throws the error of its run, or a time-out', async () => {
  const errors: Error[] = [];
  const failing = start(async () => Promise.reject(new Error('crash')), {
    onError: (error) => errors.push(error),
  });
  await expect(failing.runNow()).rejects.toThrow('crash');
  expect(errors).toEqual([]);
  const endless = start(() => new Promise(() => undefined), { timeoutSeconds: 0.01 });
  await expect(endless.runNow()).rejects.toThrow('timed out');
});

test('stop waits for the current run, and no run follows, although its time has passed', async () => {
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const schedule = start(
    async () => {
      runs += 1;
      await gate.promise;
    },
    { everySeconds: 0.005 },
  );
  await eventually(() => expect(runs).toBe(1));
  await new Promise((resolve) => setTimeout(resolve, 30));
  let isStopped = false;
  const stopping = schedule.stop().then(() => {
    isStopped = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isStopped).toBe(false);
  gate.resolve();
  await stopping;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(runs).toBe(1);
});
