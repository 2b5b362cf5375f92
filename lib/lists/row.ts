/** One row's raw fields → what it asks for, or every error of the row at once. Errors never quote a value. */

import type { NetworkUserEnrolment, SignInEnrolment, SignInFields } from '../model/enrolment.ts';
import type { Keystore, PrivateKey } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import type { RowError } from '../model/problem.ts';
import { digestOf } from './keystore-digest.ts';
import { type Place, placeOf, type RawRow } from './raw-list.ts';
import { readNetworkUser, readSignIn, readVerification } from './row-enrolment.ts';
import { type FieldError, type Fields, given } from './row-fields.ts';
import { keystoreFields, readKeystore } from './row-keystore.ts';

/** A bot that has an account and a session. */
export interface KeystoreRow extends Place {
  readonly keystore: Keystore;
  /** Digest of the public halves: tells a changed row from the same row again. */
  readonly row_digest: string;
}

/** An account that is signed in with a code. */
export interface SignInRow extends Place {
  readonly enrolment: SignInEnrolment;
  readonly sign_in: SignInFields;
}

/** A user that a bot is to create. */
export interface NetworkUserRow extends Place {
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

/** For each kind whose fields are given, the first of them. */
const marksOf = (fields: Fields): readonly Mark[] =>
  (Object.keys(marks) as Kind[]).flatMap((kind) => {
    const field = marks[kind].find((name) => given(fields, name) !== undefined);
    return field === undefined ? [] : [{ kind, field }];
  });

const mixed = (one: Mark, other: Mark): FieldError => ({
  field: other.field,
  code: 'mixed_row',
  message: `${one.field} belongs to ${one.kind} and ${other.field} to ${other.kind}.`,
  fix: 'Write a row for each.',
});

const misplacedCreate: FieldError = {
  field: 'create',
  code: 'bad_create',
  message: 'create is not a row.',
  fix: 'Send {"create": {…}} as a list of its own.',
};

type Content<R extends Row> = Omit<R, keyof Place>;
type ReadContent = Content<KeystoreRow> | Content<SignInRow> | Content<NetworkUserRow>;
type Errors = { readonly errors: readonly FieldError[] };

const readKeystoreRow = async (fields: Fields, keys: Keys): Promise<Content<KeystoreRow> | Errors> => {
  const read = await readKeystore(fields, keys);
  if ('errors' in read) return read;
  return { keystore: read.value, row_digest: await digestOf(read.value, keys) };
};

const readSignInRow = (fields: Fields): Content<SignInRow> | Errors => {
  const verification = readVerification(fields);
  const sign_in = readSignIn(fields);
  if ('code' in verification || 'errors' in sign_in) {
    return {
      errors: [
        ...('code' in verification ? [verification] : []),
        ...('errors' in sign_in ? sign_in.errors : []),
      ],
    };
  }
  return { enrolment: verification.value, sign_in: sign_in.value };
};

const readNetworkUserRow = (fields: Fields): Content<NetworkUserRow> | Errors => {
  const read = readNetworkUser(fields);
  return 'errors' in read ? read : { enrolment: read.value };
};

const readContent = (fields: Fields, keys: Keys): Promise<ReadContent | Errors> | ReadContent | Errors => {
  if (given(fields, 'create') !== undefined) return { errors: [misplacedCreate] };
  const [one, other] = marksOf(fields);
  if (one && other) return { errors: [mixed(one, other)] };
  if (one?.kind === 'a sign-in') return readSignInRow(fields);
  return one?.kind === 'a network user' ? readNetworkUserRow(fields) : readKeystoreRow(fields, keys);
};

/** Derives each public key once, however often the row's checks and its digest ask for it. */
const remembering = (keys: Keys): Keys => {
  const known = new Map<string, Promise<string>>();
  const publicKeyOf = (key: PrivateKey) => {
    const derived = known.get(key) ?? keys.derivePublicKey(key);
    known.set(key, derived);
    return derived;
  };
  return { ...keys, derivePublicKey: publicKeyOf };
};

/** What a row asks for, or all that is wrong with it. */
export const readRow = async (
  raw: RawRow,
  keys: Keys,
): Promise<Row | { readonly errors: readonly RowError[] }> => {
  const place = placeOf(raw);
  const content = await readContent(raw.fields, remembering(keys));
  if ('errors' in content) return { errors: content.errors.map((error) => ({ ...place, ...error })) };
  return { ...place, ...content };
};

/** What must not stand in a list twice; undefined for a network user, of whom there can be any number. */
const identityOf = (row: Row): { readonly field: string; readonly id: string } | undefined => {
  if ('keystore' in row) return { field: 'app_id', id: row.keystore.app_id };
  if (!('sign_in' in row)) return undefined;
  return { field: 'verification_id', id: row.enrolment.verification_id };
};

const duplicateOf = (row: Row, field: string, { row: first, line, file }: Row): RowError => ({
  ...placeOf(row),
  field,
  code: 'duplicate',
  message: `The same ${field === 'app_id' ? 'bot' : 'sign-in'} stands in row ${first} (line ${line}${
    file === undefined ? '' : ` of ${file}`
  }) already; that row counts.`,
  fix: 'Remove one of the two rows.',
});

/** Splits off the rows that name a bot or a sign-in which stands further up already. */
export const splitDuplicates = (rows: readonly Row[]) => {
  const first = new Map<string, Row>();
  const unique: Row[] = [];
  const duplicates: RowError[] = [];
  for (const row of rows) {
    const identity = identityOf(row);
    const key = `${identity?.field} ${identity?.id}`;
    const before = identity && first.get(key);
    if (identity && before) {
      duplicates.push(duplicateOf(row, identity.field, before));
      continue;
    }
    if (identity) first.set(key, row);
    unique.push(row);
  }
  return { unique, duplicates };
};
