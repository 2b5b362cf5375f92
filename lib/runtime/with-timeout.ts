/**
 * Settles as `work` does, or rejects with what `createError` returns when `timeoutMs` are over. Nobody waits for the
 * work any longer then, but it is not stopped.
 */
export const withTimeout = async <T>(
  work: Promise<T>,
  timeoutMs: number,
  createError: () => Error,
): Promise<T> => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(createError()), Math.max(0, timeoutMs));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};
