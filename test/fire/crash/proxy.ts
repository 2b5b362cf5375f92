/** A proxy in front of an AWS service or Mixin. An interceptor may delay each call, break it off, or drop it. */
import { Agent, createServer, type IncomingMessage, request as open, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ServiceName = 'table' | 'vault' | 'queues' | 'uploads' | 'mixin';

/** One HTTP call of a worker. */
export interface Call {
  readonly service: ServiceName;
  /** An AWS operation, or method and path with `:id` in place of ids. */
  readonly action: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** How a call ends: its answer goes back and something follows, or its connection breaks. */
export type Outcome = { readonly answer: Answer; readonly after?: () => void } | 'broken';

/** @param forward sends the call to its service */
export type Interceptor = (call: Call, forward: () => Promise<Answer>) => Promise<Outcome>;

export interface ServiceProxy {
  readonly url: string;
  stop(): void;
}

const readAll = async (stream: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const nameAction = ({ headers, method, url = '/' }: IncomingMessage): string => {
  const target = headers['x-amz-target'];
  if (target !== undefined) return String(target).replace(/^.*\./, '');
  return `${method} ${url.replace(/\?.*$/, '').replaceAll(ID, ':id')}`;
};

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);
const copyHeaders = (headers: IncomingMessage['headers']) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));

const send = (agent: Agent, target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { method, url, headers } = incoming;
    const options = { agent, method, headers: { ...copyHeaders(headers), 'content-length': body.length } };
    const request = open(target + url, options, (response) => {
      const { statusCode: status = 500, headers } = response;
      readAll(response).then((body) => resolve({ status, headers, body }), reject);
    });
    request.on('error', reject);
    request.end(body);
  });

const relay = (response: ServerResponse, { answer, after }: Exclude<Outcome, 'broken'>) => {
  const { status, headers, body } = answer;
  response.writeHead(status, { ...copyHeaders(headers), 'content-length': body.length });
  response.end(body, after);
};

/** @param rewrite changes the body that goes to the service */
export const startProxy = async (
  service: ServiceName,
  target: string,
  intercept: Interceptor,
  rewrite: (action: string, body: Buffer) => Buffer = (_, body) => body,
): Promise<ServiceProxy> => {
  const agent = new Agent({ keepAlive: true });
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const body = await readAll(incoming);
    const action = nameAction(incoming);
    const forward = () => send(agent, target, incoming, rewrite(action, body));
    const outcome = await intercept({ service, action }, forward);
    if (outcome === 'broken') response.destroy();
    else relay(response, outcome);
  };
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
};
