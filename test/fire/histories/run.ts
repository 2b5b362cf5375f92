/** Runs the events of a scenario, and afterwards everything that is needed until all rows are finished. */

import { derivePublicKey } from '../../../emulators/mixin/ed25519.ts';
import type { Fault } from '../../../emulators/mixin/server.ts';
import { api } from '../../../lib/api/api.ts';
import type { HttpAnswer, HttpRequest } from '../../../lib/api/http.ts';
import { PAGE_MAX } from '../../../lib/api/schemas.ts';
import { listKey } from '../../../lib/batches/batch.ts';
import { giveUpBatch, intake } from '../../../lib/batches/intake.ts';
import { check } from '../../../lib/bots/check.ts';
import { giveUpBot } from '../../../lib/bots/crash.ts';
import { enroll } from '../../../lib/bots/enroll.ts';
import { recheck } from '../../../lib/bots/recheck.ts';
import { register } from '../../../lib/bots/register.ts';
import {
  computeCrashRetrySeconds,
  functions,
  type QueueName,
  queues,
} from '../../../lib/model/deployment.ts';
import type { Services } from '../../../lib/model/ports.ts';
import { connect as connectClient } from '../../emulators/mixin/client.ts';
import { type Actor, renewSession, sharedKeystore } from './actors.ts';
import {
  type Death,
  describeEvent,
  findPath,
  type HistoryEvent,
  type HistoryFault,
  type RowForm,
  type Scenario,
  selectActor,
  selectActors,
} from './scenario.ts';
import { isUnfinished, readBatchStatuses, readRows, type StoredRow } from './stored.ts';
import { createWorker, type Gate, takeTurns, type Worker, type WorkerOptions } from './workers.ts';
import type { List, PendingMessage, World } from './world.ts';

/** The time of one call. */
const CALL_MS = 4;
/** The time an invocation leaves for its own end: lib/runtime. */
const SPARE_MS = 1_000;

type Step = (services: Services, body: unknown, deadlineMs: number) => Promise<void>;
const steps: Readonly<Record<QueueName, Step>> = { intake, enroll, check, register };

const createWorkerOf = ({ services, clock }: World, options: WorkerOptions = {}): Worker =>
  createWorker(services, { ...options, onCall: () => clock.pass(CALL_MS) });

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const remove = (messages: PendingMessage[], message: PendingMessage) => {
  const at = messages.indexOf(message);
  if (at >= 0) messages.splice(at, 1);
};

/** The message of a crashed step returns. After its last delivery the row says so. */
const afterCrash = async (
  { services, clock, messages, crashes }: World,
  message: PendingMessage,
  error: unknown,
) => {
  crashes.push(`${message.queue}: ${textOf(error)}`);
  message.dueMs = clock.right() + 1_000 * computeCrashRetrySeconds(message.queue, message.receives);
  if (message.receives < queues[message.queue].maxReceiveCount) return;
  await (message.queue === 'intake' ? giveUpBatch : giveUpBot)(services, message.body, message.queue);
  remove(messages, message);
};

/** One invocation for one message, as Lambda's event source makes it. */
const deliver = async (world: World, message: PendingMessage, worker: Worker): Promise<void> => {
  const { clock, messages, notes } = world;
  const { queue, body } = message;
  const { timeoutSeconds } = functions[queue];
  message.receives += 1;
  message.dueMs = clock.right() + 1_000 * queues[queue].visibilityTimeoutSeconds;
  const deadlineMs = worker.services.now() + 1_000 * timeoutSeconds - SPARE_MS;
  const said = `${queue} ${Object.values(body)
    .map((value) => String(value).slice(0, 8))
    .join(' ')}`;
  notes.push(`message ${said}`);
  const crash = await steps[queue](worker.services, body, deadlineMs).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (worker.isDead()) {
    notes.push(`its worker died at ${worker.calls.at(-1)}`);
    if (message.receives >= queues[queue].maxReceiveCount) remove(messages, message);
  } else if (crash) await afterCrash(world, message, crash.error);
  else remove(messages, message);
};

