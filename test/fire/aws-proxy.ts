/** A proxy in front of an emulator that sees each call first. */
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the proxy does with a call: answers itself or not at all, or changes the body or the answer. */
export type Treatment =
  | { readonly instead: Answer | 'break' | 'silence' }
  | { readonly body?: string; readonly change?: (answer: Json) => Json }
  | undefined;

export type Json = Record<string, unknown>;
/** @param action the operation, as in `PutItem`; of S3 the method */
export type DecideTreatment = (action: string, body: Buffer) => Treatment;

/** An error of a service that speaks JSON. */
export const createJsonError = (
  version: string,
  __type: string,
  message: string,
  headers = {},
): Treatment => ({
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

const forward = (target: string, request: IncomingMessage, body: Buffer) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const { host, expect, 'transfer-encoding': _, ...headers } = request.headers;
    const length = { 'content-length': String(body.length) };
    const options = { method: request.method, headers: { ...headers, ...length }, agent };
    send(`${target}${request.url ?? '/'}`, options, resolve)
      .on('error', reject)
      .end(body);
  });

const sendAnswer = (response: ServerResponse, { status, type, body, headers }: Answer) =>
  void response.writeHead(status, { 'content-type': type, ...headers }).end(body);

const answer = async (
  target: string,
  decide: DecideTreatment,
  request: IncomingMessage,
  response: ServerResponse,
) => {
  const body = await readAll(request);
  const action = String(request.headers['x-amz-target'] ?? request.method).replace(/^.*\./, '');
  const treatment = decide(action, body);
  if (treatment && 'instead' in treatment) {
    if (treatment.instead === 'silence') return undefined;
    if (treatment.instead === 'break') return void response.destroy();
    return sendAnswer(response, treatment.instead);
  }
  const answered = await forward(
    target,
    request,
    treatment?.body === undefined ? body : Buffer.from(treatment.body),
  );
  const received = await readAll(answered);
  const { 'x-amz-crc32': _, 'content-length': __, 'transfer-encoding': ___, ...headers } = answered.headers;
  const changed = treatment?.change
    ? JSON.stringify(treatment.change(JSON.parse(received.toString())))
    : received;
  response.writeHead(answered.statusCode ?? 500, headers).end(changed);
};

export const startAwsProxy = async (target: string, decide: DecideTreatment) => {
  const server = createServer((request, response) => {
    answer(target, decide, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { stop, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};
