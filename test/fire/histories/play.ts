/** Lets happen what a story says, and afterwards whatever is needed until everything has come to rest. */

import type { Fault } from '../../../emulators/mixin/server.ts';
import { derivePublicKeyOfSeed } from '../../../infra/local/custody.ts';
import { api } from '../../../lib/api/api.ts';
import type { HttpAnswer, HttpRequest } from '../../../lib/api/http.ts';
import { giveUpBatch } from '../../../lib/batches/crash.ts';
import { intake } from '../../../lib/batches/intake.ts';
import { check } from '../../../lib/bots/check.ts';
import { giveUpBot } from '../../../lib/bots/crash.ts';
import { enroll } from '../../../lib/bots/enroll.ts';
import { recheck } from '../../../lib/bots/recheck.ts';
import { register } from '../../../lib/bots/register.ts';
import { crashRetrySeconds, functions, type QueueName, queues } from '../../../lib/model/deployment.ts';
import type { Services } from '../../../lib/model/ports.ts';
import { connect as connectClient } from '../../emulators/mixin/client.ts';
import { type Member, renewSession, sharedKeystore } from './cast.ts';
import { isOpen, listsOf, type RowSeen, rowsOf } from './evidence.ts';
import {
  type Death,
  type Happening,
  type Manner,
  memberOf,
  membersOf,
  pathOf,
  type Story,
  type TroubleName,
  tell,
} from './story.ts';
import { type Gate, hire, type Manners, takeTurns, type Worker } from './workers.ts';
import type { List, Mail, World } from './world.ts';

/** What a call takes. */
const CALL_MS = 4;
/** What an invocation leaves for its own ending: lib/runtime/middlewares/deadline.ts. */
const SPARE_MS = 1_000;

type Step = (services: Services, body: unknown, deadlineMs: number) => Promise<void>;
const steps: Readonly<Record<QueueName, Step>> = { intake, enroll, check, register };

const engage = ({ services, clock }: World, manners: Manners = {}): Worker =>
  hire(services, { ...manners, onCall: () => clock.pass(CALL_MS) });

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const remove = (mail: Mail[], letter: Mail) => {
  const at = mail.indexOf(letter);
  if (at >= 0) mail.splice(at, 1);
};

/** A message that crashed its step comes back; after its last delivery its row is told. */
const afterCrash = async ({ services, clock, mail, crashes }: World, letter: Mail, error: unknown) => {
  crashes.push(`${letter.queue}: ${textOf(error)}`);
  letter.dueMs = clock.right() + 1_000 * crashRetrySeconds(letter.queue, letter.receives);
  if (letter.receives < queues[letter.queue].maxReceiveCount) return;
  await (letter.queue === 'intake' ? giveUpBatch : giveUpBot)(services, letter.body, letter.queue);
  remove(mail, letter);
};

/** One invocation for one message, as Lambda's event source makes it. */
const deliver = async (world: World, letter: Mail, worker: Worker): Promise<void> => {
  const { clock, mail, notes } = world;
  const { queue, body } = letter;
  const { timeoutSeconds } = functions[queue];
  letter.receives += 1;
  letter.dueMs = clock.right() + 1_000 * queues[queue].visibilityTimeoutSeconds;
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
    if (letter.receives >= queues[queue].maxReceiveCount) remove(mail, letter);
  } else if (crash) await afterCrash(world, letter, crash.error);
  else remove(mail, letter);
};

/** What could be received now, oldest first. Where there is nothing, time goes on to what is due within a minute. */
const receivable = ({ mail, clock }: World): readonly Mail[] => {
  const inOrder = mail.toSorted((a, b) => a.dueMs - b.dueMs);
  const [next] = inOrder;
  const waitMs = next ? next.dueMs - clock.right() : 0;
  if (waitMs > 0 && waitMs <= 60_000) clock.pass(waitMs);
  return inOrder.filter(({ dueMs }) => dueMs <= clock.right());
};

/** Enough to bring a list to any step. */
const ERRANDS = 12;

/** The next message of a step; what comes before it is delivered, and costs that are in its way are accepted. */
const nextOf = async (world: World, step: QueueName): Promise<Mail | undefined> => {
  for (let errand = 0; errand < ERRANDS; errand += 1) {
    const letters = receivable(world);
    const found = letters.find(({ queue }) => queue === step);
    const [first] = letters;
    if (found || (!first && step !== 'enroll')) return found;
    if (first) await deliver(world, first, engage(world));
    else if (!(await confirmAll(world))) return undefined;
  }
  return undefined;
};

