/** The accounts of a history, and their rows in an operator's lists. */
import { generateKeyPairSync } from 'node:crypto';
import type {
  CreatedLegacyUser,
  CreatedUser,
  MixinStandIn,
  NewUser,
} from '../../../emulators/mixin/server.ts';
import { sendOpenly } from '../../emulators/mixin/client.ts';
import type { RandomSource } from './random.ts';
import type { Role, RowForm } from './scenario.ts';

export type Row = Readonly<Record<string, unknown>>;
type Keystore = CreatedUser['keystore'];
type AnyKeystore = (CreatedUser | CreatedLegacyUser)['keystore'];

/** Order of Ed25519's base point: a seed below it could also be a scalar. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

export const SIX_DIGITS = '314159';
export const OTHER_DIGITS = '000000';

/** One for all actors: to generate RSA keys is slow. */
export const rsaPem: string = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();

export interface Actor {
  readonly role: Role;
  /** Absent while there is no account. */
  readonly user_id?: string;
  /** The keystore of its newest session. */
  keystore?: AnyKeystore;
  /** The private half of its TIP PIN, where the test knows it. */
  readonly tip?: string;
  /** Returns its row for a list; `list` is part of names, so that rows of different lists differ. */
  row(form: RowForm, list: number): Row;
}

const isBelowOrder = (hex: string): boolean =>
  BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`) < L;

const twoWaySeed = (random: RandomSource): string => {
  for (;;) {
    const hex = random.hex(32);
    if (isBelowOrder(hex)) return hex;
  }
};

/** How the account of a role starts, and what each form of its row adds to the keystore. */
interface AccountSetup {
  readonly user?: Omit<NewUser, 'session_key'>;
  readonly rsa?: true;
  readonly tip?: string;
  readonly fields: Row;
  readonly otherFields?: Row;
}

const accountSetups: Readonly<Partial<Record<Role, (random: RandomSource) => AccountSetup>>> = {
  'a bot without a PIN': () => ({ fields: {} }),
  'a bot whose row brings a spend key': (random) => ({ fields: { spend_private_key: random.hex(32) } }),
  'a bot with a TIP PIN': (random) => {
    const tip = random.hex(32);
    return { user: { tip: { private_key: tip } }, tip, fields: { tip_private_key: tip } };
  },
  'a bot with a TIP PIN that its row does not bring': (random) => {
    const tip = random.hex(32);
    return {
      user: { tip: { private_key: tip } },
      tip,
      fields: {},
      otherFields: { tip_private_key: tip },
    };
  },
  'a bot with six digits': () => ({
    user: { six_digit_pin: SIX_DIGITS },
    fields: { pin: SIX_DIGITS },
    otherFields: { pin: OTHER_DIGITS },
  }),
  'a bot with six digits whose row brings others': () => ({
    user: { six_digit_pin: SIX_DIGITS },
    fields: { pin: OTHER_DIGITS },
    otherFields: { pin: SIX_DIGITS },
  }),
  'a bot with six digits that its row does not bring': () => ({
    user: { six_digit_pin: SIX_DIGITS },
    fields: {},
    otherFields: { pin: SIX_DIGITS },
  }),
  'a bot in Safe, its key in the row': (random) => {
    const key = { private_key: random.hex(32) };
    return {
      user: { tip: key, safe: key },
      tip: key.private_key,
      fields: { spend_private_key: key.private_key },
    };
  },
  'a bot in Safe with a key of another program': (random) => {
    const key = { private_key: random.hex(32) };
    return { user: { tip: key, safe: key }, fields: {}, otherFields: { spend_private_key: key.private_key } };
  },
  'a bot with an RSA session': () => ({ rsa: true, fields: {} }),
  'a bot with an RSA session and six digits': () => ({
    rsa: true,
    user: { six_digit_pin: SIX_DIGITS },
    fields: { pin: SIX_DIGITS },
    otherFields: { pin: OTHER_DIGITS },
  }),
  'a bot whose session was revoked': () => ({ user: { session: 'revoked' }, fields: {} }),
  'a bot whose spend key can be read in two ways': (random) => ({
    fields: { spend_key: twoWaySeed(random) },
  }),
  'a bot with a TIP PIN that is the spend key of its row': (random) => {
    const key = twoWaySeed(random);
    return { user: { tip: { private_key: key } }, tip: key, fields: { spend_key: key } };
  },
};

const fixedSession = (random: RandomSource, isRsa: boolean) => ({
  session_id: random.uuid(),
  session_private_key: isRsa ? rsaPem : random.hex(32),
  server_private_key: random.hex(32),
});

/** Creates a new session of an account and revokes the one before, as the dashboard does. */
export const renewSession = async (
  standIn: MixinStandIn,
  actor: Actor,
  random: RandomSource,
): Promise<void> => {
  const { user_id, keystore } = actor;
  if (user_id === undefined || keystore === undefined) return;
  const isRsa = 'client_id' in keystore;
  const fixed = { user_id, ...fixedSession(random, isRsa) };
  const made = isRsa
    ? await standIn.createUser({ ...fixed, session_key: 'rsa' })
    : await standIn.createUser(fixed);
  actor.keystore = made.keystore;
};

const createBotActor = async (
  standIn: MixinStandIn,
  role: Role,
  setup: AccountSetup,
  random: RandomSource,
): Promise<Actor> => {
  const user_id = random.uuid();
  const options = { ...setup.user, user_id, ...fixedSession(random, setup.rsa === true) };
  const { keystore } = setup.rsa
    ? await standIn.createUser({ ...options, session_key: 'rsa' })
    : await standIn.createUser(options);
  const spare = random.hex(32);
  const fields: Readonly<Record<RowForm, Row>> = {
    'as it is': setup.fields,
    'without PIN and keys': {},
    'with other keys': setup.otherFields ?? { tip_private_key: random.hex(32) },
    'with a spend key': { ...setup.fields, spend_private_key: spare },
  };
  const actor: Actor = {
    role,
    user_id,
    keystore,
    ...(setup.tip !== undefined && { tip: setup.tip }),
    row: (form) => {
      const { spend_key: _, ...others } = fields[form];
      const words = form === 'with a spend key' ? others : fields[form];
      return { ...actor.keystore, ...words };
    },
  };
  return actor;
};

const createSignInActor = async (standIn: MixinStandIn, role: Role, random: RandomSource): Promise<Actor> => {
  const phone = `+861${random.digits(10)}`;
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

const createNetworkUserActor = (role: Role, owner: string, random: RandomSource): Actor => {
  const name = `Wallet ${random.digits(4)}`;
  return { role, row: (_, list) => ({ owner, full_name: `${name} of list ${list + 1}` }) };
};

const keystoreId = (keystore: AnyKeystore): string =>
  'client_id' in keystore ? keystore.client_id : keystore.app_id;

/** Creates the accounts. The first bot owns the network users; without one their owner is unknown. */
export const createActors = async (
  standIn: MixinStandIn,
  roles: readonly Role[],
  random: RandomSource,
): Promise<readonly Actor[]> => {
  const actors: Actor[] = [];
  for (const role of roles) {
    const setup = accountSetups[role]?.(random);
    if (setup) actors.push(await createBotActor(standIn, role, setup, random));
    else if (role.startsWith('a sign-in')) actors.push(await createSignInActor(standIn, role, random));
    else {
      const first = actors.find(({ keystore }) => keystore !== undefined)?.keystore;
      const known = role === 'a network user of bot 1' && first !== undefined;
      actors.push(createNetworkUserActor(role, known ? keystoreId(first) : random.uuid(), random));
    }
  }
  return actors;
};

/** The keystore as another program would use it; undefined if there is none. */
export const sharedKeystore = ({ keystore }: Actor): Keystore | undefined =>
  keystore !== undefined && 'app_id' in keystore ? keystore : undefined;
