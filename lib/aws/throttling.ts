/** How AWS says that it is throttled, and how long to wait before the next try. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The names of such errors. LimitExceededException is not one of them, though the SDK retries it: Secrets Manager
 * uses it to say that there are too many secrets, and waiting does not fix that.
 */
const names: ReadonlySet<string> = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'KmsThrottled',
  'SlowDown',
  'ServiceUnavailable',
  'ThrottlingError',
]);

/** AWS answered 200 and left a part undone, each time. */
export class ThrottlingError extends Error {
  override readonly name = 'ThrottlingError';
}

/** Nothing is wrong with the call: the same one can succeed later. */
export const isThrottled = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return names.has(error.name) || $metadata?.httpStatusCode === 429 || $metadata?.httpStatusCode === 503;
};

const PAUSE_MS = 100;
/** 100, 200, 400 … milliseconds: three seconds in all. */
const PAUSES = 5;

/** Waits after the nth answer (from 0) that left a part undone; throws ThrottlingError after the last. */
export const pauseAfter = async (attempt: number, undone: string): Promise<void> => {
  if (attempt >= PAUSES) throw new ThrottlingError(undone);
  await sleep(PAUSE_MS * 2 ** attempt);
};