const picked = async (
  world: World,
  { pick, step }: { readonly pick: number; readonly step?: QueueName | undefined },
): Promise<Mail | undefined> => {
  if (step !== undefined) return nextOf(world, step);
  const letters = receivable(world);
  return letters[pick % Math.max(1, letters.length)];
};

const deliverSome = async (world: World, count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) {
    const [letter] = receivable(world);
    if (!letter) return;
    await deliver(world, letter, engage(world));
  }
};

const deliverAtOnce = async (
  world: World,
  { picks, copies, turns, aheadMs, death }: Extract<Happening, { it: 'deliver at once' }>,
): Promise<void> => {
  const chosen: Mail[] = [];
  for (const pick of picks) {
    const letter = await picked(world, pick);
    if (letter) chosen.push(letter);
  }
  if (chosen.length === 0) return;
  const works = chosen
    .flatMap((letter) => Array.from({ length: copies }, () => letter))
    .map((letter, place) => (gate: Gate) => {
      const worker = engage(world, {
        gate,
        ...(place === 0 && death && { death }),
        ...(place === 1 && { aheadMs }),
      });
      return deliver(world, letter, worker);
    });
  await takeTurns(works, turns);
};

const deliverToSleeper = async (
  world: World,
  { nth, ...pick }: Extract<Happening, { it: 'deliver to a sleeper' }>,
): Promise<void> => {
  const letter = await picked(world, pick);
  if (!letter) return;
  const asleep = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  const sleep = { nth, asleep: asleep.resolve, woken: woken.promise };
  const done = deliver(world, letter, engage(world, { sleep }));
  await Promise.race([asleep.promise, done]);
  world.sleepers.push({ wake: woken.resolve, done });
};

const wakeAll = async ({ sleepers }: World): Promise<void> => {
  for (const { wake, done } of sleepers.splice(0)) {
    wake();
    await done;
  }
};

type Route = Exclude<keyof typeof api, 'createUpload' | 'completeUpload'>;

/** One HTTP request; undefined when its answer never came. */
const ask = async (
  world: World,
  route: Route,
  request: Partial<HttpRequest>,
  death?: Death,
): Promise<HttpAnswer | undefined> => {
  const worker = engage(world, { death });
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
  members: readonly number[],
  manner: Manner,
  twice = false,
  death?: Death,
): Promise<void> => {
  const rows = members.map((member) => world.members[member]?.row(manner, world.lists.length));
  const list: List = { key: world.dice.uuid(), body: json(rows), members };
  world.lists.push(list);
  await sendList(world, list, death);
  if (twice) await sendList(world, list);
};

const listOf = ({ lists }: World, number: number): List | undefined =>
  lists[number % Math.max(1, lists.length)];

/** Whose session signs the calls that are made for a member; undefined where none does. */
const callerOf = (member: Member): string | undefined =>
  member.user_id ?? (member.row('as it is', 0).owner as string | undefined);

const DELAYS: Readonly<Partial<Record<TroubleName, number>>> = {
  lagging_reads: 40_000,
  clock_skew: 600_000,
  slow: 3_000,
};

const faultOf = (name: TroubleName): Fault => {
  const [word, more] = name.split(' ') as [Fault['name'], string | undefined];
  if (word === 'code') return { name: word, code: Number(more) };
  const delayMs = DELAYS[name];
  return { name: word, ...(more && { effect: true }), ...(delayMs !== undefined && { delayMs }) };
};

/** A server that hides keys hides them in every answer. */
const timesOf = (name: TroubleName, times: number): number => (name === 'spend_key_hidden' ? 50 : times);

const makeTrouble = (
  { standIn, members, faults }: World,
  { name, who, call, times }: Extract<Happening, { it: 'trouble' }>,
): void => {
  const member = members[memberOf(who, members)];
  const user_id = member && callerOf(member);
  const path = pathOf(call, member?.role);
  // Who was signed in only Mixin can tell: it has to be believed.
  if (user_id === undefined && name === 'wrong_user') return;
  faults.push({
    ...faultOf(name),
    ...(user_id !== undefined && { user_id }),
    ...(path && { path }),
    times: timesOf(name, times),
  });
  standIn.setFaults(faults);
};

