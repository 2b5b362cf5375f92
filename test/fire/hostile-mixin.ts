/** A Mixin that lies, between the functions and the stand-in that knows the truth; and bots that live through it. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import fc from 'fast-check';
import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { countKeys } from '../../infra/local/custody.ts';
import { type Emulators, startEmulators } from '../../infra/local/emulators.ts';
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
  accountLies,
  anyFieldLie,
  CANARY,
  envelopeLies,
  type Honest,
  type Lie,
  type Wire,
  wireLies,
} from './hostile-answers.ts';

/** One request that reached the liar. */
interface Seen {
  readonly method: string;
  readonly path: string;
  readonly user_id: string;
  readonly request_id: string;
  readonly body: string;
}

/** Lies to requests of this method and path. */
export interface Plan {
  readonly at: string;
  readonly lie: Lie;
  /** Whether Mixin does what it was asked before it lies. */
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

const userOf = (authorization: string): string => {
  const claims = authorization.split('.')[1] ?? '';
  try {
    return String(JSON.parse(Buffer.from(claims, 'base64url').toString()).uid);
  } catch {
    return '';
  }
};

const routeOf = (method: string, path: string): string =>
  `${method} ${path.replace(/\?.*/, '').replace(/(verifications\/).+/, '$1:id')}`;

const passedOn = ['authorization', 'content-type', 'x-request-id', 'mixin-device-id', 'user-agent'];

/** Asks the stand-in what the truth is. */
const askHonest = async (url: string, request: IncomingMessage, body: string): Promise<Honest> => {
  const headers = Object.fromEntries(
    passedOn.flatMap((name) => (request.headers[name] ? [[name, String(request.headers[name])]] : [])),
  );
  const { method = 'GET' } = request;
  const answer = await fetch(url + request.url, { method, headers, ...(body && { body }) });
  const text = await answer.text();
  const parsed = JSON.parse(text) as { data?: unknown };
  const kept = ['x-request-id', 'x-server-time'].map((name) => [name, answer.headers.get(name) ?? '']);
  return { status: answer.status, headers: Object.fromEntries(kept), data: parsed.data, body: text };
};

const put = (response: ServerResponse, { status, headers, body, raw }: Wire, honest: Honest): void => {
  const { socket } = response;
  if (raw && socket) {
    raw(socket);
    return;
  }
  response.writeHead(status ?? honest.status, {
    ...honest.headers,
    'content-type': 'application/json',
    ...headers,
  });
  response.end(body);
};

/** A server where nothing must ever arrive. */
const startElsewhere = async () => {
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

/** Between the functions and the stand-in: lies where it was told to, and keeps what it saw. */
const startLiar = async (truthUrl: string, elsewhere: string) => {
  const seen: Seen[] = [];
  let plan: Plan | undefined;
  let told = 0;
  let onSafe: (user_id: string, public_key: string) => Promise<void> = async () => {};

  const lieFor = (method: string, path: string): Plan | undefined => {
    const strikes = plan?.at === routeOf(method, path) && told < plan.times;
    if (strikes) told += 1;
    return strikes ? plan : undefined;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', headers } = request;
    const body = await readAll(request);
    const user_id = userOf(headers.authorization ?? '');
    const request_id = String(headers['x-request-id']);
    seen.push({ method, path, user_id, request_id, body });
    if (path === '/safe/users') await onSafe(user_id, String(JSON.parse(body).public_key));
    const struck = lieFor(method, path);
    const nothing: Honest = {
      status: 200,
      headers: { 'x-request-id': request_id },
      data: undefined,
      body: '',
    };
    const honest = struck && !struck.isHandled ? nothing : await askHonest(truthUrl, request, body);
    put(response, struck ? struck.lie.answer(honest, elsewhere) : { body: honest.body }, honest);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    told: () => told,
    lie: (next: Plan | undefined) => {
      plan = next;
      told = 0;
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
type Liar = Awaited<ReturnType<typeof startLiar>>;

export interface HostileWorld extends AsyncDisposable {
  readonly standIn: MixinStandIn;
  readonly emulators: Emulators;
  readonly liar: Liar;
  readonly services: Services;
  /** Whose patience with Mixin is short. */
  readonly hasty: Services;
  readonly logs: readonly string[];
  readonly count: Count;
  /** User ids of bots that are listed and take no part. */
  readonly others: readonly string[];
  readonly elsewhere: () => string;
}

const HASTY_MS = 400;

/** The services of the functions, but that their Mixin is at `url`. @param fetched in place of fetch */
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

/** A bot that is listed, kept and queued. */
export const listBot = async (
  { standIn, services }: Pick<HostileWorld, 'standIn' | 'services'>,
  account: Account = {},
  pin?: string,
): Promise<string> => {
  const { keystore } = await standIn.createUser(account);
  await services.vault.storeKeystore({ ...keystore, ...(pin !== undefined && { pin }) });
  await services.table.createBot(newRow(keystore.app_id, { session_id: keystore.session_id }));
  return keystore.app_id;
};

/** A row without an account. */
const listEnrolment = async ({ services }: HostileWorld, enrolment: Enrolment): Promise<string> => {
  const user_id = randomUUID();
  await services.table.createBot(newRow(user_id, { enrolment, row_digest: enrolment.kind }));
  return user_id;
};

export const openHostileWorld = async (): Promise<HostileWorld> => {
  const logs: string[] = [];
  const write = (line: string) => void logs.push(line);
  const standIn = await startMixinStandIn({});
  const emulators = await startEmulators();
  const elsewhere = await startElsewhere();
  const liar = await startLiar(standIn.url, elsewhere.url);
  const services = servicesFor(emulators, liar.url, write);
  const count: Count = { answers: 0, bots: 0, keys_lost: 0, double_keys: 0, double_paid_calls: 0 };
  liar.whenSafe(async (user_id, public_key) => {
    const kept = await services.vault.readKeystore(user_id);
    const isKept = typeof kept === 'object' && kept.key?.public_key === public_key;
    if (!isKept) count.keys_lost += 1;
  });
  const others = [await listBot({ standIn, services }), await listBot({ standIn, services })];
  return {
    standIn,
    emulators,
    liar,
    services,
    hasty: servicesFor(emulators, liar.url, write, HASTY_MS),
    logs,
    count,
    others,
    elsewhere: elsewhere.arrived,
    [Symbol.asyncDispose]: async () => {
      liar.stop();
      elsewhere.stop();
      await emulators.stop();
      await standIn.stop();
    },
  };
};

/** The same services so many hours later, when every pause is over. */
const later = (services: Services, hours: number): Services => ({
  ...services,
  now: () => Date.now() + hours * 3_600_000,
});

/** One message for a bot, as its state asks for; false where there is nothing more to do. */
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

/** As many messages as it takes for a bot to come to rest, or so many, hours apart. */
export const live = async (services: Services, user_id: string, rounds: number, from = 0): Promise<Bot> => {
  for (let round = 0; round < rounds; round += 1)
    if (!(await step(later(services, from + 2 * round), user_id))) break;
  return (await services.table.readBot(user_id)) as Bot;
};

const retry = async (services: Services, bot: Bot): Promise<void> => {
  if (!bot.enrolment && allows('requeue', bot.state))
    await moveBot(services, bot, 'requeue', { step: 'api' });
};

const restful = ['registered', 'enrolled'];

/** Every bot rests, or waits with a reason. */
const expectReason = (bot: Bot): void => {
  if (restful.includes(bot.state)) return;
  if (bot.state === 'registering' || bot.state === 'queued' || bot.state === 'enrolling')
    throw new Error(`the bot is left ${bot.state}`);
  if (!bot.reason?.message || !bot.reason.fix) throw new Error(`the bot is ${bot.state} without a reason`);
};

const distinct = <T>(list: readonly T[]): number => new Set(list).size;

/** Adds up what went wrong for one bot, by what reached the liar. */
const countHarm = ({ liar, count }: HostileWorld, user_id: string): void => {
  const posts = liar.seen.filter((it) => it.user_id === user_id && it.method === 'POST');
  const keys = posts
    .filter(({ path }) => path === '/safe/users')
    .map(({ body }) => JSON.parse(body).public_key);
  if (distinct(keys) > 1) count.double_keys += 1;
};

/** No POST reached the liar twice, and none was sent again without a look in between. fetch repeats a GET at 421. */
const expectNoResend = ({ liar }: HostileWorld, user_id: string): void => {
  const all = liar.seen.filter((it) => it.user_id === user_id);
  const posts = all.filter(({ method }) => method === 'POST');
  if (distinct(posts.map(({ request_id }) => request_id)) < posts.length)
    throw new Error('a POST came twice');
  for (const path of ['/pin/update', '/safe/users']) {
    let isSent = false;
    for (const it of all) {
      if (it.method === 'GET') isSent = false;
      else if (it.path === path && isSent) throw new Error(`POST ${path} came again without a look`);
      else if (it.path === path) isSent = true;
    }
  }
};

const expectQuiet = ({ logs }: HostileWorld, ...kept: readonly unknown[]): void => {
  const text = logs.join('\n') + JSON.stringify(kept, (_, it) => (typeof it === 'bigint' ? String(it) : it));
  if (text.includes(CANARY)) throw new Error('a text of an answer was kept');
};

export interface Told {
  readonly under: string;
  readonly after: string;
}

const told = ({ state, reason }: Bot): string => (reason ? `${state} ${reason.code}` : state);

/** A bot that lives through a plan of lies, and then on with the truth. */
export const liveThrough = async (
  world: HostileWorld,
  plan: Plan,
  account: Account = {},
  pin?: string,
): Promise<Told> => {
  const { liar, services, hasty, count } = world;
  const user_id = await listBot(world, account, pin);
  count.bots += 1;
  liar.lie(plan);
  const under = await live(plan.lie.isSlow ? hasty : services, user_id, 4);
  count.answers += liar.told();
  liar.lie(undefined);
  expectReason(under);
  await retry(services, under);
  const after = await live(services, user_id, 8, 30);
  expectReason(after);
  countHarm(world, user_id);
  expectNoResend(world, user_id);
  expectQuiet(world, under, after);
  return { under: told(under), after: told(after) };
};

/** How many users the stand-in has sold. */
const boughtBy = ({ standIn }: HostileWorld): number =>
  standIn.ledger().filter(({ created }) => created?.kind === 'network').length;

/** A network user that lies are told about, and the accounts that came of it. */
export const createThrough = async (world: HostileWorld, owner: string, plan: Plan): Promise<Told> => {
  const { liar, services, hasty, count } = world;
  const user_id = await listEnrolment(world, { kind: 'network_user', owner, full_name: 'A' });
  const before = liar.seen.length;
  const bought = boughtBy(world);
  count.bots += 1;
  liar.lie(plan);
  const under = await live(plan.lie.isSlow ? hasty : services, user_id, 3);
  count.answers += liar.told();
  liar.lie(undefined);
  expectReason(under);
  const paid = liar.seen.slice(before).filter(({ path }) => path === '/users').length;
  const isTwice = (paid > 1 && !plan.lie.isRefusal) || boughtBy(world) > bought + 1;
  if (isTwice) count.double_paid_calls += 1;
  const made = under.account && (await live(services, under.account.user_id, 6, 30));
  if (made) expectReason(made);
  expectQuiet(world, under, made);
  return { under: told(under), after: made ? told(made) : 'none' };
};

const isProblem = ({ status, body }: HttpAnswer): boolean => {
  const { code, detail, fix } = body as Record<string, unknown>;
  return status >= 400 && [code, detail, fix].every((it) => typeof it === 'string' && it.length > 2);
};

const requestOf = (path: Record<string, string>, body: unknown) => ({
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

/** A person who asks for a code, and signs in with it, of a Mixin that lies at one of the two. */
export const signInThrough = async (world: HostileWorld, plan: Plan): Promise<readonly HttpAnswer[]> => {
  const { liar, services, hasty, count, standIn } = world;
  const patience = plan.lie.isSlow ? hasty : services;
  const phone = newPhone();
  standIn.preparePhone({ phone });
  count.bots += 1;
  const before = liar.seen.length;
  liar.lie(plan);
  const asked = await accounts.requestCode(patience, requestOf({}, { phone }));
  const sent = standIn.verifications().find((it) => it.phone === phone);
  const verification_id = sent?.id ?? randomUUID();
  const said = requestOf({ verification_id }, { code: sent?.code ?? '0000' });
  const answers = [asked, await accounts.signIn(patience, said)];
  count.answers += liar.told();
  liar.lie(undefined);
  answers.push(await accounts.signIn(services, said));
  for (const answer of answers)
    if (answer.status >= 400 && !isProblem(answer)) throw new Error(`no problem document: ${answer.status}`);
  const calls = liar.seen.slice(before).filter(({ path }) => path === `/verifications/${verification_id}`);
  if (distinct(calls.map(({ request_id }) => request_id)) < calls.length)
    throw new Error('a request came twice');
  if (calls.length > 1 && !plan.lie.isRefusal && plan.at.endsWith(':id')) count.double_paid_calls += 1;
  // What Mixin tells of a person is passed on, and kept nowhere.
  expectQuiet(
    world,
    answers.filter(({ status }) => status >= 400),
  );
  return answers;
};

/** Compares the vault with what the stand-in bound. */
export const countLost = async ({ emulators, standIn, count }: HostileWorld): Promise<void> => {
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  const custody = await countKeys(environment, standIn.ledger());
  count.keys_lost += custody.keys_lost ?? 0;
};

export const botPaths = ['GET /safe/me', 'POST /pin/update', 'POST /safe/users'] as const;

/** How a lie is told at a call: how often, and whether Mixin did before what it was asked. */
const tellings = (at: string): readonly Pick<Plan, 'isHandled' | 'times'>[] => [
  { isHandled: true, times: 1 },
  { isHandled: true, times: 99 },
  ...(at.startsWith('POST') ? [{ isHandled: false, times: 99 }] : []),
];

/** Lies with a name, at every call of a bot. */
export const namedPlans = (world: HostileWorld): readonly Plan[] =>
  [...wireLies, ...envelopeLies, ...accountLies(world.others)].flatMap((lie) =>
    botPaths.flatMap((at) => tellings(at).map((telling) => ({ at, lie, ...telling }))),
  );

const paidPaths = ['POST /users', 'POST /verifications', 'POST /verifications/:id'] as const;

/** The same for calls that make accounts. A refusal that can be read is believed: it is told of what was not done. */
export const paidPlans = (world: HostileWorld): readonly Plan[] =>
  [...wireLies, ...envelopeLies, ...accountLies(world.others)].flatMap((lie) =>
    paidPaths.flatMap((at) =>
      (lie.isRefusal ? [false] : [true, false]).map((isHandled) => ({ at, lie, isHandled, times: 1 })),
    ),
  );

/** Lies about the fields of an account, at random. */
export const anyPlan = (world: HostileWorld, paths: readonly string[]): fc.Arbitrary<Plan> =>
  fc.record({
    at: fc.constantFrom(...paths),
    lie: anyFieldLie(world.others),
    isHandled: fc.constant(true),
    times: fc.constantFrom(1, 2, 99),
  });

export const anyBotPlan = (world: HostileWorld) => anyPlan(world, botPaths);
export const anyPaidPlan = (world: HostileWorld) => anyPlan(world, paidPaths);

const nameOf = ({ at, lie, isHandled, times }: Plan): string =>
  `${at} ${times} times, ${isHandled ? 'done' : 'not done'}: ${lie.name}`;

/** Goes through all plans; throws an Error that tells the one that went wrong. */
export const through = async (
  plans: readonly Plan[],
  lives: (plan: Plan) => Promise<unknown>,
): Promise<void> => {
  for (const plan of plans)
    await lives(plan).catch((error: unknown) => {
      throw new Error(nameOf(plan), { cause: error });
    });
};