/** The messages that are due, oldest first. If there is none, time passes until the next one within a minute. */
const receivable = ({ messages, clock }: World): readonly PendingMessage[] => {
  const inOrder = messages.toSorted((a, b) => a.dueMs - b.dueMs);
  const [next] = inOrder;
  const waitMs = next ? next.dueMs - clock.right() : 0;
  if (waitMs > 0 && waitMs <= 60_000) clock.pass(waitMs);
  return inOrder.filter(({ dueMs }) => dueMs <= clock.right());
};

/** Enough deliveries to bring a list to any step. */
const MAX_DELIVERIES = 12;

/** The next message of a step. Messages before it are delivered, and costs before it are confirmed. */
const nextOf = async (world: World, step: QueueName): Promise<PendingMessage | undefined> => {
  for (let round = 0; round < MAX_DELIVERIES; round += 1) {
    const messages = receivable(world);
    const found = messages.find(({ queue }) => queue === step);
    const [first] = messages;
    if (found || (!first && step !== 'enroll')) return found;
    if (first) await deliver(world, first, createWorkerOf(world));
    else if (!(await confirmAll(world))) return undefined;
  }
  return undefined;
};

const pickMessage = async (
  world: World,
  { pick, step }: { readonly pick: number; readonly step?: QueueName | undefined },
): Promise<PendingMessage | undefined> => {
  if (step !== undefined) return nextOf(world, step);
  const messages = receivable(world);
  return messages[pick % Math.max(1, messages.length)];
};

const deliverSome = async (world: World, count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) {
    const [message] = receivable(world);
    if (!message) return;
    await deliver(world, message, createWorkerOf(world));
  }
};

const deliverAtOnce = async (
  world: World,
  { picks, copies, turns, aheadMs, death }: Extract<HistoryEvent, { it: 'deliver at once' }>,
): Promise<void> => {
  const chosen: PendingMessage[] = [];
  for (const pick of picks) {
    const message = await pickMessage(world, pick);
    if (message) chosen.push(message);
  }
  if (chosen.length === 0) return;
  const works = chosen
    .flatMap((message) => Array.from({ length: copies }, () => message))
    .map((message, place) => (gate: Gate) => {
      const worker = createWorkerOf(world, {
        gate,
        ...(place === 0 && death && { death }),
        ...(place === 1 && { aheadMs }),
      });
      return deliver(world, message, worker);
    });
  await takeTurns(works, turns);
};

const deliverToSleeper = async (
  world: World,
  { nth, ...pick }: Extract<HistoryEvent, { it: 'deliver to a paused worker' }>,
): Promise<void> => {
  const message = await pickMessage(world, pick);
  if (!message) return;
  const asleep = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  const sleep = { nth, asleep: asleep.resolve, woken: woken.promise };
  const done = deliver(world, message, createWorkerOf(world, { sleep }));
  await Promise.race([asleep.promise, done]);
  world.pausedWorkers.push({ wake: woken.resolve, done });
};

const wakeAll = async ({ pausedWorkers }: World): Promise<void> => {
  for (const { wake, done } of pausedWorkers.splice(0)) {
    wake();
    await done;
  }
};

type Route = Exclude<keyof typeof api, 'createUpload'>;

/** One HTTP request; undefined when its answer never came. */
const ask = async (
  world: World,
  route: Route,
  request: Partial<HttpRequest>,
  death?: Death,
): Promise<HttpAnswer | undefined> => {
  const worker = createWorkerOf(world, { death });
  const whole = { path: {}, query: {}, headers: {}, body: new Uint8Array(), ...request };
  try {
    return await api[route](worker.services, whole);
  } catch (error) {
    if (!worker.isDead()) world.crashes.push(`${route}: ${textOf(error)}`);
    return undefined;
  }
};

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

const sendList = async (world: World, list: List, death?: Death): Promise<void> => {
  const headers = { 'content-type': 'application/json', 'idempotency-key': list.key };
  const answer = await ask(world, 'createBatch', { headers, body: list.body }, death);
  if (answer) list.batch_id = (answer.body as { batch_id: string }).batch_id;
};