const mend = ({ standIn, faults }: World): void => {
  faults.length = 0;
  standIn.setFaults([]);
};

const isUnsure = (row: RowSeen): boolean => row.state === 'unsure' && row.enrolment !== undefined;

const retry = async (
  world: World,
  batch_id: string,
  options: { readonly states: readonly string[]; readonly pay_again?: boolean; readonly reason?: string },
  death?: Death,
): Promise<void> => {
  const { states, pay_again, ...rest } = options;
  if (pay_again) {
    const rows = await rowsOf(world);
    const names = rows.filter((row) => row.batch_id === batch_id && isUnsure(row));
    world.paysAgain.push(...names.flatMap(({ enrolment }) => enrolment?.full_name ?? []));
  }
  const wanted = pay_again ? { states: [...states, 'unsure'], pay_again } : { states };
  await ask(world, 'retryBatch', { path: { batch_id }, body: json({ ...wanted, ...rest }) }, death);
};

const keyOf = (private_key: string) => ({ private_key, public_key: derivePublicKeyOfSeed(private_key) });

/** Another program with the same keystore makes PIN calls of its own. */
const actAsStranger = async (
  { standIn, clock, dice, strangers, touched }: World,
  member: Member,
  does: Extract<Happening, { it: 'stranger' }>['does'],
): Promise<void> => {
  const keystore = sharedKeystore(member);
  const account = standIn.accounts().find(({ user_id }) => user_id === member.user_id);
  if (!keystore || !account || account.has_safe) return;
  const knows = member.tip !== undefined && derivePublicKeyOfSeed(member.tip) === account.tip_public_key;
  if (account.has_pin && !knows) return;
  touched.add(account.user_id);
  const client = connectClient(standIn, keystore, { now: clock.right });
  const tip = keyOf(knows ? (member.tip ?? '') : dice.hex(32));
  const spend = keyOf(dice.hex(32));
  for (const { public_key } of [tip, spend]) strangers.add(public_key);
  // Their network breaks as well, and then they give up.
  const given = () => undefined;
  if (!knows) await client.setTip(tip).catch(given);
  if (does === 'registers') await client.register(spend, tip).catch(given);
};

const allMembers = ({ members }: World) => members.map((_, number) => number);

const happen = async (world: World, happening: Happening): Promise<unknown> => {
  const { members, mail, clock, wire, standIn, dice } = world;
  switch (happening.it) {
    case 'list': {
      const { bots, manner, twice, death } = happening;
      return sendNewList(world, membersOf(bots, members), manner, twice, death);
    }
    case 'deliver':
      return deliverSome(world, happening.count);
    case 'deliver to a mortal': {
      const letter = await picked(world, happening);
      return letter && deliver(world, letter, engage(world, { death: happening.death }));
    }
    case 'deliver at once':
      return deliverAtOnce(world, happening);
    case 'deliver to a sleeper':
      return deliverToSleeper(world, happening);
    case 'wake':
      return wakeAll(world);
    case 'lose': {
      const letter = await picked(world, happening);
      return letter && remove(mail, letter);
    }
    case 'wait':
      return clock.pass(happening.seconds * 1_000);
    case 'sweep':
      return sweep(world, happening.death);
    case 'trouble':
      return makeTrouble(world, happening);
    case 'mend':
      return mend(world);
    case 'hold':
      return wire.hold(
        pathOf(happening.call, members[memberOf(happening.who, members)]?.role) ?? '',
        happening.seconds,
      );
    case 'set the clock':
      return clock.set(happening.aheadSeconds * 1_000);
    case 'retry': {
      const batch_id = listOf(world, happening.list)?.batch_id;
      return batch_id && retry(world, batch_id, happening, happening.death);
    }
    case 'confirm':
      return confirm(world, listOf(world, happening.list), happening.death);
    case 'new session': {
      const number = memberOf(happening.who, members);
      const member = members[number];
      if (member) await renewSession(standIn, member, dice);
      return happening.lists && sendNewList(world, [number], 'as it is');
    }
    case 'stranger': {
      const member = members[memberOf(happening.who, members)];
      return member && actAsStranger(world, member, happening.does);
    }
  }
};

