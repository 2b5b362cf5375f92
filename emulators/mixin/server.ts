/**
 * The stand-in Mixin server: what Enlist and the Mixin SDKs need of api.mixin.one, over real HTTP on 127.0.0.1,
 * checking every token, signature, PIN, iterator and time. Start one in a test with startMixinStandIn(), or alone
 * with `npm run mixin`. admin.ts lists the routes for creating users and setting faults from other languages.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccountView, asReadersSee, keysOf, openAccounts } from './accounts.ts';
import { ADMIN_PREFIX, administer, refusedAdministration } from './admin.ts';
import { type Answer, failure, Refusal, success } from './answers.ts';
import { claimedUser, openTokens, refuseToken } from './authentication.ts';
import { type Call, type OpenVisit, type Outcome, readCall, type Settings, type Visit } from './call.ts';
import { type Fault, openFaults, type Plan } from './faults.ts';
import { type LedgerEntry, openLedger } from './ledger.ts';
import {
  type CreatedLegacyUser,
  type CreatedUser,
  createUser,
  type NewLegacyUser,
  type NewUser,
} from './new-user.ts';
import {
  type NewPhone,
  openPhones,
  type PreparedPhone,
  preparePhone,
  type VerificationView,
} from './phones.ts';
import { registerSafe } from './registration.ts';
import { spoiledAnswer, spoiledData } from './spoil.ts';
import { openStore } from './store.ts';
import { updatePin, verifyPin } from './tip.ts';
import { createNetworkUser, readBilling, readLogs, readMe } from './users.ts';
import { requestCode, signIn } from './verifications.ts';
import { dribble, send } from './wire.ts';

export type { AccountView, Deactivation } from './accounts.ts';
export type { Fault, FaultName } from './faults.ts';
export type { BoundKey, CreatedAccount, LedgerEntry, SignIn } from './ledger.ts';
export type { CreatedLegacyUser, CreatedUser, NewLegacyUser, NewUser } from './new-user.ts';
export type { Captcha, NewPerson, NewPhone, PreparedPhone, VerificationView } from './phones.ts';

export interface MixinStandIn {
  /** http://127.0.0.1:PORT, no trailing slash. */
  readonly url: string;
  /** With an RSA session, as old accounts have. */
  createUser(options: NewLegacyUser): Promise<CreatedLegacyUser> | CreatedLegacyUser;
  createUser(options?: NewUser): Promise<CreatedUser> | CreatedUser;
  /** Says what a phone is like before anybody asks for a code: its captcha, its account. */
  preparePhone(options: NewPhone): PreparedPhone;
  /** Every code that was sent, in order. */
  verifications(): readonly VerificationView[];
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

/** Longer than clients keep idle connections, so that none is closed under a request. */
const KEEP_ALIVE_MS = 65_000;

type Endpoint = (visit: Visit) => Outcome;
type OpenEndpoint = (visit: OpenVisit) => Outcome;

/** Of those who have no session yet. */
const openRoutes: Readonly<Record<string, OpenEndpoint>> = {
  'POST /verifications': requestCode,
  'POST /verifications/:id': signIn,
};

const routes: Readonly<Record<string, Endpoint>> = {
  'GET /safe/me': readMe,
  'GET /me': readMe,
  'GET /logs': readLogs,
  'POST /users': createNetworkUser,
  'POST /pin/update': updatePin,
  'POST /pin/verify': verifyPin,
  'POST /safe/users': registerSafe,
  'GET /safe/apps/:id/billing': readBilling,
};

const endpointOf = <E>(table: Readonly<Record<string, E>>, { method, route }: Call): E | undefined =>
  Object.hasOwn(table, `${method} ${route}`) ? table[`${method} ${route}`] : undefined;

