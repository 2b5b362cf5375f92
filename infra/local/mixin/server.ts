/**
 * The stand-in Mixin server: what Enlist and the Mixin SDKs need of api.mixin.one, over real HTTP on 127.0.0.1,
 * checking every token, signature, PIN, iterator and time. Start one in a test with startMixinStandIn(), or alone
 * with `npm run mixin`. admin.ts lists the routes for creating users and setting faults from other languages.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AccountView,
  asReadersSee,
  type CreatedUser,
  keysOf,
  type NewUser,
  openAccounts,
} from './accounts.ts';
import { ADMIN_PREFIX, administer, refusedAdministration } from './admin.ts';
import { type Answer, brokenGateway, failure, nothing, Refusal, success } from './answers.ts';
import { claimedUser, openTokens } from './authentication.ts';
import type { Call, Outcome, Settings, Visit } from './call.ts';
import { type Fault, openFaults, type Plan } from './faults.ts';
import { type BoundKey, type LedgerEntry, openLedger } from './ledger.ts';
import { registerSafe } from './registration.ts';
import { openStore } from './store.ts';
import { updatePin, verifyPin } from './tip.ts';
import { createNetworkUser, readLogs, readMe } from './users.ts';

export type { AccountView, CreatedUser, NewUser } from './accounts.ts';
export type { Fault, FaultName } from './faults.ts';
export type { BoundKey, LedgerEntry } from './ledger.ts';

export interface MixinStandIn {
  /** http://127.0.0.1:PORT, no trailing slash. */
  readonly url: string;
  createUser(options?: NewUser): Promise<CreatedUser> | CreatedUser;
  accounts(): readonly AccountView[];
  ledger(): readonly LedgerEntry[];
  /** Replaces all faults and starts their counts anew. */
  setFaults(faults: readonly Fault[]): void;
  stop(): Promise<void>;
}

export interface StandInOptions {
  /** @default any free one */
  readonly port?: number;
  /** Where accounts, ledger and faults outlive the process; in RAM only when absent. */
  readonly dataDir?: string;
  /** @default 'shipped' */
  readonly signature?: 'shipped' | 'documented';
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Sits out the delays of faults. */
  readonly wait?: (delayMs: number) => Promise<unknown>;
  /** Decides which requests a fault's `rate` picks. @default 1 */
  readonly seed?: number;
  /** @default true */
  readonly tells_spend_key?: boolean;
  /** @default false */
  readonly suspend_upgrade?: boolean;
}

const MAX_BODY_BYTES = 1_048_576;
/** Longer than clients keep idle connections, so that none is closed under a request. */
const KEEP_ALIVE_MS = 65_000;

const routes: Readonly<Record<string, (visit: Visit) => Outcome>> = {
  'GET /safe/me': readMe,
  'GET /me': readMe,
  'GET /logs': readLogs,
  'POST /users': createNetworkUser,
  'POST /pin/update': updatePin,
  'POST /pin/verify': verifyPin,
  'POST /safe/users': registerSafe,
};

/** What the server made of a request, before a fault spoils the answer. */
interface Decision {
  readonly outcome: LedgerEntry['outcome'];
  readonly answer: Answer;
  readonly reason?: string;
  readonly bound?: BoundKey;
}

const readCall = async (request: IncomingMessage): Promise<Call> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new RangeError('the body is too large');
    chunks.push(chunk);
  }
  const target = request.url ?? '/';
  const [path = '/', query = ''] = target.split(/\?(.*)/s);
  const request_id = request.headers['x-request-id'];
  return {
    method: request.method ?? 'GET',
    target,
    path,
    query: new URLSearchParams(query),
    body: Buffer.concat(chunks),
    authorization: request.headers.authorization ?? '',
    request_id: typeof request_id === 'string' && request_id !== '' ? request_id : undefined,
  };
};

const spoiledAnswer = (fault: Fault): Answer | undefined => {
  switch (fault.name) {
    case 'rate_limited':
      return failure(429);
    case 'code':
      return failure(fault.code ?? 500);
    case 'server_error':
      return brokenGateway(fault.status ?? 500);
    case 'empty_body':
      return nothing;
    default:
      return undefined;
  }
};

/** What goes out on the wire; undefined breaks the connection. */
const answerUnder = (plan: Plan, decision: Decision | undefined): Answer | undefined => {
  if (plan.before !== undefined) return spoiledAnswer(plan.before);
  return plan.after?.name === 'answer_lost' ? undefined : decision?.answer;
};

