/**
 * A row's fields → a keystore in its one normal form, whichever tool wrote it: the dashboard, the SDKs for Go, Node,
 * Dart, Ruby and PHP, fox-one's. A row may have fields of several formats, as long as they agree.
 */
import { type Keystore, SCALAR_PREFIX, withoutSign } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import { type Failure, fail, type Result, succeed } from '../model/result.ts';
import {
  dropHexPrefix,
  isHex32,
  isPem,
  parseBase64,
  parseDer,
  parseKey,
  toBase64,
  toHex,
} from './encodings.ts';
import { keystoreFields, listUnknown } from './names.ts';
import {
  createContradiction,
  createMissingError,
  type FieldError,
  type Fields,
  readUuid,
  readValue,
  refuseValue,
  toDigits,
  toText,
} from './row-fields.ts';

type PartName = keyof typeof keystoreFields;

/** The value of a part, and the field that it is from. */
interface FieldValue<T> {
  readonly field: string;
  readonly value: T;
}

/** A part of the keystore. Without content and errors where the row has none of its fields. */
interface Part<T> {
  readonly content?: FieldValue<T>;
  readonly errors: readonly FieldError[];
}

type Comparison<T> = (values: readonly FieldValue<T>[]) => Promise<Result<T, FieldError>>;

/** Reads every field of a part that the row has, and compares them. */
const readPart = async <T>(
  fields: Fields,
  name: PartName,
  read: (value: unknown, field: string) => Result<T> | Promise<Result<T>>,
  compare: Comparison<T>,
): Promise<Part<T>> => {
  const values: FieldValue<T>[] = [];
  const errors: FieldError[] = [];
  for (const field of keystoreFields[name]) {
    const value = readValue(fields, field);
    if (value === undefined) continue;
    const result = await read(value, field);
    if (result.ok) values.push({ field, value: result.value });
    else errors.push({ field, ...result.error });
  }
  const [first] = values;
  if (first === undefined || errors.length > 0) return { errors };
  const common = values.length === 1 ? succeed(first.value) : await compare(values);
  if (!common.ok) return { errors: [common.error] };
  return { content: { field: first.field, value: common.value }, errors };
};

/** All fields must have the same value, in whatever form. */
const expectSame =
  <T>(says: string, toComparable: (value: T) => string): Comparison<T> =>
  async (values) => {
    const [first, ...others] = values as [FieldValue<T>, ...FieldValue<T>[]];
    const other = others.find(({ value }) => toComparable(value) !== toComparable(first.value));
    if (!other) return succeed(first.value);
    return fail(createContradiction(first.field, other.field, says, removeWrongOne));
  };

const removeWrongOne = 'Remove the wrong one.';

type SessionKey =
  | { readonly kind: 'ed25519'; readonly seed: string }
  | { readonly kind: 'rsa'; readonly pem: string; readonly public_key: string };

/** A seed. `isWhole`: its public half came with it, so it cannot be a scalar. */
interface Seed {
  readonly hex: string;
  readonly isWhole: boolean;
}

const readSeed = async (value: unknown, keys: Keys): Promise<Result<Seed>> => {
  const text = toText(value);
  const hex = parseKey(text);
  if (hex === undefined) {
    const key = parseDer(text);
    // Its algorithm is named beside it, so it cannot be a scalar.
    if (key && 'seed' in key) return succeed({ hex: key.seed, isWhole: true });
    return refuseValue(
      'It is not an Ed25519 private key.',
      'Give its 32 bytes, or its 64 bytes with the public key, in hex or base64.',
    );
  }
  const seed = hex.slice(0, 64);
  if (hex.length === 64) return succeed({ hex, isWhole: false });
  if ((await keys.derivePublicKey(seed)) === hex.slice(64)) return succeed({ hex: seed, isWhole: true });
  return refuseValue(
    'Its second half is not the public key of its first half.',
    'Give the 32-byte seed alone, as 64 hex characters.',
  );
};

/** Reading a larger key takes too long. */
const MAX_RSA_BITS = 4_096;

