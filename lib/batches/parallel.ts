/** Does the work for every item, `workers` at a time. The results are in the order in which the work ended. */
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
