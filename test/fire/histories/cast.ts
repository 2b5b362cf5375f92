/** The accounts of a history, and the rows an operator has of them. */
import { generateKeyPairSync } from 'node:crypto';
import type {
  CreatedLegacyUser,
  CreatedUser,
  MixinStandIn,
  NewUser,
} from '../../../emulators/mixin/server.ts';
import { sendOpenly } from '../../emulators/mixin/client.ts';
import type { Dice } from './dice.ts';
import type { Manner, Role } from './story.ts';

export type Row = Readonly<Record<string, unknown>>;
type Keystore = CreatedUser['keystore'];
type AnyKeystore = (CreatedUser | CreatedLegacyUser)['keystore'];

/** Order of Ed25519's base point: a seed below it could as well be a scalar. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

export const SIX_DIGITS = '314159';
export const OTHER_DIGITS = '000000';

/** One for all: making them is slow. */
export const rsaPem: string = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();

export interface Member {
  readonly role: Role;
  /** Of its account; absent for those who have none yet. */
  readonly user_id?: string;
  /** The keystore of its newest session. */
  keystore?: AnyKeystore;
  /** The private half of its TIP PIN, where anybody here has it. */
  readonly tip?: string;
  /** What its row says in a list; `list` tells rows of different lists apart. */
  row(manner: Manner, list: number): Row;
}

