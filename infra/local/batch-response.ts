/** What a function answers about a batch of messages (ReportBatchItemFailures). */
import * as z from 'zod';

const response = z.object({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish(),
});

/**
 * Ids of the messages that failed. Nothing, an empty object and an empty list mean that all is done. Throws
 * when the answer is malformed or names a message that was not in the batch: the whole batch has failed then
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
 */
export const failedIds = (answer: unknown, batch: readonly string[]): ReadonlySet<string> => {
  if (answer === undefined || answer === null) return new Set();
  const parsed = response.safeParse(answer);
  if (!parsed.success) throw new Error('the function answered something that is no batch response');
  const failed = (parsed.data.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  if (failed.some((id) => !batch.includes(id)))
    throw new Error('the batch response names a message that was not in the batch');
  return new Set(failed);
};
