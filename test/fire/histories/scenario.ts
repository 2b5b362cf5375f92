/** A history as plain data: its actors, its events, and how they are described. */
import fc from 'fast-check';
import type { FaultName } from '../../../emulators/mixin/server.ts';

/** The kinds of accounts at the start, and what their rows say. */
export const roles = [
  'a bot without a PIN',
  'a bot whose row brings a spend key',
  'a bot with a TIP PIN',
  'a bot with a TIP PIN that its row does not bring',
  'a bot with six digits',
  'a bot with six digits whose row brings others',
  'a bot with six digits that its row does not bring',
  'a bot in Safe, its key in the row',
  'a bot in Safe with a key of another program',
  'a bot with an RSA session',
  'a bot with an RSA session and six digits',
  'a bot whose session was revoked',
  'a bot whose spend key can be read in two ways',
  'a bot with a TIP PIN that is the spend key of its row',
  'a network user of bot 1',
  'a network user of an owner nobody knows',
  'a sign-in',
  'a sign-in with an RSA session',
  'a sign-in with a wrong code',
] as const;
export type Role = (typeof roles)[number];

/** Roles and faults that are chosen more often, because more can go wrong with them. */
const oftenRoles: readonly Role[] = [
  'a bot without a PIN',
  'a bot with six digits whose row brings others',
  'a network user of bot 1',
  'a network user of bot 1',
  'a network user of bot 1',
];
const oftenFaults = ['answer_lost', 'answer_lost', 'server_error after all'] as const;

/** How a bot's row is written. */
export const options = ['as it is', 'without PIN and keys', 'with other keys', 'with a spend key'] as const;
export type RowForm = (typeof options)[number];

/** A worker dies at its nth call of a service. */
export interface Death {
  readonly nth: number;
  readonly when: 'before' | 'after';
}

export const faultNames = [
  'answer_lost',
  'request_lost',
  'server_error',
  'server_error after all',
  'rate_limited',
  'lagging_reads',
  'clock_skew',
  'spend_key_hidden',
  'wrong_request_id',
  'slow',
  'empty_body after all',
  'html',
  'wrong_user',
  'code 401',
  'code 403',
  'code 10002',
  'code 20119',
  'upgrade_suspended',
] as const satisfies readonly (FaultName | `${FaultName} after all` | `code ${number}`)[];
export type HistoryFault = (typeof faultNames)[number];

/** Which calls for an actor. */
export const callNames = ['any', 'its first POST', 'its last POST', 'its GET'] as const;
export type CallName = (typeof callNames)[number];

/** The path or route of such a call; undefined for any. */
export const findPath = (call: CallName, role: Role | undefined): string | undefined => {
  if (role?.startsWith('a sign-in')) return '/verifications/:id';
  if (call === 'any') return undefined;
  if (call === 'its GET') return '/safe/me';
  if (role?.startsWith('a network user')) return '/users';
  return call === 'its first POST' ? '/pin/update' : '/safe/users';
};

/** Chooses a message; with a step, the next one of that step, after those that must be delivered before it. */
interface MessageChoice {
  readonly pick: number;
  readonly step?: 'register' | 'enroll' | undefined;
}

/** Which waiting worker is next, and for how many calls. */
export interface Turn {
  readonly who: number;
  readonly calls: number;
}

type Who = { readonly who: number };

export type HistoryEvent =
  | {
      readonly it: 'list';
      readonly bots: readonly number[];
      readonly form: RowForm;
      readonly twice: boolean;
      readonly death?: Death | undefined;
    }
  | { readonly it: 'deliver'; readonly count: number }
  | ({ readonly it: 'deliver to a dying worker'; readonly death: Death } & MessageChoice)
  | {
      readonly it: 'deliver at once';
      readonly picks: readonly MessageChoice[];
      readonly copies: number;
      readonly turns: readonly Turn[];
      readonly aheadMs: number;
      readonly death?: Death | undefined;
    }
  | ({ readonly it: 'deliver to a paused worker'; readonly nth: number } & MessageChoice)
  | { readonly it: 'resume' }
  | { readonly it: 'lose'; readonly pick: number }
  | { readonly it: 'wait'; readonly seconds: number }
  | { readonly it: 'sweep'; readonly death?: Death | undefined }
  | ({
      readonly it: 'fault';
      readonly name: HistoryFault;
      readonly call: CallName;
      readonly times: number;
    } & Who)
  | { readonly it: 'clear faults' }
  | ({ readonly it: 'hold'; readonly call: CallName; readonly seconds: number } & Who)
  | { readonly it: 'set the clock'; readonly aheadSeconds: number }
  | {
      readonly it: 'retry';
      readonly list: number;
      readonly states: readonly string[];
      readonly pay_again: boolean;
      readonly death?: Death | undefined;
    }
  | { readonly it: 'replace a list'; readonly list: number }
  | { readonly it: 'confirm'; readonly list: number; readonly death?: Death | undefined }
  | ({ readonly it: 'new session'; readonly lists: boolean } & Who)
  | ({ readonly it: 'other program'; readonly does: 'sets a TIP PIN' | 'registers' } & Who);

