/**
 * A list of bots against a Mixin that is rough to every call, PIN calls included: 5 % are answered 429, 5 % are lost
 * (before or after their effect), 5 % are slow, 2 % are answered by a page. The time is the history's own.
 */
import { randomUUID } from 'node:crypto';
import { type Fault, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { startEmulators } from '../../infra/local/emulators.ts';
import { countKeys } from '../../infra/local/key-counts.ts';
import { check } from '../../lib/bots/check.ts';
import { recheck } from '../../lib/bots/recheck.ts';
import { register } from '../../lib/bots/register.ts';
import { createMixinClient } from '../../lib/mixin/client.ts';
import { createMixinSafe } from '../../lib/mixin/safe.ts';
import { mixin } from '../../lib/model/mixin.ts';
import type { Services } from '../../lib/model/ports.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';
import { buildBot } from '../helpers/services.ts';
import { type Clock, startClock } from './histories/clock.ts';
import type { PendingMessage } from './histories/world.ts';

const faults: readonly Fault[] = [
  { name: 'rate_limited', rate: 0.05 },
  { name: 'request_lost', rate: 0.025 },
  { name: 'answer_lost', rate: 0.025 },
  { name: 'slow', delayMs: 4_000, rate: 0.05 },
  { name: 'html', rate: 0.02 },
];

export interface RoughRun {
  /** How many bots are in each state at the end. */
  readonly states: Readonly<Record<string, number>>;
  /** The longest pause that any bot was given. */
  readonly longestWaitSeconds: number;
  /** 429 to PIN calls: the run is worth nothing without some. */
  readonly limitedPinCalls: number;
  readonly wrongPins: number;
  readonly keysLost: number;
  readonly keysBound: number;
}

const INVOCATION_MS = 30_000;
/** Nothing takes so long. */
const LAST_MS = 24 * 3_600_000;

const createServices = (base: Services, url: string, clock: Clock, messages: PendingMessage[]) => {
  let longestWaitMs = 0;
  const client = createMixinClient({ ...mixin, baseUrl: url, now: clock.now, randomId: randomUUID });
  const services: Services = {
    ...base,
    now: clock.now,
    mixin: createMixinSafe(client, {
      now: clock.now,
      randomBytes: base.randomBytes,
      registrationSignature: 'shipped',
    }),
    queues: {
      send: async (queue, list) => {
        for (const { body, delaySeconds = 0 } of list)
          messages.push({ queue, body, dueMs: clock.now() + delaySeconds * 1_000, receives: 0 });
      },
    },
    table: {
      ...base.table,
      updateBot: (bot, changes, states) => {
        if (changes.wait_until !== undefined)
          longestWaitMs = Math.max(longestWaitMs, Date.parse(changes.wait_until) - clock.now());
        return base.table.updateBot(bot, changes, states);
      },
    },
  };
  return { services, readLongestWaitMs: () => longestWaitMs };
};

const deliver = (services: Services, { queue, body }: PendingMessage, clock: Clock): Promise<void> =>
  queue === 'check' ? check(services, body) : register(services, body, clock.now() + INVOCATION_MS);

/** Delivers each message at its time, until no bot has one and none is due. */
const runQueues = async (
  services: Services,
  messages: PendingMessage[],
  clock: Clock,
  done: () => boolean,
) => {
  const endMs = clock.now() + LAST_MS;
  while (clock.now() < endMs) {
    messages.sort((a, b) => a.dueMs - b.dueMs);
    const message = messages.shift();
    if (!message) {
      if (done()) return;
      clock.pass(60_000);
      await recheck(services, clock.now() + INVOCATION_MS);
      continue;
    }
    clock.pass(Math.max(0, message.dueMs - clock.now()));
    await deliver(services, message, clock);
  }
  throw new Error('the bots did not finish within a day');
};

/** Three kinds of accounts in turn: without a PIN, with six digits, with a TIP PIN. */
const importBots = async (
  services: Services,
  standIn: Awaited<ReturnType<typeof startMixinStandIn>>,
  count: number,
) => {
  for (let i = 0; i < count; i += 1) {
    const key = Buffer.from(services.randomBytes(32)).toString('hex');
    const [account, listed] = [
      [{}, {}],
      [{ six_digit_pin: '271828' }, { pin: '271828' }],
      [{ tip: { private_key: key } }, { tip_private_key: key }],
    ][i % 3] as [object, object];
    const { keystore } = await standIn.createUser(account);
    await services.vault.storeKeystore({ ...keystore, ...listed });
    const { app_id: bot_id, session_id } = keystore;
    await services.table.createBot(buildBot({ bot_id, session_id }));
    await services.queues.send('check', [{ body: { bot_id }, batch_id: 'rough' }]);
  }
};

/** Registers so many bots with a rough Mixin. The seed decides which calls are hit. */
export const runRough = async (count: number, seed: number): Promise<RoughRun> => {
  const clock = startClock();
  await using resources = new AsyncDisposableStack();
  const standIn = await startMixinStandIn({
    seed,
    now: clock.now,
    wait: async (delayMs) => clock.pass(delayMs),
  });
  resources.defer(() => standIn.stop());
  const emulators = await startEmulators();
  resources.defer(() => emulators.stop());
  const environment = { ...emulators.environment, MIXIN_URL: standIn.url };
  const base = connect(readConfig(environment), () => undefined).services;
  const messages: PendingMessage[] = [];
  const { services, readLongestWaitMs } = createServices(base, standIn.url, clock, messages);
  await importBots(services, standIn, count);
  standIn.setFaults(faults);
  const areInSafe = () => standIn.accounts().every(({ has_safe }) => has_safe);
  await runQueues(services, messages, clock, areInSafe);
  const states: Record<string, number> = {};
  for (const { user_id } of standIn.accounts()) {
    const state = (await services.table.readBot(user_id))?.state ?? 'none';
    states[state] = (states[state] ?? 0) + 1;
  }
  const ledger = standIn.ledger();
  const { keys_lost, keys_bound } = await countKeys(environment, ledger);
  return {
    states,
    longestWaitSeconds: Math.ceil(readLongestWaitMs() / 1_000),
    limitedPinCalls: ledger.filter(({ method, code }) => method === 'POST' && code === 429).length,
    wrongPins: standIn.accounts().reduce((sum, { pin_errors }) => sum + pin_errors, 0),
    keysLost: keys_lost ?? -1,
    keysBound: keys_bound ?? -1,
  };
};

/** What must be true of such a run, with these counts. */
export const expectedOf = (count: number) => ({
  states: { registered: count },
  wrongPins: 0,
  keysLost: 0,
  keysBound: count,
});
