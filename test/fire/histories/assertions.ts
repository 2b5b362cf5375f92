/**
 * Checks a history by what the stand-in did, what the vault holds and what the rows say, never by what a step returned.
 * The expected ends are computed separately, from the account and the vault alone.
 */
import type { AccountView, LedgerEntry } from '../../../emulators/mixin/server.ts';
import { api } from '../../../lib/api/api.ts';
import { OTHER_DIGITS, SIX_DIGITS } from './actors.ts';
import {
  hasEnrolmentSecret,
  isUnfinished,
  readRows,
  readSecret,
  type StoredRow,
  type StoredSecret,
} from './stored.ts';
import type { World } from './world.ts';

export interface Harm {
  readonly keys_lost: number;
  readonly double_keys: number;
  readonly double_paid_calls: number;
  readonly unexpected_5xx: number;
}

export interface CheckResult {
  readonly harm: Harm;
  /** One sentence for each failure. */
  readonly failures: readonly string[];
}

/** Everything that is known about a history. */
interface Snapshot {
  readonly world: World;
  readonly rows: readonly StoredRow[];
  readonly secrets: ReadonlyMap<string, StoredSecret>;
  readonly accounts: ReadonlyMap<string, AccountView>;
  readonly ledger: readonly LedgerEntry[];
}

const takeSnapshot = async (world: World): Promise<Snapshot> => {
  const rows = await readRows(world);
  const accounts = new Map(world.standIn.accounts().map((account) => [account.user_id, account]));
  const secrets = new Map<string, StoredSecret>();
  for (const user_id of accounts.keys()) {
    const secret = await readSecret(world, user_id);
    if (secret) secrets.set(user_id, secret);
  }
  return { world, rows, secrets, accounts, ledger: world.standIn.ledger() };
};

const nameOf = ({ world }: Snapshot, user_id: string | undefined): string => {
  const actor = world.actors.findIndex((one) => one.user_id === user_id);
  return actor < 0 ? `account ${user_id}` : `bot ${actor + 1}`;
};

/** The keys that Enlist registered, by user. */
const collectOurKeys = ({ world, ledger }: Snapshot): ReadonlyMap<string, ReadonlySet<string>> => {
  const keys = new Map<string, Set<string>>();
  for (const { user_id = '', bound } of ledger) {
    if (!bound || world.foreignKeys.has(bound.public_key)) continue;
    keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
  }
  return keys;
};

const findLostKeys = (it: Snapshot): readonly string[] =>
  [...collectOurKeys(it)].flatMap(([user_id, keys]) => {
    const stored = it.secrets.get(user_id);
    const all = stored ? [...stored.spend, ...stored.listed] : [];
    return [...keys]
      .filter((key) => !all.includes(key))
      .map(
        (key) => `The key ${key.slice(0, 8)}… of ${nameOf(it, user_id)} is registered and not in the vault.`,
      );
  });

const findDoubleKeys = (it: Snapshot): readonly string[] =>
  [...collectOurKeys(it)]
    .filter(([, keys]) => keys.size > 1)
    .map(([user_id, keys]) => `${nameOf(it, user_id)} has ${keys.size} keys of ours.`);

const count = <T>(items: readonly T[]): ReadonlyMap<T, number> => {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
};

/** The names of the created users, once for each creation. */
const listCreatedUsers = ({ world, ledger }: Snapshot): readonly string[] =>
  ledger
    .filter(({ path, outcome }) => path === '/users' && outcome === 'accepted')
    .map(({ request_id = '' }) => world.network.requestedUsers.get(request_id) ?? 'a user nobody asked for');

const findPaidTwice = (it: Snapshot): readonly string[] => {
  const allowed = count(it.world.paysAgain);
  return [...count(listCreatedUsers(it))]
    .filter(([name, times]) => times > 1 + (allowed.get(name) ?? 0))
    .map(([name, times]) => `${name} was paid for ${times} times.`);
};

/** The name of a network user ends with the number of its list. */
const findUnpricedUsers = (it: Snapshot): readonly string[] => {
  const names = [...new Set(listCreatedUsers(it))];
  return it.world.lists.flatMap(({ batch_id = '' }, i) => {
    const created = names.filter((name) => name.endsWith(` of list ${i + 1}`)).length;
    const accepted = it.world.acceptedUsers.get(batch_id) ?? 0;
    return created > accepted
      ? [`List ${i + 1} created ${created} network users, and ${accepted} were accepted.`]
      : [];
  });
};

