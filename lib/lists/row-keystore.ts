/**
 * A row's fields → a keystore in its one normal form, whichever tool wrote it: the dashboard, the SDKs for Go, Node,
 * Dart, Ruby and PHP, fox-one's. Fields of different formats may stand side by side, as long as they agree.
 */
import { type Keystore, withoutSign } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import { bytesOfBase64, hexOfKey, isHex32, isPem, pemOf } from './encodings.ts';
import {
  contradiction,
  digitsOf,
  type FieldError,
  type Fields,
  given,
  invalid,
  missing,
  type Read,
  readUuid,
  textOf,
  type Wrong,
} from './row-fields.ts';

/** What a keystore is made of, and all names it goes by; the first is the one Enlist writes. */
export const keystoreFields = {
  app_id: ['app_id', 'client_id', 'user_id'],
  session_id: ['session_id'],
  session_key: ['session_private_key', 'private_key'],
  server_key: ['server_public_key', 'pin_token_base64', 'pin_token'],
  spend_key: ['spend_private_key', 'spend_key', 'safe_key'],
  pin: ['tip_private_key', 'pin'],
} as const;

type Part = keyof typeof keystoreFields;

/** What one of the fields of a part says. */
interface Reading<T> {
  readonly field: string;
  readonly value: T;
}

/** A part as all its fields together say, or nothing where they say nothing. */
interface Found<T> {
  readonly reading?: Reading<T>;
  readonly errors: readonly FieldError[];
}

type Agree<T> = (readings: readonly Reading<T>[]) => T | FieldError | Promise<T | FieldError>;

const isError = (value: unknown): value is FieldError =>
  typeof value === 'object' && value !== null && 'code' in value;

/** Reads every field of a part that is given, and lets them agree. */
const readPart = async <T>(
  fields: Fields,
  part: Part,
  read: (value: unknown, field: string) => Read<T> | Promise<Read<T>>,
  agree: Agree<T>,
): Promise<Found<T>> => {
  const readings: Reading<T>[] = [];
  const errors: FieldError[] = [];
  for (const field of keystoreFields[part]) {
    const value = given(fields, field);
    if (value === undefined) continue;
    const one = await read(value, field);
    if ('value' in one) readings.push({ field, value: one.value });
    else errors.push(invalid(field, one));
  }
  const [first] = readings;
  if (first === undefined || errors.length > 0) return { errors };
  const value = readings.length === 1 ? first.value : await agree(readings);
  return isError(value) ? { errors: [value] } : { reading: { field: first.field, value }, errors };
};

/** All fields must say the same. */
const theSame =
  <T>(says: string, imageOf: (value: T) => string): Agree<T> =>
  (readings) => {
    const [first, ...others] = readings as [Reading<T>, ...Reading<T>[]];
    const other = others.find(({ value }) => imageOf(value) !== imageOf(first.value));
    return other ? contradiction(first.field, other.field, says, 'Leave out the wrong one.') : first.value;
  };

type SessionKey =
  | { readonly kind: 'ed25519'; readonly seed: string }
  | { readonly kind: 'rsa'; readonly pem: string; readonly public_key: string };

/** A seed, and whether its public half stood beside it: then it is a seed beyond doubt. */
interface Seed {
  readonly hex: string;
  readonly isWhole: boolean;
}

const readSeed = async (value: unknown, keys: Keys): Promise<Read<Seed>> => {
  const hex = hexOfKey(textOf(value));
  if (hex === undefined) {
    return {
      message: 'It is not an Ed25519 private key.',
      fix: 'Give its 32 bytes, or its 64 bytes with the public key, in hex or base64.',
    };
  }
  const seed = hex.slice(0, 64);
  if (hex.length === 64) return { value: { hex, isWhole: false } };
  if ((await keys.derivePublicKey(seed)) === hex.slice(64)) return { value: { hex: seed, isWhole: true } };
  return {
    message: 'Its second half is not the public key of its first half.',
    fix: 'Give the 32-byte seed alone, as 64 hex characters.',
  };
};

