/** A small web server for one test: it stores the requests and answers with the given replies. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Reply = (response: ServerResponse, request: ReceivedRequest) => void;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly ReceivedRequest[];
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
};

/** Listens on a free port of this machine until it is disposed of. */
export const startServer = async (reply: Reply): Promise<TestServer> => {
  const received: ReceivedRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const whole = { method, url, headers, body: await readBody(request) };
    received.push(whole);
    reply(response, whole);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** Answers JSON as Mixin does, with the request's own id. */
export const json =
  (body: unknown, status = 200): Reply =>
  (response, { headers }) => {
    response.writeHead(status, {
      'content-type': 'application/json',
      'x-request-id': headers['x-request-id'] ?? '',
    });
    response.end(JSON.stringify(body));
  };
