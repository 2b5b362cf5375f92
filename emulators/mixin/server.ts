/**
 * The stand-in Mixin server: what Enlist and the Mixin SDKs need of api.mixin.one, over real HTTP on 127.0.0.1,
 * checking every token, signature, PIN, iterator and time. Start one in a test with startMixinStandIn(), or alone
 * with `npm run mixin`. admin.ts lists the routes for creating users and setting faults from other languages.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { cut, LOOPBACK, listen } from '../loopback.ts';
import { type AccountView, createReadView, openAccounts, pickKeys } from './accounts.ts';
import { ADMIN_PREFIX, handleAdminCall } from './admin.ts';
import { type Answer, createFailure, createJsonAnswer, Refusal } from './answers.ts';
import { openTokens, readClaimedUser, refuseToken } from './authentication.ts';
import {
  type Call,
  type CallContext,
  type EndpointResult,
  readCall,
  type Settings,
  type SignedContext,
} from './call.ts';
import { createFaultAnswer, falsifyData } from './fault-answers.ts';
import { type Fault, type FaultPlan, openFaults } from './faults.ts';
import { type LedgerEntry, openLedger } from './ledger.ts';
import {
  type CreatedLegacyUser,
  type CreatedUser,
  createUser,
  type NewLegacyUser,
  type NewUser,
  type UserOptions,
} from './new-user.ts';
import {
  type NewPhone,
  openPhones,
  type PhonePreparation,
  preparePhone,
  type VerificationView,
} from './phones.ts';
import { registerSafe } from './registration.ts';
import { openStore } from './store.ts';
import { updatePin, verifyPin } from './tip.ts';
import { createNetworkUser, readBilling, readLogs, readMe } from './users.ts';
import { requestCode, signIn } from './verifications.ts';
import { send, sendSlowly } from './wire.ts';

export type { AccountView, Deactivation } from './accounts.ts';
export type { Fault, FaultName } from './faults.ts';
export type { BoundKey, CreatedAccount, LedgerEntry, SignIn } from './ledger.ts';
export type { CreatedLegacyUser, CreatedUser, NewLegacyUser, NewUser } from './new-user.ts';
export type {
  Captcha,
  NewPerson,
  NewPhone,
  PhonePreparation as PreparedPhone,
  VerificationView,
} from './phones.ts';

export interface MixinStandIn {
  /** http://127.0.0.1:PORT, no trailing slash. */
  readonly url: string;
  /** With an RSA session, as old accounts have. */
  createUser(options: NewLegacyUser): Promise<CreatedLegacyUser> | CreatedLegacyUser;
  createUser(options?: NewUser): Promise<CreatedUser> | CreatedUser;
  /** Sets up a phone before a code is requested: its captcha, its account. */
  preparePhone(options: NewPhone): PhonePreparation;
  /** Every code that was sent, in order. */
  verifications(): readonly VerificationView[];
  accounts(): readonly AccountView[];
  ledger(): readonly LedgerEntry[];
  /** Replaces all faults and starts their counts anew. */
  setFaults(faults: readonly Fault[]): void;
  stop(): Promise<void>;
}

export interface StandInOptions extends Partial<Settings> {
  /** @default any free one */
  readonly port?: number;
  /** Where accounts, ledger and faults outlive the process; in RAM only when absent. */
  readonly dataDir?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Waits for the delays of faults. */
  readonly wait?: (delayMs: number) => Promise<unknown>;
  /** Decides which requests a fault's `rate` picks. @default 1 */
  readonly seed?: number;
}

/** Longer than clients keep idle connections, so that none is closed under a request. */
const KEEP_ALIVE_MS = 65_000;

/** For callers who have no session yet. */
const openRoutes: ReadonlyMap<string, (context: CallContext) => EndpointResult> = new Map([
  ['POST /verifications', requestCode],
  ['POST /verifications/:id', signIn],
]);

const signedRoutes: ReadonlyMap<string, (context: SignedContext) => EndpointResult> = new Map([
  ['GET /safe/me', readMe],
  ['GET /me', readMe],
  ['GET /logs', readLogs],
  ['POST /users', createNetworkUser],
  ['POST /pin/update', updatePin],
  ['POST /pin/verify', verifyPin],
  ['POST /safe/users', registerSafe],
  ['GET /safe/apps/:id/billing', readBilling],
]);

/** How the server decided a request, before a fault changes the answer. */
interface Decision {
  readonly outcome: LedgerEntry['outcome'];
  readonly answer: Answer;
  readonly reason?: string;
  /** What the ledger records of it. */
  readonly effects?: Omit<EndpointResult, 'data'>;
}

/** The answer to send; undefined breaks the connection. */
const chooseAnswer = (plan: FaultPlan, decision: Decision | undefined): Answer | undefined => {
  if (plan.before !== undefined) return createFaultAnswer(plan.before);
  return plan.after?.name === 'answer_lost' ? undefined : decision?.answer;
};