/** Larger ones would only keep the machine busy. */
const MAX_RSA_BITS = 4_096;

const notRsa: Wrong = {
  message: `It is not an RSA private key of 1,024 to ${MAX_RSA_BITS.toLocaleString('en-US')} bits in PEM, or it is encrypted.`,
  fix: 'Give the whole key, from -----BEGIN to -----END, without a password; line ends may be written as \\n.',
};

const readSessionKey = async (value: unknown, keys: Keys): Promise<Read<SessionKey>> => {
  const text = textOf(value);
  if (!isPem(text)) {
    const seed = await readSeed(value, keys);
    return 'value' in seed ? { value: { kind: 'ed25519', seed: seed.value.hex } } : seed;
  }
  const pem = pemOf(text);
  const key = pem === undefined ? undefined : keys.readRsaKey(pem);
  if (!key || key.bits > MAX_RSA_BITS) return notRsa;
  return { value: { kind: 'rsa', pem: key.pem, public_key: key.public_key } };
};

/** Mixin's half of the secret that PINs are encrypted with. */
type ServerKey =
  /** An Ed25519 point, or only its image on Curve25519, written as the point with sign bit 0. */
  | { readonly kind: 'point' | 'image'; readonly hex: string }
  /** Encrypted to an RSA session, standard base64. */
  | { readonly kind: 'blob'; readonly base64: string };

const notAPoint: Wrong = {
  message: 'It is not an Ed25519 public key that PIN encryption can use.',
  fix: 'Copy the 64 hex characters the dashboard shows.',
};

const notAToken: Wrong = {
  message: 'It is not what Mixin gives for the encryption of PINs.',
  fix: 'Copy it again, whole: 64 hex characters, or base64.',
};

const readServerKey = (value: unknown, field: string, keys: Keys): Read<ServerKey> => {
  const text = textOf(value);
  if (isHex32(text)) {
    const hex = text.toLowerCase();
    return keys.isPublicKey(hex) ? { value: { kind: 'point', hex } } : notAPoint;
  }
  // Under this name base64 could be the point or its image, and nobody writes it so.
  if (field === 'server_public_key') return notAPoint;
  const bytes = bytesOfBase64(text);
  if (!bytes || bytes.length < 32 || bytes.length > MAX_RSA_BITS / 8) return notAToken;
  if (bytes.length > 32) return { value: { kind: 'blob', base64: bytes.toString('base64') } };
  const hex = keys.ed25519FromX25519(bytes.toString('hex'));
  return hex === undefined ? notAToken : { value: { kind: 'image', hex } };
};

const imageOf = (key: ServerKey): string => (key.kind === 'blob' ? key.base64 : withoutSign(key.hex));

/** All must have one image; a whole point says more than an image. */
const agreeOnServerKey: Agree<ServerKey> = async (readings) => {
  const value = await theSame('are not of the same session', imageOf)(readings);
  if (isError(value)) return value;
  return readings.find((reading) => reading.value.kind === 'point')?.value ?? value;
};

/** 32 bytes of a private key: a seed or a reduced scalar, or either as far as anybody can tell. */
interface Form {
  readonly hex: string;
  readonly as: 'seed' | 'scalar' | 'either';
}

const SCALAR = 'scalar:';

/** Only the oldest name leaves no doubt; under the others fox-one's tools keep scalars. */
const readForm = async (value: unknown, meansSeed: boolean, keys: Keys): Promise<Read<Form>> => {
  const seed = await readSeed(value, keys);
  if (!('value' in seed)) return seed;
  const { hex, isWhole } = seed.value;
  return { value: { hex, as: meansSeed || isWhole || !keys.isScalar(hex) ? 'seed' : 'either' } };
};

const readSpendKey = async (value: unknown, field: string, keys: Keys): Promise<Read<Form>> => {
  const text = textOf(value);
  if (!text.startsWith(SCALAR)) return readForm(value, field === 'spend_private_key', keys);
  const hex = text.slice(SCALAR.length).toLowerCase();
  if (isHex32(hex) && keys.isScalar(hex)) return { value: { hex, as: 'scalar' } };
  return {
    message: 'It is not a reduced scalar.',
    fix: 'Give scalar: and the 64 hex characters of the key.',
  };
};