const sendNewList = async (
  world: World,
  actors: readonly number[],
  form: RowForm,
  twice = false,
  death?: Death,
): Promise<void> => {
  const rows = actors.map((actor) => world.actors[actor]?.row(form, world.lists.length));
  const list: List = { key: world.random.uuid(), body: json(rows), actors };
  world.lists.push(list);
  await sendList(world, list, death);
  if (twice) await sendList(world, list);
};

const selectList = ({ lists }: World, number: number): List | undefined =>
  lists[number % Math.max(1, lists.length)];

/** Whose session signs the calls for an actor; undefined if none does. */
const findCaller = (actor: Actor): string | undefined =>
  actor.user_id ?? (actor.row('as it is', 0).owner as string | undefined);

const DELAYS: Readonly<Partial<Record<HistoryFault, number>>> = {
  lagging_reads: 40_000,
  clock_skew: 600_000,
  slow: 3_000,
};

const createFault = (name: HistoryFault): Fault => {
  const [word, more] = name.split(' ') as [Fault['name'], string | undefined];
  if (word === 'code') return { name: word, code: Number(more) };
  const delayMs = DELAYS[name];
  return { name: word, ...(more && { effect: true }), ...(delayMs !== undefined && { delayMs }) };
};

/** A server that hides keys does so in many answers. */
const repeatFault = (name: HistoryFault, times: number): number => (name === 'spend_key_hidden' ? 50 : times);

const addFault = (
  { standIn, actors, faults }: World,
  { name, who, call, times }: Extract<HistoryEvent, { it: 'fault' }>,
): void => {
  const actor = actors[selectActor(who, actors)];
  const user_id = actor && findCaller(actor);
  const path = findPath(call, actor?.role);
  // Only Mixin knows who signed in, so its answer must be believed.
  if (user_id === undefined && name === 'wrong_user') return;
  faults.push({
    ...createFault(name),
    ...(user_id !== undefined && { user_id }),
    ...(path && { path }),
    times: repeatFault(name, times),
  });
  standIn.setFaults(faults);
};

const clearFaults = ({ standIn, faults }: World): void => {
  faults.length = 0;
  standIn.setFaults([]);
};

const isUnsure = (row: StoredRow): boolean => row.state === 'unsure' && row.enrolment !== undefined;

const retry = async (
  world: World,
  batch_id: string,
  options: { readonly states: readonly string[]; readonly pay_again?: boolean; readonly reason?: string },
  death?: Death,
): Promise<void> => {
  const { states, pay_again, ...rest } = options;
  const retryWith = (body: unknown) =>
    ask(world, 'retryBatch', { path: { batch_id }, body: json(body) }, death);
  if (pay_again) {
    const rows = await readRows(world);
    const seen = rows.filter((row) => row.batch_id === batch_id && isUnsure(row)).slice(0, PAGE_MAX);
    world.paysAgain.push(...seen.flatMap(({ enrolment }) => enrolment?.full_name ?? []));
    const wanted = seen.map(({ bot_id, state_since }) => ({ bot_id, state_since }));
    if (seen.length > 0) await retryWith({ states: ['unsure'], pay_again: wanted, ...rest });
  }
  if (states.length > 0) await retryWith({ states, ...rest });
};

const derivePublicKeyOfSeed = (seedHex: string) => derivePublicKey(Buffer.from(seedHex, 'hex'));

const deriveKey = (private_key: string) => ({ private_key, public_key: derivePublicKeyOfSeed(private_key) });

