/** The rows of batches, and the errors of their lists. */

import { BatchWriteCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import type { Batch } from '../../model/batch.ts';
import type { ListSummary, Page, Table, VerificationRecord } from '../../model/ports.ts';
import type { Problem, RowError } from '../../model/problem.ts';
import { pauseAfter } from '../throttling.ts';
import {
  type Item,
  type Items,
  type ItemsOptions,
  isConditionFailure,
  readCursor,
  updateParts,
  withoutOwn,
  writeCursor,
} from './items.ts';

const BATCH_WRITE_MAX = 25;

const verificationKey = (verification_id: string) => ({
  pk: `verification#${verification_id}`,
  sk: 'verification',
});
const batchKey = (batch_id: string) => ({ pk: `batch#${batch_id}`, sk: 'batch' });
/** The same error of the same row has the same key, whoever writes it and how often. */
const errorSortKey = ({ row, field, code }: RowError) =>
  `error#${String(row).padStart(9, '0')}#${field}#${code}`;

const toBatch = (item: Item): Batch => {
  const done = item.chunks_done instanceof Set ? [...(item.chunks_done as Set<number>)] : [];
  return { ...(withoutOwn(item) as unknown as Batch), chunks_done: done.sort((a, b) => a - b) };
};

const errorCursor = z.object({ sk: z.string().startsWith('error#').max(300) });

export type BatchRows = Omit<
  Table,
  'readBot' | 'createBot' | 'updateBot' | 'listDueBots' | 'listBots' | 'countBots'
>;

export const createBatchRows = (
  { client, tableName: TableName, randomId }: ItemsOptions,
  { getItem, ourOwnWrite, putNew }: Items,
): BatchRows => {
  return {
    readBatch: async (batch_id) => {
      const item = await getItem(batchKey(batch_id));
      return item && toBatch(item);
    },

    createBatch: async ({ chunks_done: _, ...batch }) => {
      const item = await putNew(batchKey(batch.batch_id), batch);
      return item && toBatch(item);
    },

    recordListSummary: async (batch_id, read: ListSummary) => {
      const write_id = randomId();
      const parts = updateParts({ problem: undefined, ...read, write_id });
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName,
            Key: batchKey(batch_id),
            ...parts,
            ExpressionAttributeValues: {
              ...parts.ExpressionAttributeValues,
              ':received': 'received',
              ':stuck': 'stuck',
            },
            ConditionExpression: '#status IN (:received, :stuck)',
            ReturnValues: 'ALL_NEW',
          }),
        );
        return Attributes && toBatch(Attributes);
      } catch (error) {
        if (!isConditionFailure(error)) throw error;
        const item = await ourOwnWrite(batchKey(batch_id), write_id);
        return item && toBatch(item);
      }
    },

    confirmBatch: async (batch_id) => {
      const write_id = randomId();
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName,
            Key: batchKey(batch_id),
            UpdateExpression: 'SET #status = :status, write_id = :write_id',
            ExpressionAttributeNames: { '#status': 'status' },
            ExpressionAttributeValues: {
              ':status': 'importing',
              ':planned': 'planned',
              ':write_id': write_id,
            },
            ConditionExpression: '#status = :planned',
            ReturnValues: 'ALL_NEW',
          }),
        );
        return Attributes && toBatch(Attributes);
      } catch (error) {
        if (!isConditionFailure(error)) throw error;
        const item = await ourOwnWrite(batchKey(batch_id), write_id);
        return item && toBatch(item);
      }
    },

    recordChunkDone: async (batch_id, chunk) => {
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName,
          Key: batchKey(batch_id),
          UpdateExpression: 'ADD chunks_done :chunk',
          ExpressionAttributeValues: { ':chunk': new Set([chunk]) },
          ConditionExpression: 'attribute_exists(pk)',
          ReturnValues: 'ALL_NEW',
        }),
      );
      const batch = toBatch(Attributes ?? {});
      if (batch.chunks_done.length < batch.chunks || batch.status === 'imported') return batch;
      const finished = await client.send(
        new UpdateCommand({
          TableName,
          Key: batchKey(batch_id),
          UpdateExpression: 'SET #status = :status REMOVE problem',
          ExpressionAttributeNames: { '#status': 'status' },
          ExpressionAttributeValues: { ':status': 'imported' },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return toBatch(finished.Attributes ?? {});
    },

    recordStuck: async (batch_id, problem: Problem) => {
      await client
        .send(
          new UpdateCommand({
            TableName,
            Key: batchKey(batch_id),
            UpdateExpression: 'SET #status = :status, problem = :problem',
            ExpressionAttributeNames: { '#status': 'status' },
            ExpressionAttributeValues: {
              ':status': 'stuck',
              ':problem': problem,
              ':received': 'received',
              ':importing': 'importing',
            },
            ConditionExpression: '#status IN (:status, :received, :importing)',
          }),
        )
        .catch((error: unknown) => {
          // It was read, or taken in, after all: there is nothing left to be stuck on.
          if (!isConditionFailure(error)) throw error;
        });
    },

    putRowErrors: async (batch_id, errors) => {
      const items = new Map(errors.map((error) => [errorSortKey(error), error]));
      let requests = [...items].map(([sk, error]) => ({
        PutRequest: { Item: { ...error, pk: `batch#${batch_id}`, sk } as Item },
      }));
      for (let attempt = 0; requests.length > 0; ) {
        const { UnprocessedItems } = await client.send(
          new BatchWriteCommand({ RequestItems: { [TableName]: requests.slice(0, BATCH_WRITE_MAX) } }),
        );
        const again = (UnprocessedItems?.[TableName] ?? []) as typeof requests;
        requests = [...again, ...requests.slice(BATCH_WRITE_MAX)];
        // A partition has had enough for the moment.
        if (again.length > 0) await pauseAfter(attempt, `DynamoDB left ${again.length} items unwritten`);
        attempt = again.length > 0 ? attempt + 1 : 0;
      }
    },

    createVerification: async (verification) => {
      await putNew(verificationKey(verification.verification_id), { ...verification });
    },

    readVerification: async (verification_id) => {
      const item = await getItem(verificationKey(verification_id));
      return item && (withoutOwn(item) as unknown as VerificationRecord);
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
      const items = (Items ?? []).map((item) => withoutOwn(item) as unknown as RowError);
      return LastEvaluatedKey ? { items, cursor: writeCursor({ sk: LastEvaluatedKey.sk }) } : { items };
    },
  };
};
