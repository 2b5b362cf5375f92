/** A step that a schedule starts becomes a handler. What it throws fails the invocation, and an alarm sees it. */
import middy from '@middy/core';
import type { FunctionName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { type CreateHandler, connectFunction, type Handler } from './handler.ts';
import { type ContextWithDeadline, deadline } from './middlewares/deadline.ts';
import { smokeTest } from './middlewares/smoke-test.ts';

/** `deadlineMs` is when the step must end (milliseconds since 1970). */
export const scheduledFunction =
  (name: FunctionName, step: (services: Services, deadlineMs: number) => Promise<void>): CreateHandler =>
  (environment, write) => {
    const { services, runSmokeTest } = connectFunction(name, environment, write);
    return middy((_event: unknown, { deadlineMs }: ContextWithDeadline) => step(services, deadlineMs)).use([
      smokeTest(runSmokeTest),
      deadline(services.now),
    ] as middy.MiddlewareObj[]) as unknown as Handler;
  };
