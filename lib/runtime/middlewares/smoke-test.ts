/** An empty event answers with a smoke test; the handler does not run. */
import type { MiddlewareObj } from '@middy/core';
import type { SmokeTestReport } from '../smoke-test.ts';

/**
 * Only an event with nothing in it: whatever SQS, API Gateway or a schedule sends has fields, and an event of an
 * unknown kind must fail loudly rather than pass for a smoke test.
 */
export const isEmptyEvent = (event: unknown): boolean => {
  if (event === null || event === undefined) return true;
  return typeof event === 'object' && !Array.isArray(event) && Object.keys(event).length === 0;
};

export const smokeTest = (run: () => Promise<SmokeTestReport>): MiddlewareObj => ({
  before: ({ event }) => (isEmptyEvent(event) ? run() : undefined),
});
