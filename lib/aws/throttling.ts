/** AWS takes no more for the moment: how that is told, and how long it is then left alone. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What the services call it. LimitExceededException is not among them, though the SDK repeats it: that is how
 * Secrets Manager says that there are too many secrets, and no waiting mends that.
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
  'AwsBusy',
]);

/** Within a 200 AWS left something undone, again and again. */
export class AwsBusy extends Error {
  override readonly name = 'AwsBusy';
}

/** Nothing is wrong with what was asked: the same will do later. */
export const isBusy = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return names.has(error.name) || $metadata?.httpStatusCode === 429 || $metadata?.httpStatusCode === 503;
};

const PAUSE_MS = 100;
/** 100, 200, 400 … milliseconds: three seconds together. */
const PAUSES = 5;

/** Sits out the pause after the nth answer (from 0) that left something undone; throws AwsBusy after the last. */
export const pauseAfter = async (attempt: number, undone: string): Promise<void> => {
  if (attempt >= PAUSES) throw new AwsBusy(undone);
  await sleep(PAUSE_MS * 2 ** attempt);
};