export interface Scenario {
  /** Seed of every random number of the history. */
  readonly seed: number;
  readonly roles: readonly Role[];
  readonly events: readonly HistoryEvent[];
}

const death = fc.record({
  nth: fc.integer({ min: 1, max: 16 }),
  when: fc.constantFrom('before' as const, 'after' as const),
});
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
const who = fc.nat({ max: 2 });
const pick = fc.nat({ max: 5 });
const picked = {
  pick,
  step: fc.constantFrom(
    undefined,
    'register' as const,
    'register' as const,
    'enroll' as const,
    'enroll' as const,
  ),
};

const events: readonly fc.WeightedArbitrary<HistoryEvent>[] = [
  { weight: 10, arbitrary: fc.record({ it: fc.constant('deliver'), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      it: fc.constant('list'),
      bots: fc.uniqueArray(who, { minLength: 1, maxLength: 3 }),
      form: fc.constantFrom(...options),
      twice: fc.boolean(),
      death: fc.option(death, { nil: undefined, freq: 1 }),
    }),
  },
  { weight: 9, arbitrary: fc.record({ it: fc.constant('deliver to a dying worker'), ...picked, death }) },
  {
    weight: 14,
    arbitrary: fc.record({
      it: fc.constant('deliver at once'),
      picks: fc.array(fc.record(picked), { minLength: 1, maxLength: 2, size: 'xsmall' }),
      copies: fc.constantFrom(1, 2, 2, 2),
      turns: fc.array(fc.record({ who: fc.nat({ max: 3 }), calls: fc.integer({ min: 1, max: 14 }) }), {
        minLength: 1,
        maxLength: 8,
      }),
      aheadMs: fc.constantFrom(0, 0, -1_500, 1_500),
      death: optional(death),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      it: fc.constant('deliver to a paused worker'),
      ...picked,
      nth: fc.integer({ min: 2, max: 16 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('resume') }) },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('lose'), pick }) },
  {
    weight: 6,
    arbitrary: fc.record({
      it: fc.constant('wait'),
      seconds: fc.constantFrom(2, 20, 61, 300, 1_200, 7_200, 90_000, 700_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('sweep'), death: optional(death) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      it: fc.constant('fault'),
      name: fc.constantFrom(...faultNames, ...oftenFaults),
      who,
      call: fc.constantFrom(...callNames, 'its first POST', 'its last POST'),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ it: fc.constant('clear faults') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      it: fc.constant('hold'),
      who,
      call: fc.constantFrom('its first POST', 'its last POST'),
      seconds: fc.integer({ min: 9, max: 55 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      it: fc.constant('set the clock'),
      aheadSeconds: fc.constantFrom(-200, -20, 0, 20, 200),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      it: fc.constant('retry'),
      list: fc.nat({ max: 3 }),
      states: fc.uniqueArray(fc.constantFrom('blocked', 'failed', 'waiting', 'external'), {
        minLength: 1,
      }),
      pay_again: fc.boolean(),
      death: optional(death),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ it: fc.constant('confirm'), list: fc.nat({ max: 3 }), death: optional(death) }),
  },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('replace a list'), list: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('new session'), who, lists: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      it: fc.constant('other program'),
      who,
      does: fc.constantFrom('sets a TIP PIN', 'registers'),
    }),
  },
];

/** Scenarios of up to three actors. First all of them are uploaded in one list. */
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.nat(),
  roles: fc.array(fc.constantFrom(...roles, ...oftenRoles), { minLength: 1, maxLength: 3, size: 'max' }),
  events: fc.array(fc.oneof(...events), { minLength: 3, maxLength: 14, size: 'max' }),
});

/** The index of the actor that a number chooses. */
export const selectActor = (number: number, { length }: readonly unknown[]): number => number % length;

export const selectActors = (numbers: readonly number[], roles: readonly unknown[]): readonly number[] => [
  ...new Set(numbers.map((number) => selectActor(number, roles))),
];

