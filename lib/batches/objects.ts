/** Where a list and its chunks lie in the bucket, until they are taken in. */

export const listKey = (batch_id: string) => `${batch_id}/list`;
export const chunkKey = (batch_id: string, chunk: number) =>
  `${batch_id}/chunk-${String(chunk).padStart(5, '0')}.json`;