/** Another program with the same keystore makes PIN calls of its own. */
const actAsOther = async (
  { standIn, clock, random, foreignKeys, usedByOthers }: World,
  actor: Actor,
  does: Extract<HistoryEvent, { it: 'other program' }>['does'],
): Promise<void> => {
  const keystore = sharedKeystore(actor);
  const account = standIn.accounts().find(({ user_id }) => user_id === actor.user_id);
  if (!keystore || !account || account.has_safe) return;
  const knows = actor.tip !== undefined && derivePublicKeyOfSeed(actor.tip) === account.tip_public_key;
  if (account.has_pin && !knows) return;
  usedByOthers.add(account.user_id);
  const client = connectClient(standIn, keystore, { now: clock.right });
  const tip = deriveKey(knows ? (actor.tip ?? '') : random.hex(32));
  const spend = deriveKey(random.hex(32));
  for (const { public_key } of [tip, spend]) foreignKeys.add(public_key);
  // Faults hit the other program as well, and then it gives up.
  const given = () => undefined;
  if (!knows) await client.setTip(tip).catch(given);
  if (does === 'registers') await client.register(spend, tip).catch(given);
};

const allMembers = ({ actors }: World) => actors.map((_, number) => number);

const runEvent = async (world: World, event: HistoryEvent): Promise<unknown> => {
  const { actors, messages, clock, network, standIn, random } = world;
  switch (event.it) {
    case 'list': {
      const { bots, form, twice, death } = event;
      return sendNewList(world, selectActors(bots, actors), form, twice, death);
    }
    case 'deliver':
      return deliverSome(world, event.count);
    case 'deliver to a dying worker': {
      const message = await pickMessage(world, event);
      return message && deliver(world, message, createWorkerOf(world, { death: event.death }));
    }
    case 'deliver at once':
      return deliverAtOnce(world, event);
    case 'deliver to a paused worker':
      return deliverToSleeper(world, event);
    case 'resume':
      return wakeAll(world);
    case 'lose': {
      const message = await pickMessage(world, event);
      return message && remove(messages, message);
    }
    case 'wait':
      return clock.pass(event.seconds * 1_000);
    case 'sweep':
      return sweep(world, event.death);
    case 'fault':
      return addFault(world, event);
    case 'clear faults':
      return clearFaults(world);
    case 'hold':
      return network.hold(
        findPath(event.call, actors[selectActor(event.who, actors)]?.role) ?? '',
        event.seconds,
      );
    case 'set the clock':
      return clock.set(event.aheadSeconds * 1_000);
    case 'retry': {
      const batch_id = selectList(world, event.list)?.batch_id;
      return batch_id && retry(world, batch_id, event, event.death);
    }
    case 'replace a list':
      return replaceList(world, selectList(world, event.list));
    case 'confirm':
      return confirm(world, selectList(world, event.list), event.death);
    case 'new session': {
      const number = selectActor(event.who, actors);
      const actor = actors[number];
      if (actor) await renewSession(standIn, actor, random);
      return event.lists && sendNewList(world, [number], 'as it is');
    }
    case 'other program': {
      const actor = actors[selectActor(event.who, actors)];
      return actor && actAsOther(world, actor, event.does);
    }
  }
};

/** The object of the list is replaced by as many network users of the first bot. */
const replaceList = async (world: World, list: List | undefined): Promise<unknown> => {
  if (list?.batch_id === undefined) return undefined;
  const { lists, actors, random, services } = world;
  const owner = actors.find(({ user_id }) => user_id !== undefined)?.user_id ?? random.uuid();
  const full_name = (row: number) => `Not priced ${row} of list ${lists.indexOf(list) + 1}`;
  const rows = list.actors.map((_, row) => ({ owner, full_name: full_name(row + 1) }));
  await services.uploads.put(listKey(list.batch_id), json(rows), 'application/json');
  return ask(world, 'completeUpload', { path: { batch_id: list.batch_id } });
};

const confirm = async (world: World, list: List | undefined, death?: Death): Promise<unknown> => {
  if (list?.batch_id === undefined) return undefined;
  const batch = await world.services.table.readBatch(list.batch_id);
  if (batch?.status === 'planned') world.acceptedUsers.set(list.batch_id, batch.paid_rows ?? 0);
  const request = { path: { batch_id: list.batch_id }, body: json({ accept_cost_usd: 100 }) };
  return ask(world, 'confirmBatch', request, death);
};

/** Confirms every planned list; false if there was none. */
const confirmAll = async (world: World): Promise<boolean> => {
  const standing = await readBatchStatuses(world);
  const waiting = world.lists.filter(({ batch_id = '' }) => standing.get(batch_id) === 'planned');
  for (const list of waiting) await confirm(world, list);
  return waiting.length > 0;
};

