/** The target of bad input: an embedded stack with bots, plans and pages, and its handlers to call directly. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { createHandler as createAccounts } from '../../functions/accounts.ts';
import { createHandler as createApi } from '../../functions/api.ts';
import { createHandler as createCheck } from '../../functions/check.ts';
import { createHandler as createEnroll } from '../../functions/enroll.ts';
import { createHandler as createIntake } from '../../functions/intake.ts';
import { createHandler as createRegister } from '../../functions/register.ts';
import type { HttpFunctionName } from '../../lib/api/contract.ts';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { Handler } from '../../lib/runtime/handler.ts';
import { startStack, type TestStack, uploadRows, waitFor } from '../helpers/stack.ts';
import { checkEvents } from './bad-events.ts';
import { checkList, type DamagedList, damagedList, nastyLists, quoted, rows } from './bad-lists.ts';
import {
  badMessage,
  type ControlRows,
  createControlRows,
  deliver,
  nastyMessages,
  readControlRows,
} from './bad-messages.ts';
import {
  badRequest,
  findFault,
  type KnownIds,
  nastyBytes,
  type RawAnswer,
  send,
  sendBytes,
} from './bad-requests.ts';

export interface Target extends AsyncDisposable {
  readonly stack: TestStack;
  readonly known: KnownIds;
  readonly handlers: Readonly<Record<HttpFunctionName | QueueName, Handler>>;
  /** Log lines of `handlers`. */
  readonly logs: readonly string[];
  /** Batches that bad requests created nevertheless. */
  readonly made: Set<string>;
}

/** How many inputs were tried, and how many were answered 5xx. */
export interface InputCounts {
  inputs: number;
  unexpected_5xx: number;
}

const readCursors = async (stack: TestStack, batch_id: string): Promise<readonly string[]> => {
  const pages = await Promise.all(
    ['bots', 'errors'].map((what) => stack.get(`/batches/${batch_id}/${what}?limit=1`)),
  );
  return pages.flatMap(({ body }) => (body as { cursor?: string }).cursor ?? []);
};

const untilStatus = (stack: TestStack, batch_id: string, ...wanted: readonly string[]) =>
  waitFor(async () => {
    const { body } = await stack.get(`/batches/${batch_id}`);
    return wanted.includes((body as { status: string }).status);
  }, 60_000);

/** A batch with finished bots and row errors. */
const createBatch = async (stack: TestStack): Promise<{ batch_id: string; user_id: string }> => {
  const users = await Promise.all([1, 2, 3].map(() => stack.standIn.createUser({ session: 'revoked' })));
  const keystores = users.map(({ keystore }) => keystore);
  const batch_id = await uploadRows(stack, [...keystores, { app_id: 1 }, {}, keystores[0]]);
  await untilStatus(stack, batch_id, 'imported');
  return { batch_id, user_id: keystores[0]?.app_id ?? '' };
};

const createKnownIds = async (stack: TestStack): Promise<KnownIds> => {
  const [one, other] = [await createBatch(stack), await createBatch(stack)];
  const planned_id = await uploadRows(stack, [{ owner: one.user_id, full_name: 'A' }]);
  await untilStatus(stack, planned_id, 'planned');
  const cursors = [
    ...(await readCursors(stack, one.batch_id)),
    ...(await readCursors(stack, other.batch_id)),
  ];
  return { ...one, planned_id, verification_id: randomUUID(), cursors };
};

export const startTarget = async (): Promise<Target> => {
  const stack = await startStack();
  const logs: string[] = [];
  const log = (line: string) => void logs.push(line);
  const { environment } = stack.embedded;
  return {
    stack,
    known: await createKnownIds(stack),
    handlers: {
      api: createApi(environment, log),
      accounts: createAccounts(environment, log),
      intake: createIntake(environment, log),
      enroll: createEnroll(environment, log),
      check: createCheck(environment, log),
      register: createRegister(environment, log),
    },
    logs,
    made: new Set(),
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
};

/** Counts an answer, and throws if it is not a correct answer to bad input. */
const checkAnswer = (target: Target, counts: InputCounts, name: string, answer: RawAnswer): void => {
  counts.inputs += 1;
  if (answer.status >= 500) counts.unexpected_5xx += 1;
  const fault = findFault(answer);
  if (fault !== undefined) throw new Error(`${name}: ${fault}`);
  const made = answer.status === 202 ? /"batch_id":"([^"]+)"/.exec(answer.text)?.[1] : undefined;
  if (made !== undefined) target.made.add(made);
};