const isBelowOrder = (hex: string): boolean =>
  BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`) < L;

const twoWaySeed = (dice: Dice): string => {
  for (;;) {
    const hex = dice.hex(32);
    if (isBelowOrder(hex)) return hex;
  }
};

/** How the account of a role begins, and what each manner of writing its row adds to the keystore. */
interface Making {
  readonly user?: Omit<NewUser, 'session_key'>;
  readonly rsa?: true;
  readonly tip?: string;
  readonly says: Row;
  readonly saysOtherwise?: Row;
}

const makings: Readonly<Partial<Record<Role, (dice: Dice) => Making>>> = {
  'a bot without a PIN': () => ({ says: {} }),
  'a bot whose row brings a spend key': (dice) => ({ says: { spend_private_key: dice.hex(32) } }),
  'a bot with a TIP PIN': (dice) => {
    const tip = dice.hex(32);
    return { user: { tip: { private_key: tip } }, tip, says: { tip_private_key: tip } };
  },
  'a bot with a TIP PIN that its row does not bring': (dice) => {
    const tip = dice.hex(32);
    return {
      user: { tip: { private_key: tip } },
      tip,
      says: {},
      saysOtherwise: { tip_private_key: tip },
    };
  },
  'a bot with six digits': () => ({
    user: { six_digit_pin: SIX_DIGITS },
    says: { pin: SIX_DIGITS },
    saysOtherwise: { pin: OTHER_DIGITS },
  }),
  'a bot with six digits whose row brings others': () => ({
    user: { six_digit_pin: SIX_DIGITS },
    says: { pin: OTHER_DIGITS },
    saysOtherwise: { pin: SIX_DIGITS },
  }),
  'a bot with six digits that its row does not bring': () => ({
    user: { six_digit_pin: SIX_DIGITS },
    says: {},
    saysOtherwise: { pin: SIX_DIGITS },
  }),
  'a bot in Safe, its key in the row': (dice) => {
    const key = { private_key: dice.hex(32) };
    return {
      user: { tip: key, safe: key },
      tip: key.private_key,
      says: { spend_private_key: key.private_key },
    };
  },
  'a bot in Safe with a key of somebody else': (dice) => {
    const key = { private_key: dice.hex(32) };
    return { user: { tip: key, safe: key }, says: {}, saysOtherwise: { spend_private_key: key.private_key } };
  },
  'a bot with an RSA session': () => ({ rsa: true, says: {} }),
  'a bot with an RSA session and six digits': () => ({
    rsa: true,
    user: { six_digit_pin: SIX_DIGITS },
    says: { pin: SIX_DIGITS },
    saysOtherwise: { pin: OTHER_DIGITS },
  }),
  'a bot whose session was revoked': () => ({ user: { session: 'revoked' }, says: {} }),
  'a bot whose spend key can be read in two ways': (dice) => ({ says: { spend_key: twoWaySeed(dice) } }),
  'a bot with a TIP PIN that is the spend key of its row': (dice) => {
    const key = twoWaySeed(dice);
    return { user: { tip: { private_key: key } }, tip: key, says: { spend_key: key } };
  },
};

const fixedSession = (dice: Dice, isRsa: boolean) => ({
  session_id: dice.uuid(),
  session_private_key: isRsa ? rsaPem : dice.hex(32),
  server_private_key: dice.hex(32),
});

/** A new session of an account; the one before is revoked, as in the dashboard. */
export const renewSession = async (standIn: MixinStandIn, member: Member, dice: Dice): Promise<void> => {
  const { user_id, keystore } = member;
  if (user_id === undefined || keystore === undefined) return;
  const isRsa = 'client_id' in keystore;
  const fixed = { user_id, ...fixedSession(dice, isRsa) };
  const made = isRsa
    ? await standIn.createUser({ ...fixed, session_key: 'rsa' })
    : await standIn.createUser(fixed);
  member.keystore = made.keystore;
};

const makeBot = async (standIn: MixinStandIn, role: Role, making: Making, dice: Dice): Promise<Member> => {
  const user_id = dice.uuid();
  const options = { ...making.user, user_id, ...fixedSession(dice, making.rsa === true) };
  const { keystore } = making.rsa
    ? await standIn.createUser({ ...options, session_key: 'rsa' })
    : await standIn.createUser(options);
  const spare = dice.hex(32);
  const says: Readonly<Record<Manner, Row>> = {
    'as it is': making.says,
    'without PIN and keys': {},
    'with other keys': making.saysOtherwise ?? { tip_private_key: dice.hex(32) },
    'with a spend key': { ...making.says, spend_private_key: spare },
  };
  const member: Member = {
    role,
    user_id,
    keystore,
    ...(making.tip !== undefined && { tip: making.tip }),
    row: (manner) => {
      const { spend_key: _, ...others } = says[manner];
      const words = manner === 'with a spend key' ? others : says[manner];
      return { ...member.keystore, ...words };
    },
  };
  return member;
};

const makeSignIn = async (standIn: MixinStandIn, role: Role, dice: Dice): Promise<Member> => {
  const phone = `+861${dice.digits(10)}`;
  standIn.preparePhone({ phone });
  await sendOpenly(standIn, '/verifications', { phone, purpose: 'SESSION', platform: 'Android' });
  const asked = standIn.verifications().find((it) => it.phone === phone);
  if (!asked) throw new Error('no code was sent');
  const wrong = asked.code === '1111' ? '2222' : '1111';
  const row = {
    verification_id: asked.id,
    code: role === 'a sign-in with a wrong code' ? wrong : asked.code,
    session_key: role === 'a sign-in with an RSA session' ? 'rsa' : 'ed25519',
  };
  return { role, row: () => row };
};

const makeUser = (role: Role, owner: string, dice: Dice): Member => {
  const name = `Wallet ${dice.digits(4)}`;
  return { role, row: (_, list) => ({ owner, full_name: `${name} of list ${list + 1}` }) };
};

const keystoreId = (keystore: AnyKeystore): string =>
  'client_id' in keystore ? keystore.client_id : keystore.app_id;

/** Makes the accounts. A network user's owner is the first bot, or nobody where there is none. */
export const makeCast = async (
  standIn: MixinStandIn,
  cast: readonly Role[],
  dice: Dice,
): Promise<readonly Member[]> => {
  const members: Member[] = [];
  for (const role of cast) {
    const making = makings[role]?.(dice);
    if (making) members.push(await makeBot(standIn, role, making, dice));
    else if (role.startsWith('a sign-in')) members.push(await makeSignIn(standIn, role, dice));
    else {
      const first = members.find(({ keystore }) => keystore !== undefined)?.keystore;
      const known = role === 'a network user of bot 1' && first !== undefined;
      members.push(makeUser(role, known ? keystoreId(first) : dice.uuid(), dice));
    }
  }
  return members;
};

/** The keystore of somebody else's program, where it can hold one. */
export const sharedKeystore = ({ keystore }: Member): Keystore | undefined =>
  keystore !== undefined && 'app_id' in keystore ? keystore : undefined;
