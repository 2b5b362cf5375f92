/** How AWS says that it throttles us, and what is sent again after a pause. */
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

/**
 * Sends the items in parts of at most `size`. What AWS leaves undone of a part is sent again after a pause; after the
 * last pause it is a ThrottlingError.
 * @param send returns the items that were left undone
 */
export const sendInParts = async <T>(
  items: readonly T[],
  size: number,
  send: (part: readonly T[]) => Promise<readonly T[]>,
): Promise<void> => {
  for (let start = 0; start < items.length; start += size) {
    const part = items.slice(start, start + size);
    let undone = await send(part);
    for (let pauses = 0; undone.length > 0; pauses += 1) {
      if (pauses === PAUSES)
        throw new ThrottlingError(`AWS left ${undone.length} of ${part.length} items undone`);
      await sleep(PAUSE_MS * 2 ** pauses);
      undone = await send(undone);
    }
  }
};