const notRsa = refuseValue(
  `It is neither an Ed25519 private key nor an RSA private key of 1,024 to ${MAX_RSA_BITS.toLocaleString('en-US')} bits in PEM, or it is encrypted.`,
  'Give the whole key, from -----BEGIN to -----END, without a password; line breaks may be written as \\n.',
);

const readSessionKey = async (value: unknown, keys: Keys): Promise<Result<SessionKey>> => {
  const text = toText(value);
  const bytes = parseDer(text);
  if (!isPem(text) && !(bytes && 'pem' in bytes)) {
    const seed = await readSeed(value, keys);
    return seed.ok ? succeed({ kind: 'ed25519', seed: seed.value.hex }) : seed;
  }
  if (bytes && 'seed' in bytes) return succeed({ kind: 'ed25519', seed: bytes.seed });
  const key = bytes && (await keys.readRsaKey(bytes.pem));
  if (!key || key.bits > MAX_RSA_BITS) return notRsa;
  return succeed({ kind: 'rsa', pem: key.pem, public_key: key.public_key });
};

/** Mixin's half of the secret that PINs are encrypted with. */
type ServerKey =
  /** An Ed25519 point, or only its image on Curve25519, written as the point with sign bit 0. */
  | { readonly kind: 'point' | 'image'; readonly hex: string }
  /** Encrypted to an RSA session, standard base64. */
  | { readonly kind: 'blob'; readonly base64: string };

const notAPoint = refuseValue(
  'It is not an Ed25519 public key that PIN encryption can use.',
  'Copy the 64 hex characters that the dashboard shows.',
);

const notAToken = refuseValue(
  'It is not a key that Mixin gives for encrypting PINs.',
  'Copy the whole value again: 64 hex characters, or base64.',
);

const readServerKey = (value: unknown, field: string, keys: Keys): Result<ServerKey> => {
  const text = dropHexPrefix(toText(value));
  if (isHex32(text)) {
    const hex = text.toLowerCase();
    return keys.isPublicKey(hex) ? succeed({ kind: 'point', hex }) : notAPoint;
  }
  const bytes = parseBase64(text);
  if (!bytes || bytes.length < 32 || bytes.length > MAX_RSA_BITS / 8) {
    return field === 'server_public_key' ? notAPoint : notAToken;
  }
  if (bytes.length > 32) return succeed({ kind: 'blob', base64: toBase64(bytes) });
  // The Ruby SDK, which alone writes base64 under `server_public_key`, means the image by it too.
  const hex = keys.ed25519FromX25519(toHex(bytes));
  return hex === undefined ? notAToken : succeed({ kind: 'image', hex });
};

const toImage = (key: ServerKey): string => (key.kind === 'blob' ? key.base64 : withoutSign(key.hex));

/** All must have one image. A point is preferred: it has its sign. */
const compareServerKeys: Comparison<ServerKey> = async (values) => {
  const image = await expectSame('are not of the same session', toImage)(values);
  if (!image.ok) return image;
  return succeed(values.find(({ value }) => value.kind === 'point')?.value ?? image.value);
};

/** 32 bytes of a private key: a seed, a reduced scalar, or one that may be either. */
interface Form {
  readonly hex: string;
  readonly as: 'seed' | 'scalar' | 'either';
}

/** Only the oldest name always means a seed; under the others fox-one's tools store scalars. */
const readForm = async (value: unknown, meansSeed: boolean, keys: Keys): Promise<Result<Form>> => {
  const seed = await readSeed(value, keys);
  if (!seed.ok) return seed;
  const { hex, isWhole } = seed.value;
  return succeed({ hex, as: meansSeed || isWhole || !keys.isScalar(hex) ? 'seed' : 'either' });
};

const readSpendKey = async (value: unknown, field: string, keys: Keys): Promise<Result<Form>> => {
  const text = toText(value);
  if (!text.startsWith(SCALAR_PREFIX)) return readForm(value, field === 'spend_private_key', keys);
  const hex = dropHexPrefix(text.slice(SCALAR_PREFIX.length)).toLowerCase();
  if (isHex32(hex) && keys.isScalar(hex)) return succeed({ hex, as: 'scalar' });
  return refuseValue('It is not a reduced scalar.', 'Write scalar: and the 64 hex characters of the key.');
};

