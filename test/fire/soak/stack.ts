/** Emulators and functions of the soak, and the HTTP API in front of them. */
import type { Environment } from '../../../lib/runtime/config.ts';
import {
  type Child,
  type ChildMessage,
  type Sample,
  startEmulatorsApart,
  startFunctionsApart,
} from './children.ts';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Batch {
  readonly status: string;
  readonly states: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly not_in_batch: number;
  readonly finished: number;
  readonly invalid: number;
  readonly duplicates: number;
}

export interface Bot {
  readonly bot_id: string;
  readonly state: string;
  readonly enrolment?: unknown;
  readonly reason?: { readonly code: string };
}

/** The embedded stack in two processes, which can be killed and started again. */
export class Stack {
  readonly samples: Sample[] = [];
  readonly errors: string[] = [];
  answers5xx = 0;
  released = 0;
  environment: Environment = {};
  readonly #dataDir: string;
  readonly #mixinUrl: string;
  #url = '';
  #children: Child[] = [];

  constructor(dataDir: string, mixinUrl: string) {
    this.#dataDir = dataDir;
    this.#mixinUrl = mixinUrl;
  }

  async start(): Promise<void> {
    const emulators = await startEmulatorsApart(this.#dataDir);
    this.released += emulators.first.released;
    this.environment = { ...emulators.first.environment, MIXIN_URL: this.#mixinUrl };
    const functions = await startFunctionsApart(this.environment, (message) => this.#onMessage(message));
    this.#url = functions.first.url;
    this.#children = [functions, emulators];
  }

  #onMessage(message: ChildMessage): void {
    if (message.kind === 'sample') this.samples.push(message);
    if (message.kind === 'line') this.errors.push(message.line);
  }

  /** SIGKILL, both at once. */
  async cutPower(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()));
  }

  /** Stops the functions; the emulators can still be read. */
  async stopFunctions(): Promise<void> {
    await this.#children[0]?.stop();
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await child.stop();
  }

  async ask(method: string, path: string, body?: string): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(this.#url + path, { method, ...(body !== undefined && { headers, body }) });
    if (answer.status >= 500) this.answers5xx += 1;
    return { status: answer.status, body: await answer.json() };
  }

  async upload(list: string): Promise<string> {
    const { status, body } = await this.ask('POST', '/batches', list);
    if (status !== 202) throw new Error(`POST /batches answered ${status}`);
    return (body as { batch_id: string }).batch_id;
  }

  async readBatch(batch_id: string): Promise<Batch> {
    return (await this.ask('GET', `/batches/${batch_id}`)).body as Batch;
  }

  /** Every bot of a batch, or those in one state. */
  async *bots(batch_id: string, state?: string): AsyncGenerator<Bot> {
    for (let cursor = ''; ; ) {
      const query = new URLSearchParams({ ...(state && { state }), ...(cursor && { cursor }) });
      const { body } = await this.ask('GET', `/batches/${batch_id}/bots?${query}`);
      const page = body as { bots: readonly Bot[]; cursor?: string };
      yield* page.bots;
      if (page.cursor === undefined) return;
      cursor = page.cursor;
    }
  }

  /** Retries the bots in these states, but for those with a locked PIN. Returns how many were retried. */
  async retry(batch_id: string, states: readonly string[]): Promise<number> {
    let retried = 0;
    for (let cursor: string | undefined; ; ) {
      const options = JSON.stringify({ states, ...(cursor !== undefined && { cursor }) });
      const { body } = await this.ask('POST', `/batches/${batch_id}/retry`, options);
      const page = body as { retried: number; cursor?: string };
      retried += page.retried;
      if (page.cursor === undefined) return retried;
      cursor = page.cursor;
    }
  }
}
