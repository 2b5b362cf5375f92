/** A house for flow tests: a stand-in Mixin, the embedded stack in memory, and what they emitted. */

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

export interface LivedInHouse extends AsyncDisposable {
  readonly house: EmbeddedStack;
  readonly standIn: MixinStandIn;
  /** The same services the functions have, for looking at the rows and calling steps by hand. */
  readonly services: Services;
  /** Every log line. */
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

export const openHouse = async (
  more: Pick<EmbeddedStackOptions, 'wrapEndpoints' | 'dataDir'> = {},
): Promise<LivedInHouse> => {
  const logs: string[] = [];
  const log = (line: string) => void logs.push(line);
  const standIn = await startMixinStandIn({});
  const house = await startEmbeddedStack({ mixinUrl: standIn.url, log, ...more });
  const { services } = connect(readConfig(house.environment), createLog(log, Date.now));
  return {
    house,
    standIn,
    services,
    logs,
    get: async (path) => readAnswer(await fetch(house.url + path)),
    post: async (path, body, headers = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const options = {
        method: 'POST',
        body: text,
        headers: { 'content-type': 'application/json', ...headers },
      };
      return readAnswer(await fetch(house.url + path, options));
    },
    [Symbol.asyncDispose]: async () => {
      await house.stop();
      await standIn.stop();
    },
  };
};

/** Asks again and again until `look` says something; fails after `timeoutMs`. */
export const until = async <T>(
  look: () => Promise<T | undefined | false>,
  timeoutMs = 45_000,
): Promise<T> => {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > deadlineMs) throw new Error('it did not come to pass');
    await new Promise((wake) => setTimeout(wake, 50));
  }
};

/** Uploads rows and returns the batch id. */
export const upload = async (lived: LivedInHouse, rows: readonly unknown[]): Promise<string> => {
  const { status, body } = await lived.post('/batches', rows);
  if (status !== 202) throw new Error(`POST /batches answered ${status}`);
  return (body as { batch_id: string }).batch_id;
};

/** Waits until the bot is in one of the states. */
export const untilState = (lived: LivedInHouse, user_id: string, ...wanted: readonly string[]) =>
  until(async () => {
    const bot = await lived.services.table.readBot(user_id);
    return bot && wanted.includes(bot.state) ? bot : undefined;
  });