const findRegisteredTwice = (it: Snapshot): readonly string[] => {
  const users = it.ledger
    .filter(({ path, outcome }) => path === '/safe/users' && outcome === 'accepted')
    .map(({ user_id = '' }) => user_id);
  return [...count(users)]
    .filter(([, times]) => times > 1)
    .map(([user_id]) => `${nameOf(it, user_id)} was registered twice.`);
};

/** Refusals that Mixin counts as wrong PINs, in the stand-in's words. */
const COUNTED = [
  'the PIN is wrong',
  'the old PIN is wrong',
  'the old PIN is missing',
  'the TIP key cannot be changed',
];
const NOT_GROWN = 'the PIN’s iterator did not grow';

const findRepeatedWrongPins = (it: Snapshot): readonly string[] => {
  const users = it.ledger
    .filter(({ reason = '' }) => COUNTED.includes(reason))
    .map(({ user_id = '' }) => user_id);
  return [...count(users)]
    .filter(([, times]) => times > 1)
    .map(([user_id, times]) => `${nameOf(it, user_id)} got ${times} wrong PINs.`);
};

/** Another program, or a request that was held back, may send an old iterator. */
const findStuckIterators = (it: Snapshot): readonly string[] => {
  const { usedByOthers, network } = it.world;
  const late = new Set(
    it.ledger.filter(({ request_id = '' }) => network.late.has(request_id)).map(({ user_id }) => user_id),
  );
  return it.ledger
    .filter(
      ({ reason, user_id = '' }) => reason === NOT_GROWN && !usedByOthers.has(user_id) && !late.has(user_id),
    )
    .map(({ user_id, path }) => `The iterator of ${nameOf(it, user_id)} did not grow (${path}).`);
};

/** Reasons that no event of a history may cause. */
const FORBIDDEN = [
  'key_conflict',
  'safe_lost',
  'handler_crashed',
  'stalled',
  'keystore_missing',
  'bad_keystore',
];

/** Does the row's state agree with the spend keys of Mixin and the vault? */
const compareRow = (it: Snapshot, row: StoredRow): string | undefined => {
  const account = it.accounts.get(row.bot_id);
  const stored = it.secrets.get(row.bot_id)?.spend ?? [];
  const bound = account?.spend_public_key ?? '';
  if (row.state === 'registered') {
    const same = stored.length === 1 && stored[0] === bound && row.public_key === bound;
    return account?.has_safe && same ? undefined : 'is registered, and row, vault and Mixin do not agree';
  }
  if (row.state !== 'external') return undefined;
  return account?.has_safe && !stored.includes(bound)
    ? undefined
    : 'is external, and its key is in the vault';
};

const checkRow = (it: Snapshot, row: StoredRow): string | undefined => {
  const { state, reason } = row;
  if (isUnfinished(row)) return `is not finished: ${state} (${reason?.code})`;
  const mustSay = ['blocked', 'failed', 'external', 'unsure'].includes(state);
  if (mustSay && !(reason?.code && reason.message && reason.fix)) return `is ${state} without a reason`;
  if (reason && FORBIDDEN.includes(reason.code)) return `is ${state} with ${reason.code}`;
  return compareRow(it, row);
};

const checkRows = (it: Snapshot): readonly string[] =>
  it.rows.flatMap((row) => {
    const wrong = checkRow(it, row);
    return wrong === undefined ? [] : [`The row of ${nameOf(it, row.bot_id)} ${wrong}.`];
  });

/** How an account without Safe must end, given what the vault holds for it. */
const expectEndsOutsideSafe = (
  account: AccountView,
  stored: StoredSecret,
  row: StoredRow,
): readonly string[] => {
  const tip = account.tip_public_key;
  const unsettled = stored.spend.length === 0 && stored.listed.length > 0;
  if (tip !== '') {
    if (stored.spend.includes(tip)) return ['registered'];
    if (unsettled && stored.listed.includes(tip)) return ['registered'];
    if (!stored.tip.includes(tip))
      return [stored.tip.length === 0 ? 'blocked tip_key_missing' : 'blocked tip_key_mismatch'];
  } else if (account.has_pin) {
    if (row.wrong_pin_at !== undefined) return ['blocked wrong_pin'];
    if (stored.pin === undefined) return ['blocked six_digit_pin'];
    if (stored.pin === OTHER_DIGITS) return ['blocked wrong_pin'];
    if (stored.pin !== SIX_DIGITS) return ['a PIN that nobody listed'];
  }
  return [unsettled ? 'blocked key_form_unknown' : 'registered'];
};