/** The public keys that a form may have. */
const derivePublicKeys = async ({ hex, as }: Form, keys: Keys): Promise<readonly string[]> => [
  ...(as === 'scalar' ? [] : [await keys.derivePublicKey(hex)]),
  ...(as === 'seed' ? [] : [await keys.derivePublicKey(`${SCALAR_PREFIX}${hex}`)]),
];

/** Forms agree when they can have one public key; together they may show what each alone leaves open. */
const compareForms =
  (keys: Keys): Comparison<Form> =>
  async (values) => {
    const [first, ...others] = values as [FieldValue<Form>, ...FieldValue<Form>[]];
    let common = await derivePublicKeys(first.value, keys);
    for (const { field, value } of others) {
      const next = await derivePublicKeys(value, keys);
      common = common.filter((key) => next.includes(key));
      if (common.length > 0) continue;
      return fail(createContradiction(first.field, field, 'are different keys', removeWrongOne));
    }
    if (common.length > 1) return succeed(first.value);
    for (const { value } of values) {
      const isSeed = value.as !== 'scalar' && common.includes(await keys.derivePublicKey(value.hex));
      if (isSeed) return succeed({ hex: value.hex, as: 'seed' });
    }
    return succeed({ hex: first.value.hex, as: 'scalar' });
  };

/** Six digits, or the key of a TIP PIN. */
type Pin = { readonly digits: string } | { readonly form: Form };

const SIX_DIGITS = /^\d{6}$/;
/** Six digits as hex of ASCII: the only form that Mixin's SDKs for Go (3) and Node (7) still take. */
const SIX_DIGITS_IN_HEX = /^(3\d){6}$/;

const readPin = async (value: unknown, field: string, keys: Keys): Promise<Result<Pin>> => {
  const text = field === 'pin' ? toDigits(value) : '';
  if (SIX_DIGITS.test(text)) return succeed({ digits: text });
  if (SIX_DIGITS_IN_HEX.test(text)) return succeed({ digits: text.replace(/3(\d)/g, '$1') });
  const form = await readForm(value, false, keys);
  if (form.ok) return succeed({ form: form.value });
  if (field !== 'pin' || toText(value).length > 31) return form;
  return refuseValue(
    'It is neither a six-digit PIN nor the key of a TIP PIN.',
    'Give all six digits, as text (a spreadsheet removes leading zeros), or the key in hex.',
  );
};

const comparePins =
  (keys: Keys): Comparison<Pin> =>
  async (values) => {
    const digits = values.find(({ value }) => 'digits' in value);
    const other = values.find((value) => value !== digits);
    if (digits && other) {
      const fix = 'Give the key if the account has a TIP PIN, and the digits if it has none yet.';
      return fail(createContradiction(other.field, digits.field, 'are a TIP PIN and a six-digit PIN', fix));
    }
    const forms = values.flatMap(({ field, value }) =>
      'form' in value ? [{ field, value: value.form }] : [],
    );
    const form = await compareForms(keys)(forms);
    return form.ok ? succeed({ form: form.value }) : form;
  };

const oauth: FieldError = {
  field: 'authorization_id',
  code: 'oauth_keystore',
  message: 'This is an OAuth keystore: it cannot sign PINs.',
  fix: "Use the bot's own keystore from the dashboard.",
};

const readParts = async (fields: Fields, keys: Keys) => ({
  user: await readPart(fields, 'app_id', readUuid, expectSame('name different accounts', String)),
  session_id: await readPart(fields, 'session_id', readUuid, expectSame('differ', String)),
  session: await readPart(
    fields,
    'session_key',
    (value) => readSessionKey(value, keys),
    expectSame('are different keys', (key: SessionKey) => (key.kind === 'rsa' ? key.public_key : key.seed)),
  ),
  server: await readPart(
    fields,
    'server_key',
    (value, field) => readServerKey(value, field, keys),
    compareServerKeys,
  ),
  spend: await readPart(
    fields,
    'spend_key',
    (value, field) => readSpendKey(value, field, keys),
    compareForms(keys),
  ),
  pin: await readPart(fields, 'pin', (value, field) => readPin(value, field, keys), comparePins(keys)),
});

