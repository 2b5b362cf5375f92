/**
 * Judges a history by what Mixin's side did, what the vault holds and what the rows say; never by what a step
 * returned. The fates are a model of their own: they follow from the account and the vault alone.
 */
import type { AccountView, LedgerEntry } from '../../../emulators/mixin/server.ts';
import { api } from '../../../lib/api/api.ts';
import { OTHER_DIGITS, SIX_DIGITS } from './cast.ts';
import { isEnrolmentKept, isOpen, type RowSeen, rowsOf, type SecretSeen, secretOf } from './evidence.ts';
import type { World } from './world.ts';

export interface Harm {
  readonly keys_lost: number;
  readonly double_keys: number;
  readonly double_paid_calls: number;
  readonly unexpected_5xx: number;
}

export interface Verdict {
  readonly harm: Harm;
  /** What is wrong, a sentence each. */
  readonly wrongs: readonly string[];
}

/** Everything that is known of a history. */
interface Case {
  readonly world: World;
  readonly rows: readonly RowSeen[];
  readonly secrets: ReadonlyMap<string, SecretSeen>;
  readonly accounts: ReadonlyMap<string, AccountView>;
  readonly ledger: readonly LedgerEntry[];
}

const open = async (world: World): Promise<Case> => {
  const rows = await rowsOf(world);
  const accounts = new Map(world.standIn.accounts().map((account) => [account.user_id, account]));
  const secrets = new Map<string, SecretSeen>();
  for (const user_id of accounts.keys()) {
    const secret = await secretOf(world, user_id);
    if (secret) secrets.set(user_id, secret);
  }
  return { world, rows, secrets, accounts, ledger: world.standIn.ledger() };
};

const nameOf = ({ world }: Case, user_id: string | undefined): string => {
  const member = world.members.findIndex((one) => one.user_id === user_id);
  return member < 0 ? `account ${user_id}` : `bot ${member + 1}`;
};

/** Keys that we bound, by user. */
const ourKeys = ({ world, ledger }: Case): ReadonlyMap<string, ReadonlySet<string>> => {
  const keys = new Map<string, Set<string>>();
  for (const { user_id = '', bound } of ledger) {
    if (!bound || world.strangers.has(bound.public_key)) continue;
    keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
  }
  return keys;
};

const lostKeys = (it: Case): readonly string[] =>
  [...ourKeys(it)].flatMap(([user_id, keys]) => {
    const held = it.secrets.get(user_id);
    const all = held ? [...held.spend, ...held.listed] : [];
    return [...keys]
      .filter((key) => !all.includes(key))
      .map((key) => `The key ${key.slice(0, 8)}… of ${nameOf(it, user_id)} is bound and not in the vault.`);
  });

const doubleKeys = (it: Case): readonly string[] =>
  [...ourKeys(it)]
    .filter(([, keys]) => keys.size > 1)
    .map(([user_id, keys]) => `${nameOf(it, user_id)} has ${keys.size} keys of ours.`);

const count = <T>(items: readonly T[]): ReadonlyMap<T, number> => {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
};

/** Names of the users that were made, one for each time. */
const usersMade = ({ world, ledger }: Case): readonly string[] =>
  ledger
    .filter(({ path, outcome }) => path === '/users' && outcome === 'accepted')
    .map(({ request_id = '' }) => world.wire.usersAskedFor.get(request_id) ?? 'a user nobody asked for');

const paidTwice = (it: Case): readonly string[] => {
  const allowed = count(it.world.paysAgain);
  return [...count(usersMade(it))]
    .filter(([name, times]) => times > 1 + (allowed.get(name) ?? 0))
    .map(([name, times]) => `${name} was paid for ${times} times.`);
};

const acceptedTwice = (it: Case): readonly string[] => {
  const users = it.ledger
    .filter(({ path, outcome }) => path === '/safe/users' && outcome === 'accepted')
    .map(({ user_id = '' }) => user_id);
  return [...count(users)]
    .filter(([, times]) => times > 1)
    .map(([user_id]) => `${nameOf(it, user_id)} was registered twice.`);
};

