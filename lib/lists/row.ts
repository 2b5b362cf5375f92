/** One row's raw fields → what it asks for, or every error of the row at once. Errors never quote a value. Pure. */

import type { NetworkUserEnrolment, SignInEnrolment, SignInFields } from '../model/enrolment.ts';
import type { Keystore, PrivateKey } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import type { RowError } from '../model/problem.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { digestKeystore } from './keystore-digest.ts';
import { readLabel } from './label.ts';
import { findName, hasKnownField, keystoreFields, listUnknown, nameFields } from './names.ts';
import { type Place, pickPlace, type RawRow } from './raw-list.ts';
import { readNetworkUser, readSignIn, readVerification } from './row-enrolment.ts';
import { type FieldError, type Fields, isFields, readValue } from './row-fields.ts';
import { readKeystore } from './row-keystore.ts';

/** Where a row is, and what people call its bot. */
interface RowPlace extends Place {
  readonly label?: string;
}

/** A bot that has an account and a session. */
export interface KeystoreRow extends RowPlace {
  readonly keystore: Keystore;
  /** Digest of the public halves: shows whether a later list changes the row. */
  readonly row_digest: string;
}

/** An account that is signed in with a code. */
export interface SignInRow extends RowPlace {
  readonly enrolment: SignInEnrolment;
  readonly sign_in: SignInFields;
}

/** A user that a bot is to create. */
interface NetworkUserRow extends RowPlace {
  readonly enrolment: NetworkUserEnrolment;
}

export type Row = KeystoreRow | SignInRow | NetworkUserRow;

type Kind = 'a keystore' | 'a sign-in' | 'a network user';

/** Fields that only rows of this kind have. */
const marks: Readonly<Record<Kind, readonly string[]>> = {
  'a keystore': Object.values(keystoreFields).flat(),
  'a sign-in': ['verification_id', 'code'],
  'a network user': ['owner'],
};

interface Mark {
  readonly kind: Kind;
  readonly field: string;
}

/** The first field of each kind that the row has. */
const findMarks = (fields: Fields): readonly Mark[] =>
  (Object.keys(marks) as Kind[]).flatMap((kind) => {
    const field = marks[kind].find((name) => readValue(fields, name) !== undefined);
    return field === undefined ? [] : [{ kind, field }];
  });

const createMixedError = (one: Mark, other: Mark): FieldError => ({
  field: other.field,
  code: 'mixed_row',
  message: `${one.field} belongs to ${one.kind} and ${other.field} to ${other.kind}.`,
  fix: 'Write one row for each.',
});

const misplacedCreate: FieldError = {
  field: 'create',
  code: 'bad_create',
  message: 'create is not a row.',
  fix: 'Send {"create": {…}} as a list of its own.',
};

type Content<R extends Row> = R extends Row ? Omit<R, keyof RowPlace> : never;
type ContentResult<R extends Row = Row> = Result<Content<R>, readonly FieldError[]>;

const readKeystoreRow = async (fields: Fields, keys: Keys): Promise<ContentResult<KeystoreRow>> => {
  const keystore = await readKeystore(fields, keys);
  if (!keystore.ok) return keystore;
  return succeed({ keystore: keystore.value, row_digest: await digestKeystore(keystore.value, keys) });
};

const readSignInRow = (fields: Fields): ContentResult<SignInRow> => {
  const verification = readVerification(fields);
  const sign_in = readSignIn(fields);
  if (verification.ok && sign_in.ok) {
    return succeed({ enrolment: verification.value, sign_in: sign_in.value });
  }
  return fail([...(verification.ok ? [] : [verification.error]), ...(sign_in.ok ? [] : sign_in.error)]);
};

const readNetworkUserRow = (fields: Fields): ContentResult<NetworkUserRow> => {
  const enrolment = readNetworkUser(fields);
  return enrolment.ok ? succeed({ enrolment: enrolment.value }) : enrolment;
};

const readContent = async (fields: Fields, keys: Keys): Promise<ContentResult> => {
  if (readValue(fields, 'create') !== undefined) return fail([misplacedCreate]);
  const [one, other] = findMarks(fields);
  if (one && other) return fail([createMixedError(one, other)]);
  if (one?.kind === 'a sign-in') return readSignInRow(fields);
  return one?.kind === 'a network user' ? readNetworkUserRow(fields) : readKeystoreRow(fields, keys);
};

/** Derives each public key once, however often the row's checks and its digest need it. */
const memoize = (keys: Keys): Keys => {
  const derivations = new Map<string, Promise<string>>();
  const derivePublicKey = (key: PrivateKey) => {
    const derivation = derivations.get(key) ?? keys.derivePublicKey(key);
    derivations.set(key, derivation);
    return derivation;
  };
  return { ...keys, derivePublicKey };
};