const confirm = async (world: World, list: List | undefined, death?: Death): Promise<unknown> => {
  if (list?.batch_id === undefined) return undefined;
  const request = { path: { batch_id: list.batch_id }, body: json({ accept_cost_usd: 100 }) };
  return ask(world, 'confirmBatch', request, death);
};

/** Accepts every cost that waits for it; false where none does. */
const confirmAll = async (world: World): Promise<boolean> => {
  const standing = await listsOf(world);
  const waiting = world.lists.filter(({ batch_id = '' }) => standing.get(batch_id) === 'planned');
  for (const list of waiting) await confirm(world, list);
  return waiting.length > 0;
};

const sweep = async (world: World, death?: Death): Promise<void> => {
  const worker = engage(world, { death });
  const deadlineMs = world.clock.now() + 1_000 * functions.recheck.timeoutSeconds - SPARE_MS;
  await recheck(worker.services, deadlineMs).catch((error: unknown) => {
    if (!worker.isDead()) world.crashes.push(`recheck: ${textOf(error)}`);
  });
};

/** Everything the story says, one after the other. */
export const play = async (world: World, { happenings }: Story): Promise<void> => {
  await sendNewList(world, allMembers(world), 'as it is');
  const { notes, members } = world;
  for (const happening of happenings) {
    notes.push(
      `. ${tell(
        happening,
        members.map(({ role }) => role),
      )}`,
    );
    await happen(world, happening);
    await world.wire.bring();
  }
};

/** More rounds than any history needs. */
const ROUNDS = 60;
const LETTERS = 400;

const deliverEverything = async (world: World): Promise<void> => {
  for (let letters = 0; letters < LETTERS; letters += 1) {
    const [letter] = receivable(world);
    if (!letter) return;
    await deliver(world, letter, engage(world));
  }
  throw new Error('messages beget messages without end');
};

/** When something will happen by itself, in milliseconds since 1970. */
const nextMs = ({ mail }: World, open: readonly RowSeen[]): number =>
  Math.min(
    ...mail.map(({ dueMs }) => dueMs),
    ...open.map(({ due_at }) => (due_at === undefined ? Infinity : Date.parse(due_at))),
  );

/** Time runs on until no row waits for anything; false when some row never comes to rest. */
export const comeToRest = async (world: World): Promise<boolean> => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await deliverEverything(world);
    const open = (await rowsOf(world)).filter(isOpen);
    if (open.length === 0 && world.mail.length === 0) return true;
    const next = nextMs(world, open);
    if (next === Infinity) return false;
    world.clock.pass(Math.max(0, next - world.clock.right()));
    if (world.mail.every(({ dueMs }) => dueMs > world.clock.right())) await sweep(world);
  }
  return false;
};

/** An operator sends again what was not answered, and goes on with lists whose messages were lost. */
const followUp = async (world: World): Promise<void> => {
  for (const list of world.lists) if (list.batch_id === undefined) await sendList(world, list);
  const standing = await listsOf(world);
  for (const { batch_id = '' } of world.lists)
    if (standing.get(batch_id) !== 'imported')
      await retry(world, batch_id, { states: ['blocked'], reason: 'none' });
};

/** No trouble any more, nobody sleeps, nothing is on its way that would not arrive. */
export const calmDown = async (world: World): Promise<boolean> => {
  world.notes.push('. All trouble ends, and time runs on.');
  mend(world);
  world.clock.set(0);
  await wakeAll(world);
  await world.wire.bring(true);
  if (!(await comeToRest(world))) return false;
  await followUp(world);
  return comeToRest(world);
};

const WEEK_MS = 8 * 86_400_000;

/** A week later every bot at rest was looked at once more. */
export const audit = async (world: World): Promise<boolean> => {
  world.notes.push('. A week passes.');
  world.clock.pass(WEEK_MS);
  await sweep(world);
  return comeToRest(world);
};

const isStuck = ({ state }: RowSeen): boolean => state === 'blocked' || state === 'failed';

/** An operator retries everything that is blocked or failed; undefined where nothing is. */
export const retryAll = async (world: World): Promise<boolean | undefined> => {
  const stuck = new Set((await rowsOf(world)).filter(isStuck).map(({ batch_id }) => batch_id));
  if (stuck.size === 0) return undefined;
  world.notes.push('. An operator retries everything that is blocked or failed.');
  for (const batch_id of stuck) await retry(world, batch_id, { states: ['blocked', 'failed'] });
  return comeToRest(world);
};