/** How a bot must end when there are no faults and an operator has retried it. */
const expectEnds = (
  account: AccountView,
  stored: StoredSecret | undefined,
  row: StoredRow,
): readonly string[] => {
  if (!stored) return ['blocked keystore_missing'];
  const isLive = account.session === 'live' && account.session_id === stored.session_id;
  const bound = account.spend_public_key;
  const inSafe = [...stored.spend, ...stored.listed].includes(bound) ? 'registered' : 'external';
  // A finished bot in Safe keeps its state, even if its session ends.
  const refused = ['blocked session_refused', ...(account.has_safe ? [inSafe] : [])];
  if (!isLive) return refused;
  return account.has_safe ? [inSafe] : expectEndsOutsideSafe(account, stored, row);
};

/** How an enrolment must end: a call without an answer is never sent again by itself. */
const expectEnrolmentEnds = (it: Snapshot, row: StoredRow): readonly string[] => {
  const { enrolment, account } = row;
  if (enrolment?.kind === 'sign_in')
    return account
      ? ['enrolled']
      : ['unsure sign_in_unknown', 'blocked sms_code_wrong', 'blocked sms_code_expired'];
  if (account) return ['enrolled'];
  const made = listCreatedUsers(it).includes(enrolment?.full_name ?? '');
  if (made) return ['unsure user_creation_unknown', 'blocked user_not_new'];
  const owner = it.accounts.get(enrolment?.owner ?? '');
  const stored = it.secrets.get(enrolment?.owner ?? '');
  if (!owner || !stored) return ['blocked owner_missing'];
  const isLive = owner.session === 'live' && owner.session_id === stored.session_id;
  return ['unsure user_creation_unknown', ...(isLive ? [] : ['blocked session_refused'])];
};

const describeEnd = ({ state, reason }: StoredRow): string =>
  state === 'blocked' || state === 'failed' || state === 'unsure' ? `${state} ${reason?.code}` : state;

const checkEnd = (it: Snapshot, row: StoredRow): string | undefined => {
  const account = it.accounts.get(row.bot_id);
  const expected = row.enrolment
    ? expectEnrolmentEnds(it, row)
    : account
      ? expectEnds(account, it.secrets.get(row.bot_id), row)
      : ['a row without an account'];
  const end = describeEnd(row);
  if (expected.includes(end)) return undefined;
  return `${nameOf(it, row.bot_id)} is ${end} in the end, and should be ${expected.join(' or ')}.`;
};

interface BatchView {
  readonly status: string;
  readonly states: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly not_in_batch: number;
  readonly percent_done: number;
}

const readBatch = async ({ services }: World, batch_id: string): Promise<BatchView> => {
  const request = { path: { batch_id }, query: {}, headers: {}, body: new Uint8Array() };
  return (await api.readBatch(services, request)).body as BatchView;
};

/** Compares the counts that the API shows for a list with its rows in the table. */
const checkBatch = async (it: Snapshot, batch_id: string, size: number): Promise<string | undefined> => {
  const result = await readBatch(it.world, batch_id);
  const states = count(it.rows.filter((row) => row.batch_id === batch_id).map(({ state }) => state));
  for (const [state, number] of Object.entries(result.states))
    if (number !== (states.get(state) ?? 0))
      return `counts ${number} rows that are ${state}, and has ${states.get(state) ?? 0}`;
  if (result.status === 'planned') return undefined;
  if (result.status !== 'imported') return `is ${result.status} in the end`;
  const here = [...states].reduce((sum, [state, number]) => sum + (state === 'enrolled' ? 0 : number), 0);
  if (result.accepted !== size || here + result.not_in_batch !== size)
    return `has ${size} rows, and shows ${result.accepted}: ${here} here and ${result.not_in_batch} elsewhere`;
  return result.percent_done === 100 ? undefined : `is ${result.percent_done} % done in the end`;
};

