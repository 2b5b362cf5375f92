/** A hostile Mixin: a proxy that gives false answers in front of the stand-in, and bots that are registered through it. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import fc from 'fast-check';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { type Emulators, startEmulators } from '../../infra/local/emulators.ts';
import { countKeys } from '../../infra/local/key-counts.ts';
import { accounts } from '../../lib/api/accounts.ts';
import type { HttpAnswer } from '../../lib/api/http.ts';
import { check } from '../../lib/bots/check.ts';
import { enroll } from '../../lib/bots/enroll.ts';
import { register } from '../../lib/bots/register.ts';
import { moveBot } from '../../lib/bots/transition.ts';
import { createMixinAccounts } from '../../lib/mixin/accounts.ts';
import { createMixinClient } from '../../lib/mixin/client.ts';
import { createMixinSafe } from '../../lib/mixin/safe.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Enrolment } from '../../lib/model/enrolment.ts';
import { mixin } from '../../lib/model/mixin.ts';
import type { Services } from '../../lib/model/ports.ts';
import { allows } from '../../lib/model/states.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';
import { createLog } from '../../lib/runtime/log.ts';
import {
  accountAnswers,
  anyFieldAnswer,
  CANARY,
  envelopeAnswers,
  type FalseAnswer,
  type TrueAnswer,
  type WireAnswer,
  wireAnswers,
} from './hostile-answers.ts';

/** One request that reached the proxy. */
interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly user_id: string;
  readonly request_id: string;
  readonly body: string;
}

/** A false answer for requests of this method and path. */
export interface AnswerPlan {
  readonly at: string;
  readonly answer: FalseAnswer;
  /** Whether Mixin carries out the request before the false answer. */
  readonly isHandled: boolean;
  readonly times: number;
}

export interface Count {
  answers: number;
  bots: number;
  keys_lost: number;
  double_keys: number;
  double_paid_calls: number;
}

const listen = async (server: ReturnType<typeof createTcpServer>): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

const readAll = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

const readUserId = (authorization: string): string => {
  const claims = authorization.split('.')[1] ?? '';
  try {
    return String(JSON.parse(Buffer.from(claims, 'base64url').toString()).uid);
  } catch {
    return '';
  }
};

const nameRoute = (method: string, path: string): string =>
  `${method} ${path.replace(/\?.*/, '').replace(/(verifications\/).+/, '$1:id')}`;

const forwardedHeaders = ['authorization', 'content-type', 'x-request-id', 'mixin-device-id', 'user-agent'];

/** Fetches the true answer from the stand-in. */
const fetchTrueAnswer = async (url: string, request: IncomingMessage, body: string): Promise<TrueAnswer> => {
  const headers = Object.fromEntries(
    forwardedHeaders.flatMap((name) =>
      request.headers[name] ? [[name, String(request.headers[name])]] : [],
    ),
  );
  const { method = 'GET' } = request;
  const answer = await fetch(url + request.url, { method, headers, ...(body && { body }) });
  const text = await answer.text();
  const parsed = JSON.parse(text) as { data?: unknown };
  const kept = ['x-request-id', 'x-server-time'].map((name) => [name, answer.headers.get(name) ?? '']);
  return { status: answer.status, headers: Object.fromEntries(kept), data: parsed.data, body: text };
};

const sendAnswer = (
  response: ServerResponse,
  { status, headers, body, raw }: WireAnswer,
  trueAnswer: TrueAnswer,
): void => {
  const { socket } = response;
  if (raw && socket) {
    raw(socket);
    return;
  }
  response.writeHead(status ?? trueAnswer.status, {
    ...trueAnswer.headers,
    'content-type': 'application/json',
    ...headers,
  });
  response.end(body);
};

