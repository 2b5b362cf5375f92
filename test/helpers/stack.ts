/** All of Enlist for one test: the embedded stack in memory, the stand-in for Mixin, and every log line. */

import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import {
  type EmbeddedStack,
  type EmbeddedStackOptions,
  startEmbeddedStack,
} from '../../infra/local/embedded-stack.ts';
import type { Services } from '../../lib/model/ports.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';
import { createLog } from '../../lib/runtime/log.ts';

export interface TestStack extends AsyncDisposable {
  readonly embedded: EmbeddedStack;
  readonly standIn: MixinStandIn;
  /** The services of the functions: to read rows, or to call a step. */
  readonly services: Services;
  readonly logs: readonly string[];
  get(path: string): Promise<{ status: number; body: unknown; text: string }>;
  post(
    path: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: unknown }>;
}

const readAnswer = async (answer: Response) => {
  const text = await answer.text();
  return { status: answer.status, body: JSON.parse(text) as unknown, text };
};

export const startStack = async (
  options: Pick<EmbeddedStackOptions, 'wrapEndpoints' | 'dataDir'> = {},
): Promise<TestStack> => {
  const logs: string[] = [];
  const log = (line: string) => void logs.push(line);
  const standIn = await startMixinStandIn({});
  const embedded = await startEmbeddedStack({ mixinUrl: standIn.url, log, ...options });
  const { services } = connect(readConfig(embedded.environment), createLog(log, Date.now));
  return {
    embedded,
    standIn,
    services,
    logs,
    get: async (path) => readAnswer(await fetch(embedded.url + path)),
    post: async (path, body, headers = {}) => {
      const request = {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      };
      return readAnswer(await fetch(embedded.url + path, request));
    },
    [Symbol.asyncDispose]: async () => {
      await embedded.stop();
      await standIn.stop();
    },
  };
};

/** Calls `look` until it returns something, and returns that; fails after `timeoutMs`. */
export const waitFor = async <T>(
  look: () => Promise<T | undefined | false>,
  timeoutMs = 45_000,
): Promise<T> => {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const result = await look();
    if (result !== undefined && result !== false) return result;
    if (Date.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
};

/** Uploads rows and returns the batch id. */
export const uploadRows = async (stack: TestStack, rows: readonly unknown[]): Promise<string> => {
  const { status, body } = await stack.post('/batches', rows);
  if (status !== 202) throw new Error(`POST /batches answered ${status}`);
  return (body as { batch_id: string }).batch_id;
};

/** Waits until the bot is in one of the states, and returns its row. */
export const waitForState = (stack: TestStack, bot_id: string, ...states: readonly string[]) =>
  waitFor(async () => {
    const bot = await stack.services.table.readBot(bot_id);
    return bot && states.includes(bot.state) ? bot : undefined;
  });