type Parts = Awaited<ReturnType<typeof readParts>>;

const fixes = {
  user: "Give the bot's user id as app_id, client_id or user_id.",
  session_id: 'Give the session_id that belongs to the session key.',
  session: "Give the session's private key as session_private_key, private_key or session_seed.",
  server: "Give Mixin's key as server_public_key, pin_token_base64 or pin_token: PINs are encrypted with it.",
} as const;

/** Parts that a keystore needs and the row lacks, unless they have an error already. */
const findMissingParts = (parts: Parts, fields: Fields): FieldError[] => {
  const names = {
    user: 'app_id',
    session_id: 'session_id',
    session: 'session_private_key',
    server: parts.session.content?.value.kind === 'rsa' ? 'pin_token' : 'server_public_key',
  } as const;
  const needed = Object.keys(names) as (keyof typeof names)[];
  const missing = needed.filter((part) => !parts[part].content && parts[part].errors.length === 0);
  const unknown = listUnknown(fields);
  const addition =
    unknown.length > 0 ? ` Enlist does not know these fields of the row: ${unknown.join(', ')}.` : '';
  return missing.map((part, i) => {
    const error = createMissingError(names[part], fixes[part]);
    return i === 0 ? { ...error, message: error.message + addition } : error;
  });
};

type Session = Pick<Keystore, 'session_id'> &
  (
    | { readonly server_public_key: string; readonly session_private_key: string }
    | { readonly pin_token: string; readonly private_key: string }
  );

/** Joins the session's key and Mixin's, which must be of one kind. */
const joinSession = async (
  session_id: string,
  session: FieldValue<SessionKey>,
  server: FieldValue<ServerKey>,
  keys: Keys,
): Promise<Result<Session, FieldError>> => {
  const [key, half] = [session.value, server.value];
  const refuse = (says: string, fix: string): Failure<FieldError> =>
    fail(createContradiction(session.field, server.field, says, fix));
  if (key.kind === 'ed25519' && half.kind !== 'blob') {
    return succeed({ session_id, server_public_key: half.hex, session_private_key: key.seed });
  }
  if (key.kind === 'ed25519' || half.kind !== 'blob') {
    const fix = 'Export the keystore again, or copy both from the same one.';
    return refuse('are of an RSA and of an Ed25519 session', fix);
  }
  if (await keys.canDecryptPinToken(key.pem, half.base64, session_id)) {
    return succeed({ session_id, pin_token: half.base64, private_key: key.pem });
  }
  return refuse('do not belong together', 'Copy both, and the session_id, from the same keystore.');
};

/** The optional keys, under the names that say what is known of them. */
const nameKeys = ({ spend, pin }: Parts): Partial<Keystore> => {
  const key = spend.content?.value;
  const secret = pin.content?.value;
  return {
    ...(key?.as === 'seed' && { spend_private_key: key.hex }),
    ...(key?.as === 'scalar' && { spend_private_key: `${SCALAR_PREFIX}${key.hex}` }),
    ...(key?.as === 'either' && { spend_key: key.hex }),
    ...(secret && 'form' in secret && { tip_private_key: secret.form.hex }),
    ...(secret && 'digits' in secret && { pin: secret.digits }),
  };
};

/** The keystore a row holds, or all that is wrong with it. Other fields are ignored. */
export const readKeystore = async (
  fields: Fields,
  keys: Keys,
): Promise<Result<Keystore, readonly FieldError[]>> => {
  const parts = await readParts(fields, keys);
  const errors = [...Object.values(parts).flatMap((part) => part.errors), ...findMissingParts(parts, fields)];
  if (readValue(fields, 'authorization_id') !== undefined) errors.push(oauth);
  const { user, session_id, session, server } = parts;
  if (!user.content || !session_id.content || !session.content || !server.content) return fail(errors);
  const joined = await joinSession(session_id.content.value, session.content, server.content, keys);
  if (!joined.ok) return fail([...errors, joined.error]);
  if (errors.length > 0) return fail(errors);
  return succeed({ app_id: user.content.value, ...joined.value, ...nameKeys(parts) } as Keystore);
};