const sweep = async (world: World, death?: Death): Promise<void> => {
  const worker = createWorkerOf(world, { death });
  const deadlineMs = world.clock.now() + 1_000 * functions.recheck.timeoutSeconds - SPARE_MS;
  await recheck(worker.services, deadlineMs).catch((error: unknown) => {
    if (!worker.isDead()) world.crashes.push(`recheck: ${textOf(error)}`);
  });
};

/** Runs all events of the scenario in order. */
export const runEvents = async (world: World, { events }: Scenario): Promise<void> => {
  await sendNewList(world, allMembers(world), 'as it is');
  const { notes, actors } = world;
  for (const event of events) {
    notes.push(
      `. ${describeEvent(
        event,
        actors.map(({ role }) => role),
      )}`,
    );
    await runEvent(world, event);
    await world.network.deliverHeld();
  }
};

/** More rounds than any history needs. */
const ROUNDS = 60;
const MESSAGES = 400;

const deliverEverything = async (world: World): Promise<void> => {
  for (let messages = 0; messages < MESSAGES; messages += 1) {
    const [message] = receivable(world);
    if (!message) return;
    await deliver(world, message, createWorkerOf(world));
  }
  throw new Error('the messages never end');
};

/** When something will happen by itself, in milliseconds since 1970. */
const findNextMs = ({ messages }: World, open: readonly StoredRow[]): number =>
  Math.min(
    ...messages.map(({ dueMs }) => dueMs),
    ...open.map(({ due_at }) => (due_at === undefined ? Infinity : Date.parse(due_at))),
  );

/** Lets time run until all rows are finished; false if one never is. */
export const runToEnd = async (world: World): Promise<boolean> => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await deliverEverything(world);
    const open = (await readRows(world)).filter(isUnfinished);
    if (open.length === 0 && world.messages.length === 0) return true;
    const next = findNextMs(world, open);
    if (next === Infinity) return false;
    world.clock.pass(Math.max(0, next - world.clock.right()));
    if (world.messages.every(({ dueMs }) => dueMs > world.clock.right())) await sweep(world);
  }
  return false;
};

/** An operator uploads again what was not answered, and retries lists whose messages were lost. */
const followUp = async (world: World): Promise<void> => {
  for (const list of world.lists) if (list.batch_id === undefined) await sendList(world, list);
  const standing = await readBatchStatuses(world);
  // No history ends with this reason, so only the list itself is queued again.
  for (const { batch_id = '' } of world.lists)
    if (standing.get(batch_id) !== 'imported')
      await retry(world, batch_id, { states: ['blocked'], reason: 'stalled' });
};

/** Ends all faults: paused workers go on, held requests arrive, the clock is right. */
export const endFaults = async (world: World): Promise<boolean> => {
  world.notes.push('. All faults end, and time runs on.');
  clearFaults(world);
  world.clock.set(0);
  await wakeAll(world);
  await world.network.deliverHeld(true);
  if (!(await runToEnd(world))) return false;
  await followUp(world);
  return runToEnd(world);
};

const WEEK_MS = 8 * 86_400_000;

/** Lets a week pass, in which every finished bot is audited. */
export const audit = async (world: World): Promise<boolean> => {
  world.notes.push('. A week passes.');
  world.clock.pass(WEEK_MS);
  await sweep(world);
  return runToEnd(world);
};

const isStuck = ({ state }: StoredRow): boolean => state === 'blocked' || state === 'failed';

/** An operator retries everything that is blocked or failed; undefined if nothing is. */
export const retryAll = async (world: World): Promise<boolean | undefined> => {
  const stuck = new Set((await readRows(world)).filter(isStuck).map(({ batch_id }) => batch_id));
  if (stuck.size === 0) return undefined;
  world.notes.push('. An operator retries everything that is blocked or failed.');
  for (const batch_id of stuck) await retry(world, batch_id, { states: ['blocked', 'failed'] });
  return runToEnd(world);
};
