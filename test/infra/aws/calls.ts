/**
 * Records the calls of each function to AWS while the embedded stack processes a list. Each function signs with its name
 * as access key id, so that a proxy before the emulators knows the caller.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as forward, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startEmbeddedStack } from '../../../infra/local/embedded-stack.ts';
import {
  type FunctionName,
  functionNames,
  type QueueName,
  queueNames,
} from '../../../lib/model/deployment.ts';
import type { Environment } from '../../../lib/runtime/config.ts';

/** By function: lines such as `dynamodb:GetItem on table`, in the form that listPermissions uses for a role. */
export type RecordedCalls = Readonly<Record<FunctionName, ReadonlySet<string>>>;
type Body = Readonly<Record<string, unknown>>;

const readQueueName = (url: unknown) => String(url).split('/').at(-1) ?? '';

const secretLine = (action: string, body: Body) => {
  const id = String(body.SecretId ?? body.Name);
  const secrets = id.startsWith('enlist/enrolment/') ? 'enlist/enrolment/*' : 'enlist/*';
  const isRecoverable = action === 'DeleteSecret' && body.ForceDeleteWithoutRecovery !== true;
  return `${action} on secrets ${secrets}${isRecoverable ? ' with recovery' : ''}`;
};

const objectActions: Readonly<Record<string, string>> = {
  GET: 'GetObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
};

/** The permission that IAM would check for this request. */
const describeCall = ({ method = '', headers }: IncomingMessage, text: string): string => {
  const [service = '', action = ''] = String(headers['x-amz-target'] ?? '').split('.');
  if (service === '') return `s3:${objectActions[method] ?? method} on objects *`;
  const body = JSON.parse(text) as Body;
  if (service.startsWith('DynamoDB')) {
    return `dynamodb:${action} on ${body.IndexName === undefined ? 'table' : `index ${body.IndexName}`}`;
  }
  if (service === 'AmazonSQS')
    return `sqs:${action.replace(/Batch$/, '')} on queue ${readQueueName(body.QueueUrl)}`;
  return `secretsmanager:${secretLine(action, body)}`;
};

const isFunction = (name: string): name is FunctionName =>
  (functionNames as readonly string[]).includes(name);
const isQueue = (name: string): name is QueueName => (queueNames as readonly string[]).includes(name);

/** On AWS Lambda receives and deletes messages with the role of the function, here the embedded stack does. */
const findCaller = (accessKeyId: string, line: string): FunctionName | undefined => {
  if (isFunction(accessKeyId)) return accessKeyId;
  const [, queue = ''] = /^sqs:(?:Receive|Delete)Message on queue (.*)$/.exec(line) ?? [];
  return isQueue(queue) ? queue : undefined;
};

const startRecorder = async (target: string, record: (accessKeyId: string, line: string) => void) => {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const [, accessKeyId = ''] = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '') ?? [];
    record(accessKeyId, describeCall(request, body.toString('utf8')));
    const options = { method: request.method ?? 'GET', headers: request.headers };
    forward(new URL(request.url ?? '/', target), options, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    })
      .on('error', () => response.destroy())
      .end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, close };
};

const functionUrl = (name: FunctionName) =>
  pathToFileURL(fileURLToPath(new URL(`../../../functions/${name}.ts`, import.meta.url))).href;

/** A module for each function that builds its handler with its name as access key id. */
const writeSigners = (folder: string) => {
  const files = functionNames.map((name) => {
    const file = join(folder, `${name}.mjs`);
    writeFileSync(
      file,
      `import { createHandler as create } from ${JSON.stringify(functionUrl(name))};
export const createHandler = (environment, write) => create({ ...environment, AWS_ACCESS_KEY_ID: '${name}' }, write);
`,
    );
    return [name, file] as const;
  });
  return Object.fromEntries(files) as Record<FunctionName, string>;
};

/** Starts the embedded stack, lets `use` work with it, and returns what every function called. */
export const recordCalls = async (
  mixinUrl: string,
  use: (url: string, recheckNow: () => Promise<void>) => Promise<void>,
): Promise<RecordedCalls> => {
  await using stack = new AsyncDisposableStack();
  const calls = Object.fromEntries(functionNames.map((name) => [name, new Set<string>()])) as Record<
    FunctionName,
    Set<string>
  >;
  const record = (accessKeyId: string, line: string) => {
    const caller = findCaller(accessKeyId, line);
    if (caller) calls[caller].add(line);
  };
  const folder = mkdtempSync(join(tmpdir(), 'enlist-calls-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const wrapEndpoints = async (aws: Environment): Promise<Environment> => {
    const changed: Record<string, string | undefined> = { ...aws };
    for (const [name, target] of Object.entries(aws)) {
      if (!name.startsWith('AWS_ENDPOINT_URL') || target === undefined) continue;
      const recorder = await startRecorder(target, record);
      stack.defer(recorder.close);
      changed[name] = recorder.url;
      for (const [other, value] of Object.entries(aws)) {
        if (other.startsWith('ENLIST_') && value?.startsWith(target)) {
          changed[other] = value.replace(target, recorder.url);
        }
      }
    }
    return changed;
  };
  const bundles = writeSigners(folder);
  const embedded = await startEmbeddedStack({ mixinUrl, bundles, wrapEndpoints, log: () => undefined });
  stack.defer(() => embedded.stop());
  await use(embedded.url, () => embedded.recheckNow());
  return calls;
};