/** Deeper wrappers are not of a list of keystores any more, and no wrapper has many fields beside it. */
const MAX_WRAPPERS = 3;
const MAX_FIELDS_BESIDE = 50;

const markNames: ReadonlySet<string> = new Set(Object.values(marks).flat());

/** `{"keystore": {…}}` → its fields, and those beside it. */
export const unwrapRow = (fields: Fields, levels = MAX_WRAPPERS): Fields => {
  const names = Object.keys(fields);
  if (levels === 0 || names.length > MAX_FIELDS_BESIDE || Object.hasOwn(fields, 'create')) return fields;
  if (names.some((name) => markNames.has(findName(name) ?? '') && !isFields(fields[name]))) return fields;
  const [wrapper, ...others] = names.filter((name) => isFields(fields[name]));
  const value = wrapper === undefined ? undefined : fields[wrapper];
  if (wrapper === undefined || others.length > 0 || !isFields(value)) return fields;
  const inner = unwrapRow(value, levels - 1);
  if (!hasKnownField(inner)) return fields;
  const { [wrapper]: _, ...beside } = fields;
  return { ...beside, ...inner };
};

const createUnknownError = (fields: Fields): FieldError => {
  const unknown = listUnknown(fields);
  return {
    field: '(row)',
    code: 'no_known_field',
    message: `The row has no field that Enlist knows${unknown.length > 0 ? `; it has ${unknown.join(', ')}` : ''}.`,
    fix: 'Name the fields as docs/keystores.md or enlist template shows: app_id, session_id, and so on.',
  };
};

/** The two UUIDs of an RSA keystore without names: only the session's is bound into its `pin_token`. */
const tellUuids = async ({ fields, uuids }: RawRow, keys: Keys): Promise<Fields> => {
  if (!uuids) return fields;
  for (const [app_id, session_id] of [uuids, [uuids[1], uuids[0]]]) {
    const row = await readKeystore({ ...fields, app_id, session_id }, keys);
    if (row.ok) return { ...fields, app_id, session_id };
  }
  return { ...fields, app_id: uuids[0], session_id: uuids[1] };
};

/** What a row asks for, or everything that is wrong with it. */
export const readRow = async (raw: RawRow, keys: Keys): Promise<Result<Row, readonly RowError[]>> => {
  const place = pickPlace(raw);
  const refuse = (errors: readonly FieldError[]) => fail(errors.map((error) => ({ ...place, ...error })));
  const named = nameFields(unwrapRow(raw.fields));
  if (!named.ok) return refuse([named.error]);
  if (!raw.uuids && !hasKnownField(named.value)) return refuse([createUnknownError(raw.fields)]);
  const ownKeys = memoize(keys);
  const fields = await tellUuids({ ...raw, fields: named.value }, ownKeys);
  const content = await readContent(fields, ownKeys);
  if (!content.ok) return refuse(content.error);
  // A network user shows its full_name anyway.
  const { full_name: _, ...others } = fields;
  const label = readLabel('enrolment' in content.value ? others : fields);
  return succeed({ ...place, ...(label !== undefined && { label }), ...content.value });
};

/** What may be in a list only once; undefined for a network user, of whom there can be any number. */
const identify = (row: Row): { readonly field: string; readonly id: string } | undefined => {
  if ('keystore' in row) return { field: 'app_id', id: row.keystore.app_id };
  if (!('sign_in' in row)) return undefined;
  return { field: 'verification_id', id: row.enrolment.verification_id };
};

const createDuplicateError = (row: Row, field: string, { row: first, line, file }: Row): RowError => ({
  ...pickPlace(row),
  field,
  code: 'duplicate',
  message: `The same ${field === 'app_id' ? 'bot' : 'sign-in'} is already in row ${first} (line ${line}${
    file === undefined ? '' : ` of ${file}`
  }); that row counts.`,
  fix: 'Remove one of the two rows.',
});

/** Separates the rows whose bot or sign-in is already in an earlier row. */
export const splitDuplicates = (rows: readonly Row[]) => {
  const first = new Map<string, Row>();
  const unique: Row[] = [];
  const duplicates: RowError[] = [];
  for (const row of rows) {
    const identity = identify(row);
    const key = `${identity?.field} ${identity?.id}`;
    const before = identity && first.get(key);
    if (identity && before) {
      duplicates.push(createDuplicateError(row, identity.field, before));
      continue;
    }
    if (identity) first.set(key, row);
    unique.push(row);
  }
  return { unique, duplicates };
};
