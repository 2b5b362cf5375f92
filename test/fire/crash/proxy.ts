/** A proxy before a keeper or Mixin: each call passes a gate that may have it wait, break off, or never arrive. */
import { Agent, createServer, type IncomingMessage, request as open, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Keeper = 'table' | 'vault' | 'queues' | 'uploads' | 'mixin';

/** One HTTP call of a worker. */
export interface Call {
  readonly keeper: Keeper;
  /** An operation of AWS, or method and path, ids left out. */
  readonly action: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What becomes of a call: its answer goes back and something follows, or its connection breaks. */
export type Fate = { readonly answer: Answer; readonly after?: () => void } | 'broken';

/** @param forward lets the call have its effect */
export type Gate = (call: Call, forward: () => Promise<Answer>) => Promise<Fate>;

export interface Door {
  readonly url: string;
  stop(): void;
}

const readAll = async (stream: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const actionOf = ({ headers, method, url = '/' }: IncomingMessage): string => {
  const target = headers['x-amz-target'];
  if (target !== undefined) return String(target).replace(/^.*\./, '');
  return `${method} ${url.replace(/\?.*$/, '').replaceAll(ID, ':id')}`;
};

const UNCARRIED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);
const carried = (headers: IncomingMessage['headers']) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !UNCARRIED.has(name)));

const send = (agent: Agent, target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { method, url, headers } = incoming;
    const options = { agent, method, headers: { ...carried(headers), 'content-length': body.length } };
    const request = open(target + url, options, (response) => {
      const { statusCode: status = 500, headers } = response;
      readAll(response).then((body) => resolve({ status, headers, body }), reject);
    });
    request.on('error', reject);
    request.end(body);
  });

const relay = (response: ServerResponse, { answer, after }: Exclude<Fate, 'broken'>) => {
  const { status, headers, body } = answer;
  response.writeHead(status, { ...carried(headers), 'content-length': body.length });
  response.end(body, after);
};

/** @param rewrite what goes to the keeper in place of a call's body */
export const startDoor = async (
  keeper: Keeper,
  target: string,
  gate: Gate,
  rewrite: (action: string, body: Buffer) => Buffer = (_, body) => body,
): Promise<Door> => {
  const agent = new Agent({ keepAlive: true });
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const body = await readAll(incoming);
    const action = actionOf(incoming);
    const forward = () => send(agent, target, incoming, rewrite(action, body));
    const fate = await gate({ keeper, action }, forward);
    if (fate === 'broken') response.destroy();
    else relay(response, fate);
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