/** What the server made of a request, before a fault spoils the answer. */
interface Decision {
  readonly outcome: LedgerEntry['outcome'];
  readonly answer: Answer;
  readonly reason?: string;
  /** What the ledger keeps of it. */
  readonly effects?: Omit<Outcome, 'data'>;
}

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
  const phones = openPhones(store);
  const ledger = openLedger(store);
  const tokens = openTokens(store);
  const faults = openFaults(store, options.seed ?? 1);

  const surroundings = (call: Call, plan: Plan, nowMs: number) => ({
    call,
    accounts,
    nowMs,
    clockMs: nowMs + plan.skewMs,
    settings: {
      signature: settings.signature,
      tells_spend_key: settings.tells_spend_key && !plan.has('spend_key_hidden'),
      suspend_upgrade: settings.suspend_upgrade || plan.has('upgrade_suspended'),
    },
  });

  const visitOpenly = (endpoint: OpenEndpoint, call: Call, plan: Plan, nowMs: number): Outcome => {
    refuseToken(call);
    return endpoint({ ...surroundings(call, plan, nowMs), phones });
  };

  const visitSigned = (endpoint: Endpoint, call: Call, plan: Plan, nowMs: number): Outcome => {
    const around = surroundings(call, plan, nowMs);
    const account = tokens.authenticate(call, accounts, around.clockMs);
    const keysBefore = keysOf(asReadersSee(account, nowMs));
    try {
      const outcome = endpoint({ ...around, account });
      if (plan.lagMs > 0) account.stale = { until: nowMs + plan.lagMs, keys: keysBefore };
      return outcome;
    } finally {
      // A refusal has effects too: a spent iterator, a wrong PIN, a longer lock.
      if (call.method === 'POST') accounts.save(account);
    }
  };

  const visitEndpoint = (call: Call, plan: Plan, nowMs: number): Outcome => {
    const openEndpoint = endpointOf(openRoutes, call);
    if (openEndpoint !== undefined) return visitOpenly(openEndpoint, call, plan, nowMs);
    const endpoint = endpointOf(routes, call);
    if (endpoint === undefined) throw new Refusal(404, 'there is no such endpoint');
    return visitSigned(endpoint, call, plan, nowMs);
  };

  const decide = (call: Call, plan: Plan, nowMs: number): Decision => {
    try {
      const { data, ...effects } = visitEndpoint(call, plan, nowMs);
      return { outcome: 'accepted', answer: success(spoiledData(data, plan, accounts, nowMs)), effects };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { outcome: 'refused', answer: failure(error.code, error.told), reason: error.message };
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
      ...decision?.effects,
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
          store.transaction(() => administer(call, { accounts, phones, ledger, faults }, now())),
        );
      } catch (error) {
        send(response, refusedAdministration(error));
      }
      return;
    }

    const { method, path, route } = call;
    const plan = store.transaction(() => faults.plan({ method, path, route, user_id: claimedUser(call) }));
    if (plan.slowMs > 0) await wait(plan.slowMs);
    if (stopped) return;
    const answer = decideAndRecord(call, plan);
    if (plan.after?.name === 'answer_held') await wait(plan.after.delayMs ?? 0);
    if (answer === undefined) {
      hangUp();
      return;
    }
    const misplaced = plan.after?.name === 'wrong_request_id';
    const headers = {
      'X-Request-Id': misplaced ? randomUUID() : (call.request_id ?? randomUUID()),
      'X-Server-Time': String(BigInt(Math.round(now() + plan.skewMs)) * 1_000_000n),
    };
    if (plan.after?.name === 'slow_body')
      await dribble(response, answer, headers, plan.after.delayMs ?? 0, wait);
    else send(response, answer, headers);
  };

  function makeUser(user: NewLegacyUser): CreatedLegacyUser;
  function makeUser(user?: NewUser): CreatedUser;
  function makeUser(user: NewUser | NewLegacyUser = {}) {
    return store.transaction(() => createUser(accounts, user, now()));
  }

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
    createUser: makeUser,
    preparePhone: (phone) => store.transaction(() => preparePhone(accounts, phones, phone, now())),
    verifications: () => phones.views(),
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
