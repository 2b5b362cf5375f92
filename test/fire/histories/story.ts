/** A history as plain data: who is in it, what happens one after the other, and how that reads. */
import fc from 'fast-check';
import type { FaultName } from '../../../emulators/mixin/server.ts';

/** What the accounts are like at first, and what their rows say of them. */
export const roles = [
  'a bot without a PIN',
  'a bot whose row brings a spend key',
  'a bot with a TIP PIN',
  'a bot with a TIP PIN that its row does not bring',
  'a bot with six digits',
  'a bot with six digits whose row brings others',
  'a bot with six digits that its row does not bring',
  'a bot in Safe, its key in the row',
  'a bot in Safe with a key of somebody else',
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

/** Whoever is told more often, and what goes wrong more often: there is more to be done wrong with it. */
const oftenRoles: readonly Role[] = [
  'a bot without a PIN',
  'a bot with six digits whose row brings others',
  'a network user of bot 1',
  'a network user of bot 1',
  'a network user of bot 1',
];
const oftenTroubles = ['answer_lost', 'answer_lost', 'server_error after all'] as const;

/** How a bot's row is written. */
export const manners = ['as it is', 'without PIN and keys', 'with other keys', 'with a spend key'] as const;
export type Manner = (typeof manners)[number];

/** A worker dies at its nth call of anything outside itself. */
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
export type TroubleName = (typeof faultNames)[number];

/** Which of the calls that are made for somebody. */
export const callNames = ['any', 'its first POST', 'its last POST', 'looking'] as const;
export type CallName = (typeof callNames)[number];

/** The path of such a call, or its route; undefined for any. */
export const pathOf = (call: CallName, role: Role | undefined): string | undefined => {
  if (role?.startsWith('a sign-in')) return '/verifications/:id';
  if (call === 'any') return undefined;
  if (call === 'looking') return '/safe/me';
  if (role?.startsWith('a network user')) return '/users';
  return call === 'its first POST' ? '/pin/update' : '/safe/users';
};

/** A message under way; with a step, the next one of that step, after whatever must be delivered before it. */
interface Picked {
  readonly pick: number;
  readonly step?: 'register' | 'enroll' | undefined;
}

/** Who of those who wait is next, and for how many calls. */
export interface Turn {
  readonly who: number;
  readonly calls: number;
}

type Who = { readonly who: number };

export type Happening =
  | {
      readonly it: 'list';
      readonly bots: readonly number[];
      readonly manner: Manner;
      readonly twice: boolean;
      readonly death?: Death | undefined;
    }
  | { readonly it: 'deliver'; readonly count: number }
  | ({ readonly it: 'deliver to a mortal'; readonly death: Death } & Picked)
  | {
      readonly it: 'deliver at once';
      readonly picks: readonly Picked[];
      readonly copies: number;
      readonly turns: readonly Turn[];
      readonly aheadMs: number;
      readonly death?: Death | undefined;
    }
  | ({ readonly it: 'deliver to a sleeper'; readonly nth: number } & Picked)
  | { readonly it: 'wake' }
  | { readonly it: 'lose'; readonly pick: number }
  | { readonly it: 'wait'; readonly seconds: number }
  | { readonly it: 'sweep'; readonly death?: Death | undefined }
  | ({
      readonly it: 'trouble';
      readonly name: TroubleName;
      readonly call: CallName;
      readonly times: number;
    } & Who)
  | { readonly it: 'mend' }
  | ({ readonly it: 'hold'; readonly call: CallName; readonly seconds: number } & Who)
  | { readonly it: 'set the clock'; readonly aheadSeconds: number }
  | {
      readonly it: 'retry';
      readonly list: number;
      readonly states: readonly string[];
      readonly pay_again: boolean;
      readonly death?: Death | undefined;
    }
  | { readonly it: 'confirm'; readonly list: number; readonly death?: Death | undefined }
  | ({ readonly it: 'new session'; readonly lists: boolean } & Who)
  | ({ readonly it: 'stranger'; readonly does: 'sets a TIP PIN' | 'registers' } & Who);

export interface Story {
  /** What every random number of the history follows from. */
  readonly chance: number;
  readonly cast: readonly Role[];
  readonly happenings: readonly Happening[];
}

const death = fc.record({
  nth: fc.integer({ min: 1, max: 16 }),
  when: fc.constantFrom('before' as const, 'after' as const),
});
const perhaps = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
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

const happenings: readonly fc.WeightedArbitrary<Happening>[] = [
  { weight: 10, arbitrary: fc.record({ it: fc.constant('deliver'), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      it: fc.constant('list'),
      bots: fc.uniqueArray(who, { minLength: 1, maxLength: 3 }),
      manner: fc.constantFrom(...manners),
      twice: fc.boolean(),
      death: fc.option(death, { nil: undefined, freq: 1 }),
    }),
  },
  { weight: 9, arbitrary: fc.record({ it: fc.constant('deliver to a mortal'), ...picked, death }) },
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
      death: perhaps(death),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      it: fc.constant('deliver to a sleeper'),
      ...picked,
      nth: fc.integer({ min: 2, max: 16 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('wake') }) },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('lose'), pick }) },
  {
    weight: 6,
    arbitrary: fc.record({
      it: fc.constant('wait'),
      seconds: fc.constantFrom(2, 20, 61, 300, 1_200, 7_200, 90_000, 700_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('sweep'), death: perhaps(death) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      it: fc.constant('trouble'),
      name: fc.constantFrom(...faultNames, ...oftenTroubles),
      who,
      call: fc.constantFrom(...callNames, 'its first POST', 'its last POST'),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ it: fc.constant('mend') }) },
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
      death: perhaps(death),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ it: fc.constant('confirm'), list: fc.nat({ max: 3 }), death: perhaps(death) }),
  },
  { weight: 2, arbitrary: fc.record({ it: fc.constant('new session'), who, lists: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      it: fc.constant('stranger'),
      who,
      does: fc.constantFrom('sets a TIP PIN', 'registers'),
    }),
  },
];