/** A bot's row must belong to a list that names it. Any other row is an enrolment, which may be in several lists. */
const findMisplacedRows = (it: Snapshot): readonly string[] => {
  const { actors, lists } = it.world;
  const batches = new Map(lists.map((list) => [list.batch_id, list]));
  const isWrong = ({ bot_id: user_id, batch_id }: StoredRow): boolean => {
    const list = batches.get(batch_id);
    const actor = actors.findIndex((one) => one.user_id === user_id);
    return actor < 0 ? !list : !list?.actors.includes(actor);
  };
  return it.rows
    .filter(isWrong)
    .map((row) => `${nameOf(it, row.bot_id)} is in a list that does not name it.`);
};

const checkBatches = async (it: Snapshot): Promise<readonly string[]> => {
  const failures: string[] = [];
  const { lists, seed } = it.world;
  for (const [number, { batch_id, actors }] of lists.entries()) {
    // Counting is slow, and there are many histories: one list of each is enough.
    if (number !== seed % lists.length) continue;
    const wrong =
      batch_id === undefined ? 'was never answered' : await checkBatch(it, batch_id, actors.length);
    if (wrong !== undefined) failures.push(`List ${number + 1} ${wrong}.`);
  }
  return failures;
};

/** A failed request does harm; the message of a crashed step returns by itself. */
const isRequest = (crash: string): boolean => Object.keys(api).some((route) => crash.startsWith(`${route}:`));

/** What must hold whenever everything is finished. */
const checkAlways = (it: Snapshot): readonly string[] => [
  ...findUnpricedUsers(it),
  ...findRegisteredTwice(it),
  ...findRepeatedWrongPins(it),
  ...findStuckIterators(it),
  ...checkRows(it),
  ...findMisplacedRows(it),
  ...it.world.crashes.map((crash) => `Unexpected: ${crash}.`),
];

/** The vault drops the enrolment's session key once there is an account, and keeps it while the row is unsure. */
const checkEnrolments = async (it: Snapshot): Promise<readonly string[]> => {
  const failures: string[] = [];
  for (const row of it.rows) {
    if (!row.enrolment) continue;
    const isStored = await hasEnrolmentSecret(it.world, row.bot_id);
    if (row.state === 'enrolled' && isStored)
      failures.push(`The secret of ${nameOf(it, row.bot_id)} is still there.`);
    if (row.state === 'unsure' && !isStored)
      failures.push(`The secret of ${nameOf(it, row.bot_id)} is gone.`);
  }
  return failures;
};

const checkAtEnd = async (it: Snapshot): Promise<readonly string[]> => [
  ...(await checkBatches(it)),
  ...it.rows.flatMap((row) => checkEnd(it, row) ?? []),
  ...(await checkEnrolments(it)),
];

/**
 * Bots that are external although Enlist registered them and Mixin only hides the key (docs/decisions/0010). To be
 * called before an audit may have seen the key.
 */
export const findWronglyExternal = async (world: World): Promise<readonly string[]> => {
  const it = await takeSnapshot(world);
  const registrations = it.ledger.filter(({ path }) => path === '/safe/users');
  return it.rows.flatMap(({ state, bot_id: user_id }) => {
    const ours = registrations.filter((entry) => entry.user_id === user_id);
    const isOurs =
      ours.at(-1)?.bound && it.secrets.get(user_id)?.spend.includes(ours.at(-1)?.bound?.public_key ?? '');
    return state === 'external' && isOurs
      ? [`${nameOf(it, user_id)} is external, and we registered it.`]
      : [];
  });
};

/** @param isEnd an operator has retried whatever can be retried */
export const checkHistory = async (world: World, isEnd: boolean): Promise<CheckResult> => {
  const it = await takeSnapshot(world);
  const [lost, double, paid] = [findLostKeys(it), findDoubleKeys(it), findPaidTwice(it)];
  return {
    harm: {
      keys_lost: lost.length,
      double_keys: double.length,
      double_paid_calls: paid.length,
      unexpected_5xx: world.crashes.filter(isRequest).length,
    },
    failures: [...lost, ...double, ...paid, ...checkAlways(it), ...(isEnd ? await checkAtEnd(it) : [])],
  };
};
