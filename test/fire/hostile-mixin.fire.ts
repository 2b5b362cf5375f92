/**
 * A Mixin that lies in every way we could think of, to bots that check, register, are created and sign in. Answers are
 * told once or again and again, after Mixin did what it was asked or not. ENLIST_FIRE_SEED repeats a run.
 */
import { createServer as createTcpServer } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certify } from '../mixin/certificates.ts';
import { seedOf } from './bad-input.ts';
import {
  anyBotPlan,
  anyPaidPlan,
  countLost,
  createThrough,
  type HostileWorld,
  listBot,
  live,
  liveThrough,
  namedPlans,
  openHostileWorld,
  type Plan,
  paidPlans,
  servicesFor,
  signInThrough,
  type Told,
  through,
} from './hostile-mixin.ts';
import { tally } from './tally.ts';

const RANDOM_BOTS = 400;
const RANDOM_PAID = 250;
/** Each costs its patience, so not all of them are told at every place. */
const SLOW = 16;

const seed = seedOf();
let world: HostileWorld;
let owner = '';
const ends = new Map<string, number>();
const tell = (text: string) => process.stdout.write(`hostile Mixin: ${text}\n`);

const note = ({ under, after }: Told): void => {
  const end = `${under} → ${after}`;
  ends.set(end, (ends.get(end) ?? 0) + 1);
};

beforeAll(async () => {
  world = await openHostileWorld();
  owner = await listBot(world);
  tell(`seed ${seed}`);
}, 120_000);
afterAll(async () => {
  tally('hostile Mixin', { ...world.count });
  for (const [end, count] of [...ends].sort(([, a], [, b]) => b - a)) tell(`${count} ${end}`);
  await world[Symbol.asyncDispose]();
});

const quickOf = (plans: readonly Plan[]) => plans.filter(({ lie }) => !lie.isSlow);
const slowOf = (plans: readonly Plan[]) =>
  fc.sample(fc.constantFrom(...plans.filter(({ lie }) => lie.isSlow)), { numRuns: SLOW, seed });

const bot = async (plan: Plan) => note(await liveThrough(world, plan));
const botWithDigits = async (plan: Plan) =>
  note(await liveThrough(world, plan, { six_digit_pin: '314159' }, '314159'));
const paid = async (plan: Plan) => {
  if (plan.at === 'POST /users') note(await createThrough(world, owner, plan));
  else await signInThrough(world, plan);
};

const random = (plans: fc.Arbitrary<Plan>, numRuns: number, lives: (plan: Plan) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(plans, (plan) => lives(plan)),
    { numRuns, seed, endOnFailure: true },
  );

describe('a Mixin that lies', () => {
  test('to a bot', () => through(quickOf(namedPlans(world)), bot));
  test('to a bot, without end', () => through(slowOf(namedPlans(world)), bot));
  test('to a bot with six digits', () =>
    through(
      quickOf(namedPlans(world)).filter(({ at, times }) => at === 'POST /pin/update' && times === 1),
      botWithDigits,
    ));
  test('about wrong PINs', () =>
    through(
      quickOf(namedPlans(world))
        .filter(({ at, times }) => at === 'GET /safe/me' && times === 99)
        .map((plan) => ({ ...plan, at: 'GET /logs' })),
      botWithDigits,
    ));
  test('about an account, at random', () => random(anyBotPlan(world), RANDOM_BOTS, bot));
  test('to who pays or signs in', () => through(quickOf(paidPlans(world)), paid));
  test('to who pays or signs in, without end', () => through(slowOf(paidPlans(world)), paid));
  test('to who pays or signs in, at random', () => random(anyPaidPlan(world), RANDOM_PAID, paid));
});

describe('a Mixin that is not where it should be', () => {
  /** A server that keeps what a client sent through it. */
  const startTls = async (name: string) => {
    const { key, cert } = certify({ name });
    let arrived = '';
    const server = tls.createServer({ key, cert }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        arrived += chunk.toString();
      });
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return { url: `https://localhost:${port}`, arrived: () => arrived, stop: () => server.close() };
  };

  /** An HTTP server under an https URL: what arrives is a handshake. */
  const startPlain = async () => {
    let arrived = '';
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        arrived += chunk.toString('latin1');
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return { url: `https://127.0.0.1:${port}`, arrived: () => arrived, stop: () => server.close() };
  };

  const servers = [
    ['with a certificate of its own', () => startTls('localhost')],
    ['with a certificate of another name', () => startTls('elsewhere.example')],
    ['without TLS', startPlain],
  ] as const;

  test.each(servers)('%s gets no token and no key, and the bot waits', async (_name, start) => {
    const server = await start();
    const { emulators, liar, services, count } = world;
    liar.lie(undefined);
    /** GETs find Mixin, POSTs find the other. */
    const astray: typeof fetch = (input, init) =>
      fetch(init?.method === 'POST' ? String(input).replace(liar.url, server.url) : input, init);
    const log = () => undefined;
    const lost = servicesFor(emulators, server.url, log);
    const half = servicesFor(emulators, liar.url, log, 8_000, astray);
    for (const patience of [lost, half]) {
      const user_id = await listBot(world);
      count.bots += 1;
      const bot = await live(patience, user_id, 4);
      expect(['waiting', 'unsure']).toContain(bot.state);
      expect(bot.reason?.code).toMatch(/^no_(connection|answer)$/);
      expect((await live(services, user_id, 8, 30)).state).toBe('registered');
    }
    expect(server.arrived()).not.toMatch(/bearer|authorization|pin_base64|public_key/i);
    server.stop();
  });
});

describe('in the end', () => {
  test('nothing arrived elsewhere, nothing was lost, bound twice or paid for twice', async () => {
    await countLost(world);
    tell(JSON.stringify(world.count));
    expect(world.elsewhere()).toBe('');
    expect(world.count).toMatchObject({ keys_lost: 0, double_keys: 0, double_paid_calls: 0 });
  });
});
