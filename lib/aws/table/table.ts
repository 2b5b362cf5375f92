/**
 * The rows, in DynamoDB. Every write of a bot is a compare-and-set on its revision, and carries an id of its
 * own: when the SDK resends a write whose answer was lost, the second one fails its condition, and the id
 * tells our own success from somebody else's.
 */
import type { Table } from '../../model/ports.ts';
import { createBatchRows } from './batches.ts';
import { createBotRows } from './bots.ts';
import { createItems, type ItemsOptions } from './items.ts';

/** Document client options this table needs: numbers beyond 2^53 (PIN iterators) come back as bigint. */
export const translateConfig = {
  marshallOptions: { removeUndefinedValues: true },
  unmarshallOptions: {
    wrapNumbers: (text: string) =>
      Number.isInteger(Number(text)) && !Number.isSafeInteger(Number(text)) ? BigInt(text) : Number(text),
  },
};

export const createTable = (options: ItemsOptions): Table => {
  const items = createItems(options);
  return { ...createBotRows(options, items), ...createBatchRows(options, items) };
};