/** The public keys a form may stand for. */
const publicKeysOf = async ({ hex, as }: Form, keys: Keys): Promise<readonly string[]> => [
  ...(as === 'scalar' ? [] : [await keys.derivePublicKey(hex)]),
  ...(as === 'seed' ? [] : [await keys.derivePublicKey(`${SCALAR}${hex}`)]),
];

/** Forms agree when they can stand for one public key; that may settle what was open of each alone. */
const agreeOnForm =
  (keys: Keys): Agree<Form> =>
  async (readings) => {
    const [first, ...others] = readings as [Reading<Form>, ...Reading<Form>[]];
    let common = await publicKeysOf(first.value, keys);
    for (const { field, value } of others) {
      const next = await publicKeysOf(value, keys);
      common = common.filter((key) => next.includes(key));
      if (common.length > 0) continue;
      return contradiction(first.field, field, 'are different keys', 'Leave out the wrong one.');
    }
    if (common.length > 1) return first.value;
    for (const { value } of readings) {
      const isSeed = value.as !== 'scalar' && common.includes(await keys.derivePublicKey(value.hex));
      if (isSeed) return { hex: value.hex, as: 'seed' };
    }
    return { hex: first.value.hex, as: 'scalar' };
  };

/** Six digits, or the key of a TIP PIN. */
type Pin = { readonly digits: string } | { readonly form: Form };

const SIX_DIGITS = /^\d{6}$/;
/** Six digits as hex of ASCII: what Mixin's SDKs for Go and Node must be given since they lost the other way. */
const SIX_DIGITS_IN_HEX = /^(3\d){6}$/;

const readPin = async (value: unknown, field: string, keys: Keys): Promise<Read<Pin>> => {
  const text = field === 'pin' ? digitsOf(value) : '';
  if (SIX_DIGITS.test(text)) return { value: { digits: text } };
  if (SIX_DIGITS_IN_HEX.test(text)) return { value: { digits: Buffer.from(text, 'hex').toString() } };
  const form = await readForm(value, false, keys);
  if ('value' in form) return { value: { form: form.value } };
  if (field !== 'pin' || textOf(value).length > 31) return form;
  return {
    message: 'It is neither a six-digit PIN nor the key of a TIP PIN.',
    fix: 'Give all six digits, as text: a spreadsheet cuts leading zeros off. Or give the key in hex.',
  };
};

const agreeOnPin =
  (keys: Keys): Agree<Pin> =>
  async (readings) => {
    const digits = readings.find(({ value }) => 'digits' in value);
    const other = readings.find((reading) => reading !== digits);
    if (digits && other) {
      const fix = 'Give the key if the account has a TIP PIN, and the digits if it has none yet.';
      return contradiction(other.field, digits.field, 'are a TIP PIN and a six-digit PIN', fix);
    }
    const forms = readings.flatMap(({ field, value }) =>
      'form' in value ? [{ field, value: value.form }] : [],
    );
    const form = await agreeOnForm(keys)(forms);
    return isError(form) ? form : { form };
  };

const oauth: FieldError = {
  field: 'authorization_id',
  code: 'oauth_keystore',
  message: 'This is an OAuth keystore: it cannot sign PINs.',
  fix: "Use the bot's own keystore from the dashboard.",
};

const readParts = async (fields: Fields, keys: Keys) => ({
  user: await readPart(fields, 'app_id', readUuid, theSame('name different accounts', String)),
  session_id: await readPart(fields, 'session_id', readUuid, theSame('differ', String)),
  session: await readPart(
    fields,
    'session_key',
    (value) => readSessionKey(value, keys),
    theSame('are different keys', (key: SessionKey) => (key.kind === 'rsa' ? key.public_key : key.seed)),
  ),
  server: await readPart(
    fields,
    'server_key',
    (value, field) => readServerKey(value, field, keys),
    agreeOnServerKey,
  ),
  spend: await readPart(
    fields,
    'spend_key',
    (value, field) => readSpendKey(value, field, keys),
    agreeOnForm(keys),
  ),
  pin: await readPart(fields, 'pin', (value, field) => readPin(value, field, keys), agreeOnPin(keys)),
});

