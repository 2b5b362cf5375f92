/** The names of fields: however a list spells them, each has one meaning. Pure. */
import { fail, type Result, succeed } from '../model/result.ts';
import { isPem, parseDer, parseKey } from './encodings.ts';
import { createContradiction, type FieldError, type Fields, readValue, toText } from './row-fields.ts';

/** The parts of a keystore, and all names of each; the first is the one that Enlist writes. */
export const keystoreFields = {
  app_id: ['app_id', 'client_id', 'user_id'],
  session_id: ['session_id'],
  session_key: ['session_private_key', 'private_key', 'session_seed'],
  server_key: ['server_public_key', 'pin_token_base64', 'pin_token'],
  spend_key: ['spend_private_key', 'spend_key', 'safe_key'],
  pin: ['tip_private_key', 'pin'],
} as const;

/** Names of a bot for people, the first one that a row has. */
export const labelFields = ['label', 'name', 'full_name'] as const;

const otherFields = [
  'verification_id',
  'code',
  'session_key',
  'device_id',
  'platform',
  'platform_version',
  'app_version',
  'package_name',
  'notification_token',
  'purpose',
  'registration_id',
  'owner',
  'authorization_id',
  'create',
  ...labelFields,
] as const;

/** Longer than any known name, in whatever spelling. */
const MAX_NAME_CHARACTERS = 60;

/** Client ID, clientId, CLIENT-ID → clientid */
const squeeze = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(/[ _.-]/g, '');

const namesBySpelling: ReadonlyMap<string, string> = new Map(
  [...Object.values(keystoreFields).flat(), ...otherFields].map((name) => [squeeze(name), name]),
);

/** The known name that is meant; undefined for any other name. */
export const findName = (name: string): string | undefined =>
  name.length > MAX_NAME_CHARACTERS ? undefined : namesBySpelling.get(squeeze(name));

/** Is a text a name that can be shown? A header that is not one may be a row, with keys in it. */
const isShowable = (name: string): boolean =>
  /^\p{L}[\p{L}\p{M}\p{N} _.-]{0,39}$/u.test(name) && (name.match(/\d/g)?.length ?? 0) <= 3;

const MAX_NAMES_SHOWN = 20;

/** Names that a sentence or an answer may show: without those that may be values. */
export const pickShowable = (names: Iterable<string>): string[] => {
  const shown = new Set<string>();
  for (const name of names) {
    if (shown.size >= MAX_NAMES_SHOWN) break;
    if (isShowable(name.trim())) shown.add(name.trim());
  }
  return [...shown];
};

/** The names of a row that Enlist does not know, to be shown. */
export const listUnknown = (fields: Fields): string[] =>
  pickShowable(Object.keys(fields).filter((name) => findName(name) === undefined));

/** Has the row a value under any known name? */
export const hasKnownField = (fields: Fields): boolean =>
  Object.keys(fields).some((name) => findName(name) !== undefined && readValue(fields, name) !== undefined);

/** `session_key` says the kind of a new session, or holds the key of one: the value shows which. */
const holdsKey = (value: unknown): boolean => {
  const text = toText(value);
  return isPem(text) || parseKey(text) !== undefined || parseDer(text) !== undefined;
};

/** Names for the key of a session under `session_key`: the first that the row does not have itself. */
const sessionKeyNames = ['session_private_key', 'private_key', 'session_seed'] as const;

const isSame = (one: unknown, other: unknown): boolean =>
  one === other || (typeof one === 'string' && typeof other === 'string' && one.trim() === other.trim());

/** More unknown fields are dropped: they are only there to be named. */
const MAX_UNKNOWN = 50;

/** The fields under their known names. Some of those that Enlist does not know stay, so that an error can name them. */
export const nameFields = (fields: Fields): Result<Fields, FieldError> => {
  const named = new Map<string, unknown>();
  const spellings = new Map<string, string>();
  let unknown = 0;
  for (const spelling of Object.keys(fields)) {
    const value = readValue(fields, spelling);
    if (value === undefined) continue;
    const name = findName(spelling);
    if (name === undefined) {
      unknown += 1;
      if (unknown <= MAX_UNKNOWN) named.set(spelling, value);
      continue;
    }
    const first = spellings.get(name);
    if (first !== undefined && !isSame(named.get(name), value)) {
      return fail(createContradiction(first, spelling, 'have different values', 'Remove the wrong one.'));
    }
    spellings.set(name, spelling);
    named.set(name, value);
  }
  const session_key = named.get('session_key');
  if (holdsKey(session_key)) {
    named.delete('session_key');
    named.set(sessionKeyNames.find((name) => !named.has(name)) ?? 'session_seed', session_key);
  }
  return succeed(Object.fromEntries(named));
};
