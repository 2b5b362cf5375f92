/** Does the work for every item, so many at a time; results come in the order of their ends. */
export const inParallel = async <T, R>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<R>,
) => {
  const results: R[] = [];
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
};