/** A server to which nothing must ever be sent. */
const startDecoy = async () => {
  let arrived = '';
  const server = createTcpServer((socket) => {
    arrived += 'a connection';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      arrived += chunk.toString();
    });
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}`, arrived: () => arrived, stop: () => server.close() };
};

/** A proxy in front of the stand-in: it gives false answers as planned and records all requests. */
const startHostileProxy = async (truthUrl: string, decoyUrl: string) => {
  const requests: ProxiedRequest[] = [];
  let plan: AnswerPlan | undefined;
  let given = 0;
  let onSafe: (user_id: string, public_key: string) => Promise<void> = async () => {};

  const findFalseAnswer = (method: string, path: string): AnswerPlan | undefined => {
    const applies = plan?.at === nameRoute(method, path) && given < plan.times;
    if (applies) given += 1;
    return applies ? plan : undefined;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', headers } = request;
    const body = await readAll(request);
    const user_id = readUserId(headers.authorization ?? '');
    const request_id = String(headers['x-request-id']);
    requests.push({ method, path, user_id, request_id, body });
    if (path === '/safe/users') await onSafe(user_id, String(JSON.parse(body).public_key));
    const planned = findFalseAnswer(method, path);
    const nothing: TrueAnswer = {
      status: 200,
      headers: { 'x-request-id': request_id },
      data: undefined,
      body: '',
    };
    const trueAnswer =
      planned && !planned.isHandled ? nothing : await fetchTrueAnswer(truthUrl, request, body);
    sendAnswer(
      response,
      planned ? planned.answer.create(trueAnswer, decoyUrl) : { body: trueAnswer.body },
      trueAnswer,
    );
  };

  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    given: () => given,
    setPlan: (next: AnswerPlan | undefined) => {
      plan = next;
      given = 0;
    },
    whenSafe: (look: typeof onSafe) => {
      onSafe = look;
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
type HostileProxy = Awaited<ReturnType<typeof startHostileProxy>>;

export interface HostileStack extends AsyncDisposable {
  readonly standIn: MixinStandIn;
  readonly emulators: Emulators;
  readonly proxy: HostileProxy;
  readonly services: Services;
  /** With a short time-out for Mixin. */
  readonly impatient: Services;
  readonly logs: readonly string[];
  readonly count: Count;
  /** The user ids of other bots. */
  readonly others: readonly string[];
  readonly decoyUrl: () => string;
}

const IMPATIENT_MS = 400;

/** The services of the functions with Mixin at `url`. @param fetched used in place of fetch */
export const servicesFor = (
  emulators: Emulators,
  url: string,
  write: (line: string) => void,
  timeoutMs: number = mixin.timeoutMs,
  fetched: typeof fetch = fetch,
): Services => {
  const config = readConfig({ ...emulators.environment, MIXIN_URL: url });
  const { services } = connect(config, createLog(write, Date.now));
  const { now, randomBytes } = services;
  const { maxAnswerBytes, tokenLifetimeSeconds } = mixin;
  const options = {
    baseUrl: url,
    timeoutMs,
    maxAnswerBytes,
    tokenLifetimeSeconds,
    now,
    randomId: randomUUID,
  };
  const client = createMixinClient({ ...options, fetch: fetched });
  const { registrationSignature } = config;
  return {
    ...services,
    mixin: createMixinSafe(client, { now, randomBytes, registrationSignature }),
    accounts: createMixinAccounts(client),
  };
};

const newRow = (user_id: string, more: Partial<Bot>): Bot => ({
  bot_id: user_id,
  batch_id: randomUUID(),
  line: 1,
  row_digest: '',
  state: 'queued',
  state_since: new Date().toISOString(),
  revision: 1,
  attempts: 0,
  history: [],
  ...more,
});

type Account = Parameters<MixinStandIn['createUser']>[0];

/** A queued bot with a stored keystore. */
export const createBot = async (
  { standIn, services }: Pick<HostileStack, 'standIn' | 'services'>,
  account: Account = {},
  pin?: string,
): Promise<string> => {
  const { keystore } = await standIn.createUser(account);
  await services.vault.storeKeystore({ ...keystore, ...(pin !== undefined && { pin }) });
  await services.table.createBot(newRow(keystore.app_id, { session_id: keystore.session_id }));
  return keystore.app_id;
};

/** A row without an account. */
const createEnrolment = async ({ services }: HostileStack, enrolment: Enrolment): Promise<string> => {
  const user_id = randomUUID();
  await services.table.createBot(newRow(user_id, { enrolment, row_digest: enrolment.kind }));
  return user_id;
};

export const startHostileStack = async (): Promise<HostileStack> => {
  const logs: string[] = [];
  const write = (line: string) => void logs.push(line);
  const standIn = await startMixinStandIn({});
  const emulators = await startEmulators();
  const decoyUrl = await startDecoy();
  const proxy = await startHostileProxy(standIn.url, decoyUrl.url);
  const services = servicesFor(emulators, proxy.url, write);
  const count: Count = { answers: 0, bots: 0, keys_lost: 0, double_keys: 0, double_paid_calls: 0 };
  proxy.whenSafe(async (user_id, public_key) => {
    const kept = await services.vault.readKeystore(user_id);
    const isKept = typeof kept === 'object' && kept.key?.public_key === public_key;
    if (!isKept) count.keys_lost += 1;
  });
  const others = [await createBot({ standIn, services }), await createBot({ standIn, services })];
  return {
    standIn,
    emulators,
    proxy,
    services,
    impatient: servicesFor(emulators, proxy.url, write, IMPATIENT_MS),
    logs,
    count,
    others,
    decoyUrl: decoyUrl.arrived,
    [Symbol.asyncDispose]: async () => {
      proxy.stop();
      decoyUrl.stop();
      await emulators.stop();
      await standIn.stop();
    },
  };
};

/** The same services so many hours later, after every delay. */
const later = (services: Services, hours: number): Services => ({
  ...services,
  now: () => Date.now() + hours * 3_600_000,
});

/** Runs the step that the bot's state needs; false if there is nothing more to do. */
const step = async (services: Services, user_id: string): Promise<boolean> => {
  const bot = await services.table.readBot(user_id);
  const deadlineMs = services.now() + 30_000;
  if (bot?.enrolment) {
    if (!['queued', 'enrolling', 'waiting'].includes(bot.state)) return false;
    await enroll(services, { bot_id: user_id }, deadlineMs);
  } else if (bot?.state === 'registering') await register(services, { bot_id: user_id }, deadlineMs);
  else if (bot && ['queued', 'waiting', 'unsure'].includes(bot.state))
    await check(services, { bot_id: user_id });
  else return false;
  return true;
};

/** Runs steps, hours apart, until the bot is finished or `rounds` are over. */
export const runSteps = async (
  services: Services,
  user_id: string,
  rounds: number,
  from = 0,
): Promise<Bot> => {
  for (let round = 0; round < rounds; round += 1)
    if (!(await step(later(services, from + 2 * round), user_id))) break;
  return (await services.table.readBot(user_id)) as Bot;
};

const retry = async (services: Services, bot: Bot): Promise<void> => {
  if (!bot.enrolment && allows('requeue', bot.state))
    await moveBot(services, bot, 'requeue', { step: 'api' });
};

const finishedStates = ['registered', 'enrolled'];

/** Expects that the bot is finished, or waits with a reason. */
const expectReason = (bot: Bot): void => {
  if (finishedStates.includes(bot.state)) return;
  if (bot.state === 'registering' || bot.state === 'queued' || bot.state === 'enrolling')
    throw new Error(`the bot is left ${bot.state}`);
  if (!bot.reason?.message || !bot.reason.fix) throw new Error(`the bot is ${bot.state} without a reason`);
};

const distinct = <T>(list: readonly T[]): number => new Set(list).size;

/** Counts the harm done to one bot, by the requests that reached the proxy. */
const countHarm = ({ proxy, count }: HostileStack, user_id: string): void => {
  const posts = proxy.requests.filter((it) => it.user_id === user_id && it.method === 'POST');
  const keys = posts
    .filter(({ path }) => path === '/safe/users')
    .map(({ body }) => JSON.parse(body).public_key);
  if (distinct(keys) > 1) count.double_keys += 1;
};

/** Expects no POST twice, and none again without a GET in between. (fetch repeats a GET at 421.) */
const expectNoResend = ({ proxy }: HostileStack, user_id: string): void => {
  const all = proxy.requests.filter((it) => it.user_id === user_id);
  const posts = all.filter(({ method }) => method === 'POST');
  if (distinct(posts.map(({ request_id }) => request_id)) < posts.length)
    throw new Error('a POST came twice');
  for (const path of ['/pin/update', '/safe/users']) {
    let isSent = false;
    for (const it of all) {
      if (it.method === 'GET') isSent = false;
      else if (it.path === path && isSent) throw new Error(`POST ${path} came again without a GET`);
      else if (it.path === path) isSent = true;
    }
  }
};

const expectNothingKept = ({ logs }: HostileStack, ...kept: readonly unknown[]): void => {
  const text = logs.join('\n') + JSON.stringify(kept, (_, it) => (typeof it === 'bigint' ? String(it) : it));
  if (text.includes(CANARY)) throw new Error('a text of an answer was stored');
};

export interface Outcome {
  readonly under: string;
  readonly after: string;
}

const describeBot = ({ state, reason }: Bot): string => (reason ? `${state} ${reason.code}` : state);

/** Runs a new bot with the planned false answers, and then with true ones. */
export const runBot = async (
  stack: HostileStack,
  plan: AnswerPlan,
  account: Account = {},
  pin?: string,
): Promise<Outcome> => {
  const { proxy, services, impatient, count } = stack;
  const user_id = await createBot(stack, account, pin);
  count.bots += 1;
  proxy.setPlan(plan);
  const under = await runSteps(plan.answer.isSlow ? impatient : services, user_id, 4);
  count.answers += proxy.given();
  proxy.setPlan(undefined);
  expectReason(under);
  await retry(services, under);
  const after = await runSteps(services, user_id, 8, 30);
  expectReason(after);
  countHarm(stack, user_id);
  expectNoResend(stack, user_id);
  expectNothingKept(stack, under, after);
  return { under: describeBot(under), after: describeBot(after) };
};

/** How many network users the stand-in has created. */
const countBought = ({ standIn }: HostileStack): number =>
  standIn.ledger().filter(({ created }) => created?.kind === 'network').length;

/** Creates a network user with the planned false answers, then runs its account with true ones. */
export const runNetworkUser = async (
  stack: HostileStack,
  owner: string,
  plan: AnswerPlan,
): Promise<Outcome> => {
  const { proxy, services, impatient, count } = stack;
  const user_id = await createEnrolment(stack, { kind: 'network_user', owner, full_name: 'A' });
  const before = proxy.requests.length;
  const bought = countBought(stack);
  count.bots += 1;
  proxy.setPlan(plan);
  const under = await runSteps(plan.answer.isSlow ? impatient : services, user_id, 3);
  count.answers += proxy.given();
  proxy.setPlan(undefined);
  expectReason(under);
  const paid = proxy.requests.slice(before).filter(({ path }) => path === '/users').length;
  const isTwice = (paid > 1 && !plan.answer.isRefusal) || countBought(stack) > bought + 1;
  if (isTwice) count.double_paid_calls += 1;
  const made = under.account && (await runSteps(services, under.account.user_id, 6, 30));
  if (made) expectReason(made);
  expectNothingKept(stack, under, made);
  return { under: describeBot(under), after: made ? describeBot(made) : 'none' };
};

const isProblem = ({ status, body }: HttpAnswer): boolean => {
  const { code, message, fix } = body as Record<string, unknown>;
  return status >= 400 && [code, message, fix].every((it) => typeof it === 'string' && it.length > 2);
};

const createRequest = (path: Record<string, string>, body: unknown) => ({
  path,
  query: {},
  headers: {},
  body: Buffer.from(JSON.stringify(body)),
});

let phones = 0;
const newPhone = (): string => {
  phones += 1;
  return `+86138${String(phones).padStart(8, '0')}`;
};

/** Requests a code and signs in with it, with a false answer to one of the two calls. */
export const runSignIn = async (stack: HostileStack, plan: AnswerPlan): Promise<readonly HttpAnswer[]> => {
  const { proxy, services, impatient, count, standIn } = stack;
  const patience = plan.answer.isSlow ? impatient : services;
  const phone = newPhone();
  standIn.preparePhone({ phone });
  count.bots += 1;
  const before = proxy.requests.length;
  proxy.setPlan(plan);
  const asked = await accounts.requestCode(patience, createRequest({}, { phone }));
  const sent = standIn.verifications().find((it) => it.phone === phone);
  const verification_id = sent?.id ?? randomUUID();
  const said = createRequest({ verification_id }, { code: sent?.code ?? '0000' });
  const answers = [asked, await accounts.signIn(patience, said)];
  count.answers += proxy.given();
  proxy.setPlan(undefined);
  answers.push(await accounts.signIn(services, said));
  for (const answer of answers)
    if (answer.status >= 400 && !isProblem(answer)) throw new Error(`no problem document: ${answer.status}`);
  const calls = proxy.requests
    .slice(before)
    .filter(({ path }) => path === `/verifications/${verification_id}`);
  if (distinct(calls.map(({ request_id }) => request_id)) < calls.length)
    throw new Error('a request came twice');
  if (calls.length > 1 && !plan.answer.isRefusal && plan.at.endsWith(':id')) count.double_paid_calls += 1;
  // Mixin's data about a person is passed on and stored nowhere.
  expectNothingKept(
    stack,
    answers.filter(({ status }) => status >= 400),
  );
  return answers;
};

/** Compares the vault with the keys that the stand-in registered. */
export const countLost = async ({ emulators, standIn, count }: HostileStack): Promise<void> => {
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  const custody = await countKeys(environment, standIn.ledger());
  count.keys_lost += custody.keys_lost ?? 0;
};

export const botPaths = ['GET /safe/me', 'POST /pin/update', 'POST /safe/users'] as const;

/** How often a false answer is given, and whether Mixin carries out the request before it. */
const variants = (at: string): readonly Pick<AnswerPlan, 'isHandled' | 'times'>[] => [
  { isHandled: true, times: 1 },
  { isHandled: true, times: 99 },
  ...(at.startsWith('POST') ? [{ isHandled: false, times: 99 }] : []),
];

/** Named false answers at every call of a bot. */
export const namedPlans = (stack: HostileStack): readonly AnswerPlan[] =>
  [...wireAnswers, ...envelopeAnswers, ...accountAnswers(stack.others)].flatMap((answer) =>
    botPaths.flatMap((at) => variants(at).map((variant) => ({ at, answer, ...variant }))),
  );

const paidPaths = ['POST /users', 'POST /verifications', 'POST /verifications/:id'] as const;

/** The same for calls that create accounts. A clear refusal is believed, so it is only given when nothing was done. */
export const paidPlans = (stack: HostileStack): readonly AnswerPlan[] =>
  [...wireAnswers, ...envelopeAnswers, ...accountAnswers(stack.others)].flatMap((answer) =>
    paidPaths.flatMap((at) =>
      (answer.isRefusal ? [false] : [true, false]).map((isHandled) => ({ at, answer, isHandled, times: 1 })),
    ),
  );

/** Random false fields of an account. */
export const anyPlan = (stack: HostileStack, paths: readonly string[]): fc.Arbitrary<AnswerPlan> =>
  fc.record({
    at: fc.constantFrom(...paths),
    answer: anyFieldAnswer(stack.others),
    isHandled: fc.constant(true),
    times: fc.constantFrom(1, 2, 99),
  });

export const anyBotPlan = (stack: HostileStack) => anyPlan(stack, botPaths);
export const anyPaidPlan = (stack: HostileStack) => anyPlan(stack, paidPaths);

const describePlan = ({ at, answer, isHandled, times }: AnswerPlan): string =>
  `${at} ${times} times, ${isHandled ? 'done' : 'not done'}: ${answer.name}`;

/** Runs all plans. Throws an Error that names the one that failed. */
export const runPlans = async (
  plans: readonly AnswerPlan[],
  lives: (plan: AnswerPlan) => Promise<unknown>,
): Promise<void> => {
  for (const plan of plans)
    await lives(plan).catch((error: unknown) => {
      throw new Error(describePlan(plan), { cause: error });
    });
};
