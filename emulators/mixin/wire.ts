/** How an answer is sent: at once, or in pieces by the fault slow_body. */
import type { ServerResponse } from 'node:http';
import type { Answer } from './answers.ts';

type Headers = Readonly<Record<string, string>>;

const PIECES = 10;

const sendHead = (response: ServerResponse, answer: Answer, headers: Headers): void => {
  response.writeHead(answer.status, {
    'Content-Type': answer.contentType,
    'Content-Length': Buffer.byteLength(answer.body),
    ...(answer.location === undefined ? {} : { Location: answer.location }),
    ...headers,
  });
};

export const send = (response: ServerResponse, answer: Answer, headers: Headers = {}): void => {
  sendHead(response, answer, headers);
  response.end(answer.body);
};

/** The head at once, the body in pieces over `delayMs`; ends early when the client is gone. */
export const sendSlowly = async (
  response: ServerResponse,
  answer: Answer,
  headers: Headers,
  delayMs: number,
  wait: (delayMs: number) => Promise<unknown>,
): Promise<void> => {
  sendHead(response, answer, headers);
  response.flushHeaders();
  const body = Buffer.from(answer.body);
  const size = Math.ceil(body.length / PIECES);
  for (let sent = 0; sent < body.length; sent += size) {
    await wait(delayMs / PIECES);
    if (response.destroyed) return;
    response.write(body.subarray(sent, sent + size));
  }
  response.end();
};
