/**
 * The rows, in DynamoDB. Every write of a bot depends on the row's revision, and carries an id of its own: when the
 * SDK sends a write again because the answer was lost, the second one fails its condition, and the id shows that the
 * first one succeeded.
 */
import type { Table } from '../../model/ports.ts';
import { createBatchRows } from './batches.ts';
import { createBotRows } from './bots.ts';
import { createCounts } from './counts.ts';
import { createItems, type ItemsOptions } from './items.ts';

/** Options of the document client: numbers beyond 2^53 (PIN iterators) are read as bigint. */
export const translateConfig = {
  marshallOptions: { removeUndefinedValues: true },
  unmarshallOptions: {
    wrapNumbers: (text: string) =>
      Number.isInteger(Number(text)) && !Number.isSafeInteger(Number(text)) ? BigInt(text) : Number(text),
  },
};

export const createTable = (options: ItemsOptions): Table => {
  const items = createItems(options);
  return {
    ...createBotRows(options, items),
    ...createBatchRows(options, items),
    ...createCounts(options.tableName, items),
  };
};
