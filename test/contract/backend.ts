/** The contracts share a backend to run on, and a proxy that injects faults into the calls to it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Services } from '../../lib/model/ports.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';

/** AWS, or emulators of what Enlist needs from it. */
export interface Backend {
  /** Every variable that lib/runtime/config.ts reads, but MIXIN_URL. */
  readonly environment: Environment;
  /** How long to wait for a message: SQS may hide one for a moment. @default 0 */
  readonly receiveWaitSeconds?: number;
  stop(): Promise<void>;
}
export type StartBackend = () => Promise<Backend>;

const createConfig = (environment: Environment) =>
  readConfig({ ...environment, MIXIN_URL: 'http://127.0.0.1:9' });

/** The services as a function gets them: through the real AWS SDK. */
export const connectServices = (environment: Environment): Services =>
  connect(createConfig(environment), () => undefined).services;

/** Options for a client that a test makes itself. */
export const clientOptions = (environment: Environment, service: 'dynamodb' | 'secretsManager' | 'sqs') => {
  const { region, credentials, endpoints } = createConfig(environment).aws;
  const endpoint = endpoints[service];
  return { region, ...(endpoint !== undefined && { endpoint }), ...(credentials && { credentials }) };
};

export interface Call {
  /** The operation, as in `PutItem`. */
  readonly action: string;
  readonly body: Buffer;
}

/** What goes wrong with one call. */
export interface Fault {
  /** Sent to the service instead of the caller's body. */
  readonly body?: Buffer;
  /** The proxy answers this itself: the call has no effect. */
  readonly instead?: Buffer;
  /** The caller gets another body, or nothing (`lost`): the call has its effect and the connection breaks. */
  readonly answer?: 'lost' | ((body: Buffer) => Buffer);
}

export interface Proxy {
  readonly url: string;
  /** The actions of all calls, in order. */
  readonly actions: string[];
}

const OMITTED_HEADERS = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'x-amz-crc32',
  'content-encoding',
]);

const copyHeaders = (headers: Iterable<[string, string | string[] | undefined]>) =>
  Object.fromEntries(
    [...headers].flatMap(([name, value]) =>
      value === undefined || OMITTED_HEADERS.has(name) || name === 'host' ? [] : [[name, String(value)]],
    ),
  );

/**
 * Starts a proxy in front of a service, for the length of a test. `chooseFault` sees each call first; undefined lets
 * the call pass.
 */
export const startProxy = async (
  target: string,
  chooseFault: (call: Call) => Fault | undefined | Promise<Fault | undefined>,
): Promise<Proxy> => {
  const actions: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const action = String(request.headers['x-amz-target'] ?? request.method).replace(/^.*\./, '');
    actions.push(action);
    const fault = await chooseFault({ action, body });
    if (fault?.instead) {
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(fault.instead);
      return;
    }
    const answer = await fetch(`${target}${request.url ?? '/'}`, {
      method: request.method ?? 'GET',
      headers: copyHeaders(Object.entries(request.headers)),
      ...(body.length > 0 && { body: new Uint8Array(fault?.body ?? body) }),
    });
    const answerBody = Buffer.from(await answer.arrayBuffer());
    if (fault?.answer === 'lost') {
      response.destroy();
      return;
    }
    response.writeHead(answer.status, copyHeaders(answer.headers));
    response.end(fault?.answer ? fault.answer(answerBody) : answerBody);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, actions };
};

/** Loses the answer of the first call of this action. */
export const loseFirstAnswer = (action: string) => {
  let lost = false;
  return (call: Call): Fault | undefined => {
    if (lost || call.action !== action) return undefined;
    lost = true;
    return { answer: 'lost' };
  };
};