/** Refusals that Mixin counts, in the stand-in's words. */
const COUNTED = [
  'the PIN is wrong',
  'the old PIN is wrong',
  'the old PIN is missing',
  'the TIP key cannot be changed',
];
const NOT_GROWN = 'the PIN’s iterator did not grow';

const wrongPins = (it: Case): readonly string[] => {
  const users = it.ledger
    .filter(({ reason = '' }) => COUNTED.includes(reason))
    .map(({ user_id = '' }) => user_id);
  return [...count(users)]
    .filter(([, times]) => times > 1)
    .map(([user_id, times]) => `${nameOf(it, user_id)} got ${times} wrong PINs.`);
};

/** Somebody else's program, and a request that comes long after its time, may well bring an old iterator. */
const stuckIterators = (it: Case): readonly string[] => {
  const { touched, wire } = it.world;
  const late = new Set(
    it.ledger.filter(({ request_id = '' }) => wire.late.has(request_id)).map(({ user_id }) => user_id),
  );
  return it.ledger
    .filter(({ reason, user_id = '' }) => reason === NOT_GROWN && !touched.has(user_id) && !late.has(user_id))
    .map(({ user_id, path }) => `The iterator of ${nameOf(it, user_id)} did not grow (${path}).`);
};

/** These say that something broke which nothing in a history may break. */
const FORBIDDEN = [
  'key_conflict',
  'safe_lost',
  'handler_crashed',
  'stalled',
  'keystore_missing',
  'bad_keystore',
];

/** Is there a spend key of ours, or of somebody else, where the row says so? */
const rowAgrees = (it: Case, row: RowSeen): string | undefined => {
  const account = it.accounts.get(row.user_id);
  const held = it.secrets.get(row.user_id)?.spend ?? [];
  const bound = account?.spend_public_key ?? '';
  if (row.state === 'registered') {
    const same = held.length === 1 && held[0] === bound && row.public_key === bound;
    return account?.has_safe && same ? undefined : 'is registered, and row, vault and Mixin do not agree';
  }
  if (row.state !== 'external') return undefined;
  return account?.has_safe && !held.includes(bound) ? undefined : 'is external, and its key is in the vault';
};

const rowWrong = (it: Case, row: RowSeen): string | undefined => {
  const { state, reason } = row;
  if (isOpen(row)) return `does not come to rest: ${state} (${reason?.code})`;
  const mustSay = ['blocked', 'failed', 'external', 'unsure'].includes(state);
  if (mustSay && !(reason?.code && reason.message && reason.fix)) return `is ${state} without a reason`;
  if (reason && FORBIDDEN.includes(reason.code)) return `is ${state} with ${reason.code}`;
  return rowAgrees(it, row);
};

const rowsWrong = (it: Case): readonly string[] =>
  it.rows.flatMap((row) => {
    const wrong = rowWrong(it, row);
    return wrong === undefined ? [] : [`The row of ${nameOf(it, row.user_id)} ${wrong}.`];
  });

/** What an account without Safe comes to, by what the vault holds for it. */
const fateOutside = (account: AccountView, held: SecretSeen, row: RowSeen): readonly string[] => {
  const tip = account.tip_public_key;
  const unsettled = held.spend.length === 0 && held.listed.length > 0;
  if (tip !== '') {
    if (held.spend.includes(tip)) return ['registered'];
    if (unsettled && held.listed.includes(tip)) return ['registered'];
    if (!held.tip.includes(tip))
      return [held.tip.length === 0 ? 'blocked tip_key_missing' : 'blocked tip_key_mismatch'];
  } else if (account.has_pin) {
    if (row.wrong_pin_at !== undefined) return ['blocked wrong_pin'];
    if (held.pin === undefined) return ['blocked six_digit_pin'];
    if (held.pin === OTHER_DIGITS) return ['blocked wrong_pin'];
    if (held.pin !== SIX_DIGITS) return ['a PIN that nobody listed'];
  }
  return [unsettled ? 'blocked key_form_unknown' : 'registered'];
};

