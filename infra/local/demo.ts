/**
 * Test bots for trying Enlist: accounts with every outcome in a stand-in Mixin, and an operator's list of them. All
 * keys are created at run time.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { convertToX25519, derivePublicKey } from '../../emulators/mixin/ed25519.ts';
import type { Fault, MixinStandIn, NewUser } from '../../emulators/mixin/server.ts';

/** How a row of the list must end. */
export type Outcome = 'registered' | 'external' | 'blocked' | 'waiting' | 'invalid' | 'duplicate';

type Row = Record<string, unknown>;

/** One kind of bot: its account, what its row has beyond the keystore, its faults. */
interface Kind {
  readonly outcome: Outcome;
  /** How many of 300. */
  readonly share: number;
  readonly account?: () => NewUser;
  readonly row?: (keystore: Row, account: NewUser) => Row;
  readonly faults?: (user_id: string) => readonly Fault[];
}

const createSeed = (): string => randomBytes(32).toString('hex');

const readSeed = (key: NewUser['tip']) => (typeof key === 'object' ? key.private_key : undefined);
const createTipUser = (): NewUser => ({ tip: { private_key: createSeed() } });
const addTipKey = (keystore: Row, account: NewUser): Row => ({
  ...keystore,
  tip_private_key: readSeed(account.tip),
});

/** The form of programs before 2023-12: base64 keys, and Mixin's key as its image on Curve25519. */
const toLegacyRow = (keystore: Row): Row => {
  const seed = Buffer.from(String(keystore.session_private_key), 'hex');
  const pair = Buffer.concat([seed, Buffer.from(derivePublicKey(seed), 'hex')]);
  return {
    client_id: keystore.app_id,
    session_id: keystore.session_id,
    pin_token: convertToX25519(String(keystore.server_public_key)).toString('base64url'),
    private_key: pair.toString('base64url'),
  };
};

const breakRow = (keystore: Row): Row => {
  const broken: Row[] = [
    { ...keystore, app_id: 'not-a-uuid' },
    { ...keystore, session_private_key: undefined },
    { ...keystore, server_public_key: 'zz', session_id: 17 },
    { ...keystore, authorization_id: '00000000-0000-4000-8000-000000000000' },
  ];
  return broken[randomInt(broken.length)] ?? {};
};

const kinds: readonly Kind[] = [
  { outcome: 'registered', share: 40, account: createTipUser, row: addTipKey },
  { outcome: 'registered', share: 20, row: toLegacyRow },
  {
    outcome: 'registered',
    share: 8,
    account: () => ({ six_digit_pin: String(randomInt(100_000, 999_999)) }),
    row: (keystore, account) => ({ ...keystore, pin: account.six_digit_pin }),
  },
  { outcome: 'external', share: 25, account: () => ({ tip: 'foreign', safe: 'foreign' }) },
  {
    outcome: 'registered',
    share: 5,
    account: () => {
      const key = { private_key: createSeed() };
      return { tip: key, safe: key };
    },
    row: (keystore, account) => ({ ...keystore, spend_private_key: readSeed(account.safe) }),
  },
  { outcome: 'blocked', share: 12, account: () => ({ session: 'revoked' }) },
  {
    outcome: 'blocked',
    share: 10,
    account: () => ({ tip: 'foreign' }),
    row: (keystore) => ({ ...keystore, tip_private_key: createSeed() }),
  },
  { outcome: 'blocked', share: 10, account: createTipUser },
  { outcome: 'blocked', share: 5, account: () => ({ six_digit_pin: String(randomInt(100_000, 999_999)) }) },
  { outcome: 'waiting', share: 3, account: () => ({ ...createTipUser(), pin_locked: true }), row: addTipKey },
  { outcome: 'invalid', share: 12, row: breakRow },
  {
    outcome: 'registered',
    share: 8,
    faults: (user_id) => [{ name: 'rate_limited', path: '/safe/me', user_id, times: 2 }],
  },
  {
    outcome: 'registered',
    share: 5,
    faults: (user_id) => [{ name: 'slow', delayMs: 1_500, user_id, times: 2 }],
  },
  {
    outcome: 'registered',
    share: 5,
    faults: (user_id) => [{ name: 'answer_lost', method: 'POST', path: '/pin/update', user_id, times: 1 }],
  },
  {
    outcome: 'registered',
    share: 5,
    faults: (user_id) => [{ name: 'answer_lost', method: 'POST', path: '/safe/users', user_id, times: 1 }],
  },
  {
    outcome: 'registered',
    share: 2,
    faults: (user_id) => [{ name: 'lagging_reads', delayMs: 3_000, method: 'POST', user_id, times: 1 }],
  },
  {
    outcome: 'registered',
    share: 3,
    faults: (user_id) => [{ name: 'server_error', path: '/safe/me', user_id, times: 1 }],
  },
];
const fresh: Kind = { outcome: 'registered', share: 114 };
const DUPLICATES_SHARE = 8;

/** The smallest list that has every outcome. */
export const minDemoBots = 22;

const countFor = (share: number, size: number) => Math.max(1, Math.round((share * size) / 300));

/** Every kind as often as its share says; new bots fill the rest. */
const plan = (size: number): Kind[] => {
  const special = kinds.flatMap((kind) => Array.from({ length: countFor(kind.share, size) }, () => kind));
  const rest = size - special.length - countFor(DUPLICATES_SHARE, size);
  if (rest < 1) throw new RangeError(`A list with every outcome has at least ${minDemoBots} bots.`);
  return [...special, ...Array.from({ length: rest }, () => fresh)];
};

const shuffle = <T>(items: T[]): T[] => {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = randomInt(i + 1);
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
};

export interface DemoList {
  /** The operator's list: a JSON array, one row a line. */
  readonly list: string;
  /** How each row of the list must end, in the order of the list. */
  readonly outcomes: readonly { readonly app_id: string; readonly outcome: Outcome }[];
}

interface Entry {
  readonly row: Row;
  readonly app_id: string;
  readonly outcome: Outcome;
}

/** Creates the accounts and sets the faults in the stand-in, and returns the list of the bots. */
export const createDemoList = async (standIn: MixinStandIn, size: number): Promise<DemoList> => {
  const entries: Entry[] = [];
  const faults: Fault[] = [];
  for (const kind of plan(size)) {
    const account = kind.account?.() ?? {};
    const { keystore } = await standIn.createUser(account);
    faults.push(...(kind.faults?.(keystore.app_id) ?? []));
    entries.push({
      row: kind.row?.({ ...keystore }, account) ?? { ...keystore },
      app_id: keystore.app_id,
      outcome: kind.outcome,
    });
  }
  standIn.setFaults(faults);
  shuffle(entries);
  const whole = entries.filter((entry) => entry.outcome !== 'invalid');
  for (let i = 0; i < countFor(DUPLICATES_SHARE, size); i += 1) {
    const again = whole[randomInt(whole.length)];
    if (again) entries.push({ ...again, outcome: 'duplicate' });
  }
  return {
    list: `[\n${entries.map(({ row }) => JSON.stringify(row)).join(',\n')}\n]\n`,
    outcomes: entries.map(({ app_id, outcome }) => ({ app_id, outcome })),
  };
};