const describeDeath = (death: Death | undefined, whose = 'its worker'): string =>
  death === undefined ? '' : `; ${whose} dies ${death.when} call ${death.nth}`;

const describeList = (event: Extract<HistoryEvent, { it: 'list' }>, roles: readonly Role[]): string => {
  const bots = selectActors(event.bots, roles).map((bot) => bot + 1);
  const times = event.twice ? ', and sent once more' : '';
  return `A list of bot ${bots.join(' and ')} comes, each ${event.form}${times}${describeDeath(event.death, 'the API')}.`;
};

const describeCall = (call: CallName, bot: number, roles: readonly Role[]): string => {
  const path = findPath(call, roles[selectActor(bot, roles)]);
  return path === undefined ? '' : ` of ${path}`;
};

const describeClock = (aheadMs: number): string => {
  if (aheadMs === 0) return '';
  return `, the clock of the second ${Math.abs(aheadMs)} ms ${aheadMs > 0 ? 'ahead' : 'behind'}`;
};

const describePick = ({ pick, step }: MessageChoice): string =>
  step === undefined ? `message ${pick + 1}` : `the next message of ${step}`;

const describeTurn = ({ who, calls }: Turn): string => `worker ${who + 1} for ${calls}`;

const capitalize = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const sentences: {
  readonly [It in HistoryEvent['it']]: (
    event: Extract<HistoryEvent, { it: It }>,
    roles: readonly Role[],
  ) => string;
} = {
  list: describeList,
  deliver: ({ count }) => `Messages are delivered, ${count} at most.`,
  'deliver to a dying worker': ({ death, ...one }) =>
    `${capitalize(describePick(one))} is delivered${describeDeath(death)}.`,
  'deliver at once': ({ picks, copies, turns, aheadMs, death }) =>
    `${capitalize(picks.map(describePick).join(' and '))} ${picks.length > 1 ? 'go' : 'goes'} to ${copies === 1 ? 'a worker' : 'two workers'}${picks.length > 1 ? ' each' : ''}, all at once${describeClock(aheadMs)}: ${turns.map(describeTurn).join(', ')}, and so on${describeDeath(death, 'the first')}.`,
  'deliver to a paused worker': ({ nth, ...one }) =>
    `${capitalize(describePick(one))} is delivered to a worker that pauses before call ${nth}.`,
  resume: () => 'Paused workers go on.',
  lose: ({ pick }) => `Message ${pick + 1} is lost.`,
  wait: ({ seconds }) => `${seconds.toLocaleString('en-US')} seconds pass.`,
  sweep: ({ death }) => `The sweep runs${describeDeath(death, 'it')}.`,
  fault: ({ name, who: bot, call, times }, roles) =>
    `A fault hits the next ${times === 1 ? 'call' : `${times} calls`}${describeCall(call, bot, roles)} for bot ${selectActor(bot, roles) + 1}: ${name}.`,
  'clear faults': () => 'Mixin has no faults any more.',
  hold: ({ who: bot, call, seconds }, roles) =>
    `The network holds the next call${describeCall(call, bot, roles)} back for ${seconds} seconds.`,
  'set the clock': ({ aheadSeconds }) =>
    aheadSeconds === 0
      ? "Enlist's clock is corrected."
      : `Enlist's clock goes ${Math.abs(aheadSeconds)} seconds ${aheadSeconds > 0 ? 'ahead' : 'behind'}.`,
  retry: ({ list, states, pay_again, death }) =>
    `An operator retries what is ${states.join(' or ')} in list ${list + 1}${pay_again ? ', and pays again' : ''}${describeDeath(death, 'the API')}.`,
  'replace a list': ({ list }) =>
    `Whoever holds the form of list ${list + 1} replaces the list by one of network users, and completes the upload again.`,
  confirm: ({ list, death }) =>
    `An operator accepts the cost of list ${list + 1}${describeDeath(death, 'the API')}.`,
  'new session': ({ who: bot, lists }, roles) =>
    `Bot ${selectActor(bot, roles) + 1} gets a new session${lists ? ', which is listed' : ''}.`,
  'other program': ({ who: bot, does }, roles) =>
    `Another program ${does} for bot ${selectActor(bot, roles) + 1}.`,
};

/** Describes an event as a sentence. */
export const describeEvent = (event: HistoryEvent, roles: readonly Role[]): string =>
  (sentences[event.it] as (one: HistoryEvent, roles: readonly Role[]) => string)(event, roles);