type Parts = Awaited<ReturnType<typeof readParts>>;

const fixes = {
  user: "Give the bot's user id as app_id, client_id or user_id.",
  session_id: 'Give the session_id that belongs to the session key.',
  session: "Give the session's private key as session_private_key or private_key.",
  server: "Give Mixin's key as server_public_key, pin_token_base64 or pin_token: PINs are encrypted with it.",
} as const;

/** What must be there, is not, and has no error of its own. */
const missingParts = (parts: Parts): FieldError[] => {
  const names = {
    user: 'app_id',
    session_id: 'session_id',
    session: 'session_private_key',
    server: parts.session.reading?.value.kind === 'rsa' ? 'pin_token' : 'server_public_key',
  } as const;
  const needed = Object.keys(names) as (keyof typeof names)[];
  return needed
    .filter((part) => !parts[part].reading && parts[part].errors.length === 0)
    .map((part) => missing(names[part], fixes[part]));
};

type Halves = Pick<Keystore, 'session_id'> &
  (
    | { readonly server_public_key: string; readonly session_private_key: string }
    | { readonly pin_token: string; readonly private_key: string }
  );

/** Brings the session's key and Mixin's together, which must be of one kind. */
const joinSession = (
  session_id: string,
  session: Reading<SessionKey>,
  server: Reading<ServerKey>,
  keys: Keys,
): Halves | FieldError => {
  const [key, half] = [session.value, server.value];
  if (key.kind === 'ed25519' && half.kind !== 'blob') {
    return { session_id, server_public_key: half.hex, session_private_key: key.seed };
  }
  if (key.kind === 'ed25519' || half.kind !== 'blob') {
    const fix = 'Export the keystore again, or bring both from the same one.';
    return contradiction(session.field, server.field, 'are of an RSA and of an Ed25519 session', fix);
  }
  if (keys.canDecryptPinToken(key.pem, half.base64, session_id)) {
    return { session_id, pin_token: half.base64, private_key: key.pem };
  }
  const fix = 'Bring both, and the session_id, from the same keystore.';
  return contradiction(session.field, server.field, 'do not belong together', fix);
};

/** The optional keys, under the names that say what is known of them. */
const keysOf = ({ spend, pin }: Parts): Partial<Keystore> => {
  const key = spend.reading?.value;
  const secret = pin.reading?.value;
  return {
    ...(key?.as === 'seed' && { spend_private_key: key.hex }),
    ...(key?.as === 'scalar' && { spend_private_key: `${SCALAR}${key.hex}` }),
    ...(key?.as === 'either' && { spend_key: key.hex }),
    ...(secret && 'form' in secret && { tip_private_key: secret.form.hex }),
    ...(secret && 'digits' in secret && { pin: secret.digits }),
  };
};

/** The keystore a row holds, or all that is wrong with it. Other fields are left alone. */
export const readKeystore = async (
  fields: Fields,
  keys: Keys,
): Promise<{ readonly value: Keystore } | { readonly errors: readonly FieldError[] }> => {
  const parts = await readParts(fields, keys);
  const errors = [...Object.values(parts).flatMap((part) => part.errors), ...missingParts(parts)];
  if (given(fields, 'authorization_id') !== undefined) errors.push(oauth);
  const { user, session_id, session, server } = parts;
  if (!user.reading || !session_id.reading || !session.reading || !server.reading) return { errors };
  const halves = joinSession(session_id.reading.value, session.reading, server.reading, keys);
  if (isError(halves)) errors.push(halves);
  if (errors.length > 0 || isError(halves)) return { errors };
  return { value: { app_id: user.reading.value, ...halves, ...keysOf(parts) } as Keystore };
};