const run = (property: fc.IAsyncPropertyWithHooks<unknown>, numRuns: number, seed: number) =>
  fc.assert(property as fc.IAsyncPropertyWithHooks<[unknown]>, { numRuns, seed, endOnFailure: true });

/** Reads random damaged lists with the parsers alone. */
export const readRandomLists = async (counts: InputCounts, numRuns: number, seed: number): Promise<void> => {
  const property = fc.asyncProperty(damagedList, async (list) => {
    counts.inputs += 1;
    await checkList(list);
  });
  await run(property as never, numRuns, seed);
};

export const contentTypes: Readonly<Record<DamagedList['format'], string>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  csv: 'text/csv',
  zip: 'application/zip',
};

/** Uploads every named list, so that intake reads it. */
export const sendNastyLists = async (target: Target, counts: InputCounts): Promise<void> => {
  for (const [name, [{ format, body }]] of Object.entries(nastyLists)) {
    const headers = [['content-type', contentTypes[format]]] as const;
    const answer = await send(target.stack.embedded.url, {
      method: 'POST',
      path: '/batches',
      query: [],
      headers,
      body,
    });
    checkAnswer(target, counts, name, answer);
  }
};

/** Expects that all created batches finish and none is stuck. */
export const expectFinished = async ({ stack, made }: Target): Promise<void> => {
  for (const batch_id of made) {
    if (await stack.services.table.readBatch(batch_id))
      await untilStatus(stack, batch_id, 'rejected', 'imported', 'planned');
  }
};

export const sendRandomRequests = async (
  target: Target,
  counts: InputCounts,
  numRuns: number,
  seed: number,
): Promise<void> => {
  const { url } = target.stack.embedded;
  const property = fc.asyncProperty(badRequest(target.known, rows[0] ?? {}), async (request) => {
    checkAnswer(target, counts, `${request.method} ${request.path.slice(0, 80)}`, await send(url, request));
  });
  await run(property as never, numRuns, seed);
};

export const sendNastyBytes = async (target: Target, counts: InputCounts): Promise<void> => {
  const { url } = target.stack.embedded;
  for (const [name, [bytes, isCutOff]] of Object.entries(nastyBytes(url)))
    checkAnswer(target, counts, name, await sendBytes(url, bytes, isCutOff));
};

export const sendEvents = async ({ handlers, known }: Target, counts: InputCounts): Promise<void> => {
  counts.inputs += await checkEvents(handlers, known.batch_id);
};

/** Delivers every named message and says where it ends. */
export const sendNastyMessages = async (
  { handlers }: Target,
  counts: InputCounts,
  control: ControlRows,
): Promise<Readonly<Record<string, 'done' | 'dead-letter queue'>>> => {
  const ends: Record<string, 'done' | 'dead-letter queue'> = {};
  for (const message of nastyMessages(control)) {
    counts.inputs += 1;
    ends[`${message.queue} ${message.body.slice(0, 200)}`] = await deliver(handlers, message);
  }
  return ends;
};

export const sendRandomMessages = async (
  target: Target,
  counts: InputCounts,
  control: ControlRows,
  numRuns: number,
  seed: number,
): Promise<void> => {
  const property = fc.asyncProperty(badMessage(control), async (message) => {
    counts.inputs += 1;
    await deliver(target.handlers, message);
  });
  await run(property as never, numRuns, seed);
};

export { createControlRows, readControlRows };

/** Log lines of the stack that report a crash. */
export const findCrashes = ({ stack }: Target): readonly string[] =>
  stack.logs.filter((line) => line.includes('"record_crashed"') || line.includes('"request_failed"'));

/** The first value of a list or a request that a log line quotes. */
export const findLeak = ({ stack, logs }: Target): string | undefined =>
  quoted([...stack.logs, ...logs].join('\n'));

/** From the environment, otherwise a new one for each run; fast-check prints it on failure. */
export const readSeed = (): number => Number(process.env.ENLIST_FIRE_SEED ?? Math.floor(Date.now() / 1_000));
