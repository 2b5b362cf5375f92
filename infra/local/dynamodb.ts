/** DynamoDB for one machine: dynalite, with the table of the deployment. */
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { Readable } from 'node:stream';
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { cut, isForeign, LOOPBACK, listen, readBody } from '../../emulators/loopback.ts';
import { table } from '../../lib/model/deployment.ts';
import { clientConfig } from './client-config.ts';

const MAX_BODY_BYTES = 17 * 1_048_576;

/** The request with its body already read: dynalite ends the process when a caller hangs up before the end. */
const bufferRequest = ({ method, url, headers }: IncomingMessage, body: Buffer): IncomingMessage =>
  Object.assign(Readable.from([body]), { method, url, headers }) as unknown as IncomingMessage;

/** Refuses requests of web pages, which dynalite would answer (CORS `*`). */
const refuseForeignRequests = (server: Server): void => {
  const [inner] = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', async (request, response) => {
    if (isForeign(request.headers)) {
      response.writeHead(403).end();
      return;
    }
    const body = await readBody(request, MAX_BODY_BYTES).catch(() => undefined);
    if (body) inner?.(bufferRequest(request, body), response);
    else response.destroy();
  });
};

const attributeNames = (): readonly string[] => [
  ...new Set(
    [table, ...Object.values(table.indexes)].flatMap(({ partitionKey, sortKey }) => [partitionKey, sortKey]),
  ),
];

const keySchema = ({ partitionKey, sortKey }: { partitionKey: string; sortKey: string }) => [
  { AttributeName: partitionKey, KeyType: 'HASH' as const },
  { AttributeName: sortKey, KeyType: 'RANGE' as const },
];

/** The table of the deployment, as CreateTable takes it. */
export const describeTable = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: attributeNames().map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
  KeySchema: keySchema(table),
  GlobalSecondaryIndexes: Object.entries(table.indexes).map(([IndexName, index]) => ({
    IndexName,
    KeySchema: keySchema(index),
    Projection: { ProjectionType: index.projection },
  })),
});

/** Creates the table of the deployment where it does not exist, and waits until it is ready. */
const ensureTable = async (endpoint: string, TableName: string): Promise<void> => {
  const client = new DynamoDBClient(clientConfig(endpoint));
  try {
    await client.send(new CreateTableCommand(describeTable(TableName))).catch((error: unknown) => {
      if (!(error instanceof ResourceInUseException)) throw error;
    });
    await waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 0.01, maxDelay: 1 }, { TableName });
  } finally {
    client.destroy();
  }
};

/** Starts DynamoDB on 127.0.0.1 with its data in `folder` (in memory without one) and creates the table. */
export const startDynamoDb = async (tableName: string, folder?: string) => {
  if (folder !== undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
  const server = dynalite({
    ...(folder !== undefined && { path: folder }),
    createTableMs: 0,
    updateTableMs: 0,
    deleteTableMs: 0,
  });
  refuseForeignRequests(server);
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  try {
    await ensureTable(url, tableName);
  } catch (error) {
    await cut(server);
    throw error;
  }
  return { url, stop: () => cut(server) };
};
