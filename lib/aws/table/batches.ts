/** The rows of batches, and the errors of their lists. */

import { BatchWriteCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Batch } from '../../model/batch.ts';
import type { Page, Table, VerificationRecord } from '../../model/ports.ts';
import type { RowError } from '../../model/problem.ts';
import { sendInParts } from '../unavailable.ts';
import type { BotRows } from './bots.ts';
import {
  ITEM_SCHEMA,
  type Item,
  type Items,
  type ItemsOptions,
  isAbsent,
  isOneOf,
  readCursor,
  toRecord,
  writeCursor,
} from './items.ts';

const BATCH_WRITE_MAX = 25;

const verificationKey = (verification_id: string) => ({
  pk: `verification#${verification_id}`,
  sk: 'verification',
});
const batchKey = (batch_id: string) => ({ pk: `batch#${batch_id}`, sk: 'batch' });
/** Depends on the row and its error alone, so that an error which is written again is stored once. */
const errorSortKey = ({ row, field, code }: RowError) =>
  `error#${String(row).padStart(9, '0')}#${field}#${code}`;

const toBatch = (item: Item): Batch => {
  const done = item.chunks_done instanceof Set ? [...(item.chunks_done as Set<number>)] : [];
  return { ...(toRecord(item) as unknown as Batch), chunks_done: done.sort((a, b) => a - b) };
};

const errorCursor = z.object({ sk: z.string().startsWith('error#').max(300) });

type BatchRows = Omit<Table, keyof BotRows | 'countBots'>;

export const createBatchRows = (
  { client, tableName: TableName }: ItemsOptions,
  { getItem, putNew, updateIf, repeatableUpdateIf }: Items,
): BatchRows => ({
  readBatch: async (batch_id) => {
    const item = await getItem(batchKey(batch_id));
    return item && toBatch(item);
  },

  createBatch: async ({ chunks_done: _, ...batch }) => {
    const item = await putNew(batchKey(batch.batch_id), batch);
    return item && toBatch(item);
  },

  recordListSummary: async (batch_id, summary) => {
    const item = await updateIf(batchKey(batch_id), {
      set: { problem: undefined, ...summary },
      conditions: [
        // guard: list-is-read-once
        isOneOf('status', ['received', 'stuck']),
        // guard: one-reading-counts
        isAbsent('reading'),
      ],
    });
    return item && toBatch(item);
  },

  confirmBatch: async (batch_id) => {
    const item = await updateIf(batchKey(batch_id), {
      set: { status: 'importing' },
      conditions: [
        // guard: only-a-plan-is-confirmed
        isOneOf('status', ['planned']),
      ],
    });
    return item && toBatch(item);
  },

  recordChunkDone: async (batch_id, chunk) => {
    const key = batchKey(batch_id);
    const item = await repeatableUpdateIf(key, { add: { chunks_done: new Set([chunk]) }, conditions: [] });
    if (!item) throw new Error(`There is no batch ${batch_id}, so chunk ${chunk} cannot be recorded.`);
    const batch = toBatch(item);
    if (batch.chunks_done.length < batch.chunks || batch.status === 'imported') return batch;
    const imported = await repeatableUpdateIf(key, {
      set: { status: 'imported', problem: undefined },
      conditions: [],
    });
    if (!imported) throw new Error(`Batch ${batch_id} was removed while it was imported.`);
    return toBatch(imported);
  },

  recordStuck: async (batch_id, problem) => {
    // A batch in any other status was read or imported after all: it is not stuck.
    await repeatableUpdateIf(batchKey(batch_id), {
      set: { status: 'stuck', problem },
      conditions: [isOneOf('status', ['stuck', 'received', 'importing'])],
    });
  },

  putRowErrors: async (batch_id, errors) => {
    const items = new Map(errors.map((error) => [errorSortKey(error), error]));
    const requests = [...items].map(([sk, error]) => ({
      PutRequest: { Item: { ...error, pk: `batch#${batch_id}`, sk, schema: ITEM_SCHEMA } as Item },
    }));
    await sendInParts(requests, BATCH_WRITE_MAX, async (part) => {
      const RequestItems = { [TableName]: [...part] };
      const { UnprocessedItems } = await client.send(new BatchWriteCommand({ RequestItems }));
      return (UnprocessedItems?.[TableName] ?? []) as typeof requests;
    });
  },

  createVerification: async (verification) => {
    await putNew(verificationKey(verification.verification_id), { ...verification });
  },

  readVerification: async (verification_id) => {
    const item = await getItem(verificationKey(verification_id));
    return item && (toRecord(item) as unknown as VerificationRecord);
  },

  listRowErrors: async (batch_id, limit, cursor): Promise<Page<RowError> | undefined> => {
    const start = cursor === undefined ? undefined : readCursor(errorCursor, cursor);
    if (cursor !== undefined && !start) return undefined;
    const { Items, LastEvaluatedKey } = await client.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: { ':pk': `batch#${batch_id}`, ':prefix': 'error#' },
        Limit: limit,
        ...(start && { ExclusiveStartKey: { pk: `batch#${batch_id}`, sk: start.sk } }),
      }),
    );
    const items = (Items ?? []).map((item) => toRecord(item) as unknown as RowError);
    return LastEvaluatedKey ? { items, cursor: writeCursor({ sk: LastEvaluatedKey.sk }) } : { items };
  },
});
