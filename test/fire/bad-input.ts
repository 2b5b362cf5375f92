/** What bad input is thrown at: a house with bots, plans and pages, and the same functions once more, to call them by hand. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { createHandler as openAccounts } from '../../functions/accounts.ts';
import { createHandler as openApi } from '../../functions/api.ts';
import { createHandler as openCheck } from '../../functions/check.ts';
import { createHandler as openEnroll } from '../../functions/enroll.ts';
import { createHandler as openIntake } from '../../functions/intake.ts';
import { createHandler as openRegister } from '../../functions/register.ts';
import type { HttpFunctionName } from '../../lib/api/contract.ts';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { Handler } from '../../lib/runtime/handler.ts';
import { type LivedInHouse, openHouse, until, upload } from '../flow/lived-in.ts';
import { judgeEvents } from './bad-events.ts';
import { type DamagedList, damagedList, judgeList, nastyLists, quoted, rows } from './bad-lists.ts';
import {
  badMessage,
  deliver,
  makeWitnesses,
  nastyMessages,
  readWitnesses,
  type Witnesses,
} from './bad-messages.ts';
import {
  badRequest,
  faultOf,
  type Known,
  nastyBytes,
  type RawAnswer,
  send,
  sendBytes,
} from './bad-requests.ts';

export interface Target extends AsyncDisposable {
  readonly lived: LivedInHouse;
  readonly known: Known;
  readonly doors: Readonly<Record<HttpFunctionName | QueueName, Handler>>;
  /** Log lines of `doors`. */
  readonly logs: readonly string[];
  /** Batches that bad requests made all the same. */
  readonly made: Set<string>;
}

/** How many inputs were tried, and how many were answered 5xx. */
export interface Tried {
  inputs: number;
  unexpected_5xx: number;
}

const cursorsOf = async (lived: LivedInHouse, batch_id: string): Promise<readonly string[]> => {
  const pages = await Promise.all(
    ['bots', 'errors'].map((what) => lived.get(`/batches/${batch_id}/${what}?limit=1`)),
  );
  return pages.flatMap(({ body }) => (body as { cursor?: string }).cursor ?? []);
};

const untilStatus = (lived: LivedInHouse, batch_id: string, ...wanted: readonly string[]) =>
  until(async () => {
    const { body } = await lived.get(`/batches/${batch_id}`);
    return wanted.includes((body as { status: string }).status);
  }, 60_000);

/** A batch with bots at rest and errors of rows. */
const makeBatch = async (lived: LivedInHouse): Promise<{ batch_id: string; user_id: string }> => {
  const users = await Promise.all([1, 2, 3].map(() => lived.standIn.createUser({ session: 'revoked' })));
  const keystores = users.map(({ keystore }) => keystore);
  const batch_id = await upload(lived, [...keystores, { app_id: 1 }, {}, keystores[0]]);
  await untilStatus(lived, batch_id, 'imported');
  return { batch_id, user_id: keystores[0]?.app_id ?? '' };
};

const makeKnown = async (lived: LivedInHouse): Promise<Known> => {
  const [one, other] = [await makeBatch(lived), await makeBatch(lived)];
  const planned_id = await upload(lived, [{ owner: one.user_id, full_name: 'A' }]);
  await untilStatus(lived, planned_id, 'planned');
  const cursors = [...(await cursorsOf(lived, one.batch_id)), ...(await cursorsOf(lived, other.batch_id))];
  return { ...one, planned_id, verification_id: randomUUID(), cursors };
};

export const openTarget = async (): Promise<Target> => {
  const lived = await openHouse();
  const logs: string[] = [];
  const log = (line: string) => void logs.push(line);
  const { environment } = lived.house;
  return {
    lived,
    known: await makeKnown(lived),
    doors: {
      api: openApi(environment, log),
      accounts: openAccounts(environment, log),
      intake: openIntake(environment, log),
      enroll: openEnroll(environment, log),
      check: openCheck(environment, log),
      register: openRegister(environment, log),
    },
    logs,
    made: new Set(),
    [Symbol.asyncDispose]: () => lived[Symbol.asyncDispose](),
  };
};

