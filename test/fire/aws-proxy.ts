/** A proxy before an embedded keeper, which sees each call before the keeper does. */
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What becomes of a call: an answer in the keeper's place, or another body and what to make of its answer. */
export type Fate =
  | { readonly instead: Answer }
  | { readonly body?: string; readonly change?: (answer: Json) => Json }
  | undefined;

export type Json = Record<string, unknown>;
/** @param action the operation, as in `PutItem`; of S3 the method */
export type Decide = (action: string, body: Buffer) => Fate;

/** An error of a service that speaks JSON. */
export const jsonFailure = (version: string, __type: string, message: string, headers = {}): Fate => ({
  instead: {
    status: 400,
    type: `application/x-amz-json-${version}`,
    body: JSON.stringify({ __type, message }),
    headers,
  },
});

const readAll = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const agent = new Agent({ keepAlive: true, maxSockets: 200 });

const forward = (target: string, asked: IncomingMessage, body: Buffer) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const { host, expect, 'transfer-encoding': _, ...headers } = asked.headers;
    const length = { 'content-length': String(body.length) };
    const options = { method: asked.method, headers: { ...headers, ...length }, agent };
    send(`${target}${asked.url ?? '/'}`, options, resolve)
      .on('error', reject)
      .end(body);
  });

const say = (response: ServerResponse, { status, type, body, headers }: Answer) =>
  void response.writeHead(status, { 'content-type': type, ...headers }).end(body);

const answer = async (target: string, decide: Decide, asked: IncomingMessage, response: ServerResponse) => {
  const body = await readAll(asked);
  const action = String(asked.headers['x-amz-target'] ?? asked.method).replace(/^.*\./, '');
  const fate = decide(action, body);
  if (fate && 'instead' in fate) return say(response, fate.instead);
  const answered = await forward(target, asked, fate?.body === undefined ? body : Buffer.from(fate.body));
  const told = await readAll(answered);
  const { 'x-amz-crc32': _, 'content-length': __, 'transfer-encoding': ___, ...headers } = answered.headers;
  const changed = fate?.change ? JSON.stringify(fate.change(JSON.parse(told.toString()))) : told;
  response.writeHead(answered.statusCode ?? 500, headers).end(changed);
};

export const startAwsProxy = async (target: string, decide: Decide) => {
  const server = createServer((asked, response) => {
    answer(target, decide, asked, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { stop, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};