export const startMixinStandIn = async (options: StandInOptions = {}): Promise<MixinStandIn> => {
  const { now = Date.now, signature = 'shipped', shows_spend_key = true } = options;
  const { suspend_upgrade = false, strict_request_id = false } = options;
  const wait = options.wait ?? ((delayMs: number) => sleep(delayMs, undefined, { ref: false }));
  const store = openStore(options.dataDir);
  const accounts = openAccounts(store);
  const phones = openPhones(store);
  const ledger = openLedger(store);
  const tokens = openTokens(store);
  const faults = openFaults(store, options.seed ?? 1);

  const createContext = (call: Call, plan: FaultPlan, nowMs: number) => ({
    call,
    accounts,
    phones,
    nowMs,
    clockMs: nowMs + plan.skewMs,
    settings: {
      signature,
      shows_spend_key: shows_spend_key && !plan.has('spend_key_hidden'),
      suspend_upgrade: suspend_upgrade || plan.has('upgrade_suspended'),
      strict_request_id,
    },
  });

  const callEndpoint = (call: Call, plan: FaultPlan, nowMs: number): EndpointResult => {
    const context = createContext(call, plan, nowMs);
    const route = `${call.method} ${call.route}`;
    const openEndpoint = openRoutes.get(route);
    if (openEndpoint !== undefined) {
      refuseToken(call);
      return openEndpoint(context);
    }
    const endpoint = signedRoutes.get(route);
    if (endpoint === undefined) throw new Refusal(404, 'there is no such endpoint');
    const account = tokens.authenticate(call, accounts, context);
    const keysBefore = pickKeys(createReadView(account, nowMs));
    try {
      const result = endpoint({ ...context, account });
      if (plan.lagMs > 0) account.stale = { until: nowMs + plan.lagMs, keys: keysBefore };
      return result;
    } finally {
      // A refusal has effects too: a spent iterator, a wrong PIN, a longer lock.
      if (call.method === 'POST') accounts.save(account);
    }
  };

  const decide = (call: Call, plan: FaultPlan, nowMs: number): Decision => {
    try {
      const { data, ...effects } = callEndpoint(call, plan, nowMs);
      return {
        outcome: 'accepted',
        answer: createJsonAnswer(200, { data: falsifyData(data, plan, accounts, nowMs) }),
        effects,
      };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { outcome: 'refused', answer: createFailure(error.code, error.details), reason: error.message };
    }
  };

  const record = (
    call: Call,
    nowMs: number,
    plan: FaultPlan,
    decision: Decision | undefined,
    answer: Answer | undefined,
  ) => {
    const user_id = readClaimedUser(call);
    const code = answer === undefined ? decision?.answer.code : answer.code;
    const fault = plan.faults.map(({ name }) => name).join('+');
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
      ...decision?.effects,
    });
  };

  /** One transaction: the effect and its ledger entry are on disk together, or neither is. */
  const decideAndRecord = (call: Call, plan: FaultPlan): Answer | undefined => {
    const nowMs = now();
    const handled = plan.before === undefined || plan.before.effect === true;
    try {
      return store.transaction(() => {
        const decision = handled ? decide(call, plan, nowMs) : undefined;
        const answer = chooseAnswer(plan, decision);
        record(call, nowMs, plan, decision, answer);
        return answer;
      });
    } catch (error) {
      const reason = `internal error: ${error instanceof Error ? error.message : 'unknown'}`;
      const decision: Decision = { outcome: 'refused', answer: createFailure(500), reason };
      store.transaction(() => record(call, nowMs, plan, decision, decision.answer));
      return decision.answer;
    }
  };

  let stopped = false;

  /** Rejects to break the connection. */
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = await readCall(request);
    if (call.path.startsWith(ADMIN_PREFIX)) {
      send(response, handleAdminCall(call, { store, accounts, phones, ledger, faults, nowMs: now() }));
      return;
    }
    const { method, path, route } = call;
    const plan = store.transaction(() =>
      faults.plan({ method, path, route, user_id: readClaimedUser(call) }),
    );
    if (plan.slowMs > 0) await wait(plan.slowMs);
    if (stopped) return;
    const answer = decideAndRecord(call, plan);
    if (plan.after?.name === 'answer_held') await wait(plan.after.delayMs ?? 0);
    if (answer === undefined) throw new Error('a fault breaks the connection');
    const isWrongId = plan.after?.name === 'wrong_request_id';
    const headers = {
      'X-Request-Id': isWrongId ? randomUUID() : (call.request_id ?? randomUUID()),
      'X-Server-Time': String(BigInt(Math.round(now() + plan.skewMs)) * 1_000_000n),
    };
    if (plan.after?.name === 'slow_body')
      await sendSlowly(response, answer, headers, plan.after.delayMs ?? 0, wait);
    else send(response, answer, headers);
  };

  function addUser(user: NewLegacyUser): CreatedLegacyUser;
  function addUser(user?: NewUser): CreatedUser;
  function addUser(user: UserOptions = {}) {
    return store.transaction(() => createUser(accounts, user, now()));
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // Taken here: a request that is not read to its end loses its socket.
    const { socket } = request;
    serve(request, response).catch(() => socket.destroy());
  });
  let port: number;
  try {
    port = await listen(server, options.port);
  } catch (error) {
    store.close();
    throw error;
  }

  return {
    url: `http://${LOOPBACK}:${port}`,
    createUser: addUser,
    preparePhone: (phone) => store.transaction(() => preparePhone(accounts, phones, phone, now())),
    verifications: () => phones.listViews(),
    accounts: () => accounts.listViews(now()),
    ledger: () => ledger.list(),
    setFaults: (next) => store.transaction(() => faults.set(next)),
    stop: async () => {
      if (stopped) return;
      stopped = true;
      await cut(server);
      store.close();
    },
  };
};