/** Histories of up to three bots; the first thing that happens is that all of them are listed. */
export const stories: fc.Arbitrary<Story> = fc.record({
  chance: fc.nat(),
  cast: fc.array(fc.constantFrom(...roles, ...oftenRoles), { minLength: 1, maxLength: 3, size: 'max' }),
  happenings: fc.array(fc.oneof(...happenings), { minLength: 3, maxLength: 14, size: 'max' }),
});

/** Which member of the cast a number means. */
export const memberOf = (number: number, { length }: readonly unknown[]): number => number % length;

export const membersOf = (numbers: readonly number[], cast: readonly unknown[]): readonly number[] => [
  ...new Set(numbers.map((number) => memberOf(number, cast))),
];

const dying = (death: Death | undefined, whose = 'its worker'): string =>
  death === undefined ? '' : `; ${whose} dies ${death.when} call ${death.nth}`;

const listing = (happening: Extract<Happening, { it: 'list' }>, cast: readonly Role[]): string => {
  const bots = membersOf(happening.bots, cast).map((bot) => bot + 1);
  const times = happening.twice ? ', and sent once more' : '';
  return `A list of bot ${bots.join(' and ')} comes, each ${happening.manner}${times}${dying(happening.death, 'the API')}.`;
};

const callTold = (call: CallName, bot: number, cast: readonly Role[]): string => {
  const path = pathOf(call, cast[memberOf(bot, cast)]);
  return path === undefined ? '' : ` of ${path}`;
};

const clockTold = (aheadMs: number): string => {
  if (aheadMs === 0) return '';
  return `, the clock of the second ${Math.abs(aheadMs)} ms ${aheadMs > 0 ? 'ahead' : 'behind'}`;
};

const pickTold = ({ pick, step }: Picked): string =>
  step === undefined ? `message ${pick + 1}` : `the next message of ${step}`;

const turnTold = ({ who, calls }: Turn): string => `worker ${who + 1} for ${calls}`;

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const sentences: {
  readonly [It in Happening['it']]: (
    happening: Extract<Happening, { it: It }>,
    cast: readonly Role[],
  ) => string;
} = {
  list: listing,
  deliver: ({ count }) => `Messages are delivered, ${count} at most.`,
  'deliver to a mortal': ({ death, ...one }) => `${capital(pickTold(one))} is delivered${dying(death)}.`,
  'deliver at once': ({ picks, copies, turns, aheadMs, death }) =>
    `${capital(picks.map(pickTold).join(' and '))} ${picks.length > 1 ? 'go' : 'goes'} to ${copies === 1 ? 'a worker' : 'two workers'}${picks.length > 1 ? ' each' : ''}, all at once${clockTold(aheadMs)}: ${turns.map(turnTold).join(', ')}, and so on${dying(death, 'the first')}.`,
  'deliver to a sleeper': ({ nth, ...one }) =>
    `${capital(pickTold(one))} is delivered to a worker that falls asleep before call ${nth}.`,
  wake: () => 'Whoever sleeps wakes up and goes on.',
  lose: ({ pick }) => `Message ${pick + 1} is lost.`,
  wait: ({ seconds }) => `${seconds.toLocaleString('en-US')} seconds pass.`,
  sweep: ({ death }) => `The sweep runs${dying(death, 'it')}.`,
  trouble: ({ name, who: bot, call, times }, cast) =>
    `Mixin has trouble with the next ${times === 1 ? 'call' : `${times} calls`}${callTold(call, bot, cast)} for bot ${memberOf(bot, cast) + 1}: ${name}.`,
  mend: () => 'Mixin has no trouble any more.',
  hold: ({ who: bot, call, seconds }, cast) =>
    `The network holds the next call${callTold(call, bot, cast)} back for ${seconds} seconds.`,
  'set the clock': ({ aheadSeconds }) =>
    aheadSeconds === 0
      ? "Enlist's clock is set right."
      : `Enlist's clock goes ${Math.abs(aheadSeconds)} seconds ${aheadSeconds > 0 ? 'ahead' : 'behind'}.`,
  retry: ({ list, states, pay_again, death }) =>
    `An operator retries what is ${states.join(' or ')} in list ${list + 1}${pay_again ? ', and pays again' : ''}${dying(death, 'the API')}.`,
  confirm: ({ list, death }) => `An operator accepts the cost of list ${list + 1}${dying(death, 'the API')}.`,
  'new session': ({ who: bot, lists }, cast) =>
    `Bot ${memberOf(bot, cast) + 1} gets a new session${lists ? ', which is listed' : ''}.`,
  stranger: ({ who: bot, does }, cast) => `Somebody else ${does} for bot ${memberOf(bot, cast) + 1}.`,
};

/** What happens, as a sentence. */
export const tell = (happening: Happening, cast: readonly Role[]): string =>
  (sentences[happening.it] as (one: Happening, cast: readonly Role[]) => string)(happening, cast);