/** Where a bot must rest once nothing is in its way and an operator has retried it. */
const fatesOf = (account: AccountView, held: SecretSeen | undefined, row: RowSeen): readonly string[] => {
  if (!held) return ['blocked keystore_missing'];
  const isLive = account.session === 'live' && account.session_id === held.session_id;
  const bound = account.spend_public_key;
  const inSafe = [...held.spend, ...held.listed].includes(bound) ? 'registered' : 'external';
  // Who is at rest in Safe stays there, whatever becomes of its session.
  const refused = ['blocked session_refused', ...(account.has_safe ? [inSafe] : [])];
  if (!isLive) return refused;
  return account.has_safe ? [inSafe] : fateOutside(account, held, row);
};

/** Rows of enrolments end as they began: what was sent and not answered is never sent again by itself. */
const fatesOfEnrolment = (it: Case, row: RowSeen): readonly string[] => {
  const { enrolment, account } = row;
  if (enrolment?.kind === 'sign_in')
    return account
      ? ['enrolled']
      : ['unsure sign_in_unknown', 'blocked sms_code_wrong', 'blocked sms_code_expired'];
  if (account) return ['enrolled'];
  const made = usersMade(it).includes(enrolment?.full_name ?? '');
  if (made) return ['unsure user_creation_unknown', 'blocked user_not_new'];
  const owner = it.accounts.get(enrolment?.owner ?? '');
  const held = it.secrets.get(enrolment?.owner ?? '');
  if (!owner || !held) return ['blocked owner_missing'];
  const isLive = owner.session === 'live' && owner.session_id === held.session_id;
  return ['unsure user_creation_unknown', ...(isLive ? [] : ['blocked session_refused'])];
};

const endOf = ({ state, reason }: RowSeen): string =>
  state === 'blocked' || state === 'failed' || state === 'unsure' ? `${state} ${reason?.code}` : state;

const fateWrong = (it: Case, row: RowSeen): string | undefined => {
  const account = it.accounts.get(row.user_id);
  const fates = row.enrolment
    ? fatesOfEnrolment(it, row)
    : account
      ? fatesOf(account, it.secrets.get(row.user_id), row)
      : ['a row without an account'];
  const end = endOf(row);
  if (fates.includes(end)) return undefined;
  return `${nameOf(it, row.user_id)} is ${end} in the end, and should be ${fates.join(' or ')}.`;
};

interface BatchTold {
  readonly status: string;
  readonly states: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly not_in_batch: number;
  readonly percent_done: number;
}

const tellBatch = async ({ services }: World, batch_id: string): Promise<BatchTold> => {
  const request = { path: { batch_id }, query: {}, headers: {}, body: new Uint8Array() };
  return (await api.readBatch(services, request)).body as BatchTold;
};

/** Counts of a list as the API tells them, against the rows that really stand in it. */
const batchWrong = async (it: Case, batch_id: string, size: number): Promise<string | undefined> => {
  const told = await tellBatch(it.world, batch_id);
  const states = count(it.rows.filter((row) => row.batch_id === batch_id).map(({ state }) => state));
  for (const [state, number] of Object.entries(told.states))
    if (number !== (states.get(state) ?? 0))
      return `counts ${number} rows that are ${state}, and has ${states.get(state) ?? 0}`;
  if (told.status === 'planned') return undefined;
  if (told.status !== 'imported') return `is ${told.status} in the end`;
  const here = [...states].reduce((sum, [state, number]) => sum + (state === 'enrolled' ? 0 : number), 0);
  if (told.accepted !== size || here + told.not_in_batch !== size)
    return `has ${size} rows, and tells of ${told.accepted}: ${here} here and ${told.not_in_batch} elsewhere`;
  return told.percent_done === 100 ? undefined : `is ${told.percent_done} % done in the end`;
};