export const startMixinStandIn = async (options: StandInOptions = {}): Promise<MixinStandIn> => {
  const now = options.now ?? Date.now;
  const wait = options.wait ?? ((delayMs: number) => sleep(delayMs, undefined, { ref: false }));
  const settings: Settings = {
    signature: options.signature ?? 'shipped',
    tells_spend_key: options.tells_spend_key ?? true,
    suspend_upgrade: options.suspend_upgrade ?? false,
  };
  const store = openStore(options.dataDir);
  const accounts = openAccounts(store);
  const ledger = openLedger(store);
  const tokens = openTokens(store);
  const faults = openFaults(store, options.seed ?? 1);

  const visitEndpoint = (call: Call, plan: Plan, nowMs: number): Outcome => {
    const endpoint = Object.hasOwn(routes, `${call.method} ${call.path}`)
      ? routes[`${call.method} ${call.path}`]
      : undefined;
    if (endpoint === undefined) throw new Refusal(404, 'there is no such endpoint');
    const clockMs = nowMs + plan.skewMs;
    const account = tokens.authenticate(call, accounts, clockMs);
    const keysBefore = keysOf(asReadersSee(account, nowMs));
    const visit: Visit = {
      call,
      account,
      accounts,
      nowMs,
      clockMs,
      settings: {
        signature: settings.signature,
        tells_spend_key: settings.tells_spend_key && !plan.has('spend_key_hidden'),
        suspend_upgrade: settings.suspend_upgrade || plan.has('upgrade_suspended'),
      },
    };
    try {
      const outcome = endpoint(visit);
      if (plan.lagMs > 0) account.stale = { until: nowMs + plan.lagMs, keys: keysBefore };
      return outcome;
    } finally {
      // A refusal has effects too: a spent iterator, a wrong PIN, a longer lock.
      if (call.method === 'POST') accounts.save(account);
    }
  };

  const decide = (call: Call, plan: Plan, nowMs: number): Decision => {
    try {
      const { data, bound } = visitEndpoint(call, plan, nowMs);
      return { outcome: 'accepted', answer: success(data), ...(bound === undefined ? {} : { bound }) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { outcome: 'refused', answer: failure(error.code, error.extra), reason: error.message };
    }
  };

  const record = (
    call: Call,
    nowMs: number,
    plan: Plan,
    decision: Decision | undefined,
    answer: Answer | undefined,
  ) => {
    const user_id = claimedUser(call);
    const code = answer === undefined ? decision?.answer.code : answer.code;
    const fault = plan.struck.map(({ name }) => name).join('+');
    ledger.add({
      at: new Date(nowMs).toISOString(),
      method: call.method,
      path: call.path,
      ...(user_id === undefined ? {} : { user_id }),
      ...(call.request_id === undefined ? {} : { request_id: call.request_id }),
      outcome: decision?.outcome ?? 'refused',
      status: answer?.status ?? 0,
      ...(code === undefined ? {} : { code }),
      ...(decision?.reason === undefined ? {} : { reason: decision.reason }),
      ...(fault === '' ? {} : { fault }),
      ...(decision?.bound === undefined ? {} : { bound: decision.bound }),
    });
  };

  /** One transaction: the effect and its ledger entry are on disk together, or neither is. */
  const decideAndRecord = (call: Call, plan: Plan): Answer | undefined => {
    const nowMs = now();
    const handled = plan.before === undefined || plan.before.effect === true;
    try {
      return store.transaction(() => {
        const decision = handled ? decide(call, plan, nowMs) : undefined;
        const answer = answerUnder(plan, decision);
        record(call, nowMs, plan, decision, answer);
        return answer;
      });
    } catch (error) {
      const reason = `internal error: ${error instanceof Error ? error.message : 'unknown'}`;
      const decision: Decision = { outcome: 'refused', answer: failure(500), reason };
      store.transaction(() => record(call, nowMs, plan, decision, decision.answer));
      return decision.answer;
    }
  };

  const send = (response: ServerResponse, answer: Answer, headers: Record<string, string> = {}): void => {
    response.writeHead(answer.status, {
      'Content-Type': answer.contentType,
      'Content-Length': Buffer.byteLength(answer.body),
      ...headers,
    });
    response.end(answer.body);
  };

  let stopped = false;

  const serve = async (
    request: IncomingMessage,
    response: ServerResponse,
    hangUp: () => void,
  ): Promise<void> => {
    const call = await readCall(request);
    if (call.path.startsWith(ADMIN_PREFIX)) {
      try {
        send(
          response,
          store.transaction(() => administer(call, { accounts, ledger, faults }, now())),
        );
      } catch (error) {
        send(response, refusedAdministration(error));
      }
      return;
    }

    const { method, path } = call;
    const plan = store.transaction(() => faults.plan({ method, path, user_id: claimedUser(call) }));
    if (plan.slowMs > 0) await wait(plan.slowMs);
    if (stopped) return;
    const answer = decideAndRecord(call, plan);
    if (plan.after?.name === 'answer_held') await wait(plan.after.delayMs ?? 0);
    if (answer === undefined) {
      hangUp();
      return;
    }
    const misplaced = plan.after?.name === 'wrong_request_id';
    send(response, answer, {
      'X-Request-Id': misplaced ? randomUUID() : (call.request_id ?? randomUUID()),
      'X-Server-Time': String(BigInt(Math.round(now() + plan.skewMs)) * 1_000_000n),
    });
  };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // Kept here: a request that is not read to its end forgets its socket.
    const { socket } = request;
    serve(request, response, () => socket.destroy()).catch(() => socket.destroy());
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
  } catch (error) {
    store.close();
    throw error;
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    createUser: (user = {}) => store.transaction(() => accounts.create(user, now())),
    accounts: () => accounts.views(now()),
    ledger: () => ledger.entries(),
    setFaults: (next) => store.transaction(() => faults.set(next)),
    stop: async () => {
      if (stopped) return;
      stopped = true;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      store.close();
    },
  };
};