/** Counts an answer and throws where it is not what bad input deserves. */
const judge = (target: Target, tried: Tried, name: string, answer: RawAnswer): void => {
  tried.inputs += 1;
  if (answer.status >= 500) tried.unexpected_5xx += 1;
  const fault = faultOf(answer);
  if (fault !== undefined) throw new Error(`${name}: ${fault}`);
  const made = answer.status === 202 ? /"batch_id":"([^"]+)"/.exec(answer.text)?.[1] : undefined;
  if (made !== undefined) target.made.add(made);
};

const run = (property: fc.IAsyncPropertyWithHooks<unknown>, numRuns: number, seed: number) =>
  fc.assert(property as fc.IAsyncPropertyWithHooks<[unknown]>, { numRuns, seed, endOnFailure: true });

/** Lists, read by the parsers alone. */
export const fireLists = async (tried: Tried, numRuns: number, seed: number): Promise<void> => {
  const property = fc.asyncProperty(damagedList, async (list) => {
    tried.inputs += 1;
    await judgeList(list);
  });
  await run(property as never, numRuns, seed);
};

export const contentTypeOf: Readonly<Record<DamagedList['format'], string>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  csv: 'text/csv',
  zip: 'application/zip',
};

/** Every list that has a name through the API and intake, up to what its batch says in the end. */
export const sendNastyLists = async (target: Target, tried: Tried): Promise<void> => {
  for (const [name, [{ format, body }]] of Object.entries(nastyLists)) {
    const headers = [['content-type', contentTypeOf[format]]] as const;
    const answer = await send(target.lived.house.url, {
      method: 'POST',
      path: '/batches',
      query: [],
      headers,
      body,
    });
    judge(target, tried, name, answer);
  }
};

/** All batches that were made come to rest, and none is stuck. */
export const expectRest = async ({ lived, made }: Target): Promise<void> => {
  for (const batch_id of made) {
    if (await lived.services.table.readBatch(batch_id))
      await untilStatus(lived, batch_id, 'rejected', 'imported', 'planned');
  }
};

export const fireRequests = async (
  target: Target,
  tried: Tried,
  numRuns: number,
  seed: number,
): Promise<void> => {
  const { url } = target.lived.house;
  const property = fc.asyncProperty(badRequest(target.known, rows[0] ?? {}), async (request) => {
    judge(target, tried, `${request.method} ${request.path.slice(0, 80)}`, await send(url, request));
  });
  await run(property as never, numRuns, seed);
};

export const sendNastyBytes = async (target: Target, tried: Tried): Promise<void> => {
  const { url } = target.lived.house;
  for (const [name, [bytes, isCutOff]] of Object.entries(nastyBytes(url)))
    judge(target, tried, name, await sendBytes(url, bytes, isCutOff));
};

export const sendEvents = async ({ doors, known }: Target, tried: Tried): Promise<void> => {
  tried.inputs += await judgeEvents(doors, known.batch_id);
};

/** Delivers every message that has a name; says where each kind ends. */
export const sendNastyMessages = async (
  { doors }: Target,
  tried: Tried,
  witnesses: Witnesses,
): Promise<Readonly<Record<string, 'done' | 'dead letters'>>> => {
  const ends: Record<string, 'done' | 'dead letters'> = {};
  for (const message of nastyMessages(witnesses)) {
    tried.inputs += 1;
    ends[`${message.queue} ${message.body.slice(0, 200)}`] = await deliver(doors, message);
  }
  return ends;
};

export const fireMessages = async (
  target: Target,
  tried: Tried,
  witnesses: Witnesses,
  numRuns: number,
  seed: number,
): Promise<void> => {
  const property = fc.asyncProperty(badMessage(witnesses), async (message) => {
    tried.inputs += 1;
    await deliver(target.doors, message);
  });
  await run(property as never, numRuns, seed);
};

export { makeWitnesses, readWitnesses };

/** Lines of the house that speak of a crash. */
export const crashesOf = ({ lived }: Target): readonly string[] =>
  lived.logs.filter((line) => line.includes('"record_crashed"') || line.includes('"request_failed"'));

/** What of a list or a request got into the log lines of either. */
export const leakOf = ({ lived, logs }: Target): string | undefined =>
  quoted([...lived.logs, ...logs].join('\n'));

/** From the environment, else another one each day; fast-check prints it where it fails. */
export const seedOf = (): number => Number(process.env.ENLIST_FIRE_SEED ?? Math.floor(Date.now() / 1_000));