/** A bot's row stands in a list that named it; any other row belongs to an enrolment, which may be listed again. */
const misplaced = (it: Case): readonly string[] => {
  const { members, lists } = it.world;
  const batches = new Map(lists.map((list) => [list.batch_id, list]));
  const isWrong = ({ user_id, batch_id }: RowSeen): boolean => {
    const list = batches.get(batch_id);
    const member = members.findIndex((one) => one.user_id === user_id);
    return member < 0 ? !list : !list?.members.includes(member);
  };
  return it.rows
    .filter(isWrong)
    .map((row) => `${nameOf(it, row.user_id)} stands in a list that does not name it.`);
};

const batchesWrong = async (it: Case): Promise<readonly string[]> => {
  const wrongs: string[] = [];
  const { lists, chance } = it.world;
  for (const [number, { batch_id, members }] of lists.entries()) {
    // Counting is slow, and there are many histories: one list of each is enough.
    if (number !== chance % lists.length) continue;
    const wrong =
      batch_id === undefined ? 'was never answered' : await batchWrong(it, batch_id, members.length);
    if (wrong !== undefined) wrongs.push(`List ${number + 1} ${wrong}.`);
  }
  return wrongs;
};

/** A request that failed is harm; a step that crashed comes again by itself. */
const isRequest = (crash: string): boolean => Object.keys(api).some((route) => crash.startsWith(`${route}:`));

/** What must hold whenever everything has come to rest. */
const wrongsOf = (it: Case): readonly string[] => [
  ...acceptedTwice(it),
  ...wrongPins(it),
  ...stuckIterators(it),
  ...rowsWrong(it),
  ...misplaced(it),
  ...it.world.crashes.map((crash) => `Unexpected: ${crash}.`),
];

/** And what must hold at the end: the counts of the lists, and where everybody rests. */
/** Who has an account needs the first copy of its session key no more; who is in doubt does. */
const enrolmentsWrong = async (it: Case): Promise<readonly string[]> => {
  const wrongs: string[] = [];
  for (const row of it.rows) {
    if (!row.enrolment) continue;
    const isKept = await isEnrolmentKept(it.world, row.user_id);
    if (row.state === 'enrolled' && isKept) wrongs.push(`The secret of ${nameOf(it, row.user_id)} is left.`);
    if (row.state === 'unsure' && !isKept) wrongs.push(`The secret of ${nameOf(it, row.user_id)} is gone.`);
  }
  return wrongs;
};

const wrongsInTheEnd = async (it: Case): Promise<readonly string[]> => [
  ...(await batchesWrong(it)),
  ...it.rows.flatMap((row) => fateWrong(it, row) ?? []),
  ...(await enrolmentsWrong(it)),
];

/**
 * A key that Mixin hides is ours where we sent it and were not refused (docs/decisions/0010): to be asked before an
 * audit may have seen it.
 */
export const disowned = async (world: World): Promise<readonly string[]> => {
  const it = await open(world);
  const registrations = it.ledger.filter(({ path }) => path === '/safe/users');
  return it.rows.flatMap(({ state, user_id }) => {
    const ours = registrations.filter((entry) => entry.user_id === user_id);
    const isOurs =
      ours.at(-1)?.bound && it.secrets.get(user_id)?.spend.includes(ours.at(-1)?.bound?.public_key ?? '');
    return state === 'external' && isOurs
      ? [`${nameOf(it, user_id)} is external, and we registered it.`]
      : [];
  });
};

/** @param isEnd an operator has retried whatever can be retried */
export const judge = async (world: World, isEnd: boolean): Promise<Verdict> => {
  const it = await open(world);
  const [lost, double, paid] = [lostKeys(it), doubleKeys(it), paidTwice(it)];
  return {
    harm: {
      keys_lost: lost.length,
      double_keys: double.length,
      double_paid_calls: paid.length,
      unexpected_5xx: world.crashes.filter(isRequest).length,
    },
    wrongs: [...lost, ...double, ...paid, ...wrongsOf(it), ...(isEnd ? await wrongsInTheEnd(it) : [])],
  };
};
