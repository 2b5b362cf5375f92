/**
 * A Mixin that answers falsely in many ways while bots are checked, registered, created or signed in: once or
 * repeatedly, with and without the effect of the request. ENLIST_FIRE_SEED repeats a run.
 */
import { createServer as createTcpServer } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certify } from '../mixin/certificates.ts';
import { readSeed } from './bad-input.ts';
import { addCounts } from './counts.ts';
import {
  type AnswerPlan,
  anyBotPlan,
  anyPaidPlan,
  countLost,
  createBot,
  type HostileStack,
  namedPlans,
  type Outcome,
  paidPlans,
  runBot,
  runNetworkUser,
  runPlans,
  runSignIn,
  runSteps,
  servicesFor,
  startHostileStack,
} from './hostile-mixin.ts';

const RANDOM_BOTS = 400;
const RANDOM_PAID = 250;
/** Each takes as long as its time-out, so only a sample is run. */
const SLOW = 16;

const seed = readSeed();
let stack: HostileStack;
let owner = '';
const ends = new Map<string, number>();
const print = (text: string) => process.stdout.write(`hostile Mixin: ${text}\n`);

const note = ({ under, after }: Outcome): void => {
  const end = `${under} → ${after}`;
  ends.set(end, (ends.get(end) ?? 0) + 1);
};

beforeAll(async () => {
  stack = await startHostileStack();
  owner = await createBot(stack);
  print(`seed ${seed}`);
}, 120_000);
afterAll(async () => {
  addCounts('hostile Mixin', { ...stack.count });
  for (const [end, count] of [...ends].sort(([, a], [, b]) => b - a)) print(`${count} ${end}`);
  await stack[Symbol.asyncDispose]();
});

const selectQuick = (plans: readonly AnswerPlan[]) => plans.filter(({ answer }) => !answer.isSlow);
const sampleSlow = (plans: readonly AnswerPlan[]) =>
  fc.sample(fc.constantFrom(...plans.filter(({ answer }) => answer.isSlow)), { numRuns: SLOW, seed });

const bot = async (plan: AnswerPlan) => note(await runBot(stack, plan));
const botWithDigits = async (plan: AnswerPlan) =>
  note(await runBot(stack, plan, { six_digit_pin: '314159' }, '314159'));
const runPaidCall = async (plan: AnswerPlan) => {
  if (plan.at === 'POST /users') note(await runNetworkUser(stack, owner, plan));
  else await runSignIn(stack, plan);
};

const random = (
  plans: fc.Arbitrary<AnswerPlan>,
  numRuns: number,
  runOne: (plan: AnswerPlan) => Promise<void>,
) =>
  fc.assert(
    fc.asyncProperty(plans, (plan) => runOne(plan)),
    { numRuns, seed, endOnFailure: true },
  );

describe('a hostile Mixin', () => {
  test('false answers do a bot no harm', () => runPlans(selectQuick(namedPlans(stack)), bot));
  test('answers that never end do a bot no harm', () => runPlans(sampleSlow(namedPlans(stack)), bot));
  test('false answers do a bot with a six-digit PIN no harm', () =>
    runPlans(
      selectQuick(namedPlans(stack)).filter(({ at, times }) => at === 'POST /pin/update' && times === 1),
      botWithDigits,
    ));
  test('false answers about wrong PINs do a bot no harm', () =>
    runPlans(
      selectQuick(namedPlans(stack))
        .filter(({ at, times }) => at === 'GET /safe/me' && times === 99)
        .map((plan) => ({ ...plan, at: 'GET /logs' })),
      botWithDigits,
    ));
  test('random false fields of an account do a bot no harm', () =>
    random(anyBotPlan(stack), RANDOM_BOTS, bot));
  test('false answers to a paid call or a sign-in never repeat it', () =>
    runPlans(selectQuick(paidPlans(stack)), runPaidCall));
  test('answers that never end to a paid call or a sign-in never repeat it', () =>
    runPlans(sampleSlow(paidPlans(stack)), runPaidCall));
  test('random false answers to a paid call or a sign-in never repeat it', () =>
    random(anyPaidPlan(stack), RANDOM_PAID, runPaidCall));
});

describe('a server that is not Mixin', () => {
  /** A TLS server that records what a client sent. */
  const startTls = async (name: string) => {
    const { key, cert } = certify({ name });
    let bytes = '';
    const server = tls.createServer({ key, cert }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        bytes += chunk.toString();
      });
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return { url: `https://localhost:${port}`, arrived: () => bytes, stop: () => server.close() };
  };

  /** A server without TLS under an https URL: only a handshake arrives. */
  const startPlain = async () => {
    let bytes = '';
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        bytes += chunk.toString('latin1');
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return { url: `https://127.0.0.1:${port}`, arrived: () => bytes, stop: () => server.close() };
  };

  const servers = [
    ['with a certificate of its own', () => startTls('localhost')],
    ['with a certificate of another name', () => startTls('other.example')],
    ['without TLS', startPlain],
  ] as const;

  test.each(servers)('a server %s gets no token and no key, and the bot waits', async (_name, start) => {
    const server = await start();
    const { emulators, proxy, services, count } = stack;
    proxy.setPlan(undefined);
    /** Sends GETs to Mixin and POSTs to the other server. */
    const fetchElsewhere: typeof fetch = (input, init) =>
      fetch(init?.method === 'POST' ? String(input).replace(proxy.url, server.url) : input, init);
    const log = () => undefined;
    const allToOther = servicesFor(emulators, server.url, log);
    const postsToOther = servicesFor(emulators, proxy.url, log, 8_000, fetchElsewhere);
    for (const misled of [allToOther, postsToOther]) {
      const user_id = await createBot(stack);
      count.bots += 1;
      const bot = await runSteps(misled, user_id, 4);
      expect(['waiting', 'unsure']).toContain(bot.state);
      expect(bot.reason?.code).toMatch(/^no_(connection|answer)$/);
      expect((await runSteps(services, user_id, 8, 30)).state).toBe('registered');
    }
    expect(server.arrived()).not.toMatch(/bearer|authorization|pin_base64|public_key/i);
    server.stop();
  });
});

describe('the stack after all false answers', () => {
  test('nothing was sent to another server, no key was lost or registered twice, nothing was paid twice', async () => {
    await countLost(stack);
    print(JSON.stringify(stack.count));
    expect(stack.decoyUrl()).toBe('');
    expect(stack.count).toMatchObject({ keys_lost: 0, double_keys: 0, double_paid_calls: 0 });
  });
});
