/** One row's raw fields → what it asks for, or every error of the row at once. Errors never quote a value. Pure. */

import type { NetworkUserEnrolment, SignInEnrolment, SignInFields } from '../model/enrolment.ts';
import type { Keystore, PrivateKey } from '../model/keystore.ts';
import type { Keys } from '../model/ports.ts';
import type { RowError } from '../model/problem.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { digestKeystore } from './keystore-digest.ts';
import { type Place, pickPlace, type RawRow } from './raw-list.ts';
import { readNetworkUser, readSignIn, readVerification } from './row-enrolment.ts';
import { type FieldError, type Fields, readValue } from './row-fields.ts';
import { keystoreFields, readKeystore } from './row-keystore.ts';

/** A bot that has an account and a session. */
export interface KeystoreRow extends Place {
  readonly keystore: Keystore;
  /** Digest of the public halves: shows whether a later list changes the row. */
  readonly row_digest: string;
}

/** An account that is signed in with a code. */
export interface SignInRow extends Place {
  readonly enrolment: SignInEnrolment;
  readonly sign_in: SignInFields;
}

/** A user that a bot is to create. */
interface NetworkUserRow extends Place {
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

type Content<R extends Row> = R extends Row ? Omit<R, keyof Place> : never;
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

/** What a row asks for, or everything that is wrong with it. */
export const readRow = async (raw: RawRow, keys: Keys): Promise<Result<Row, readonly RowError[]>> => {
  const place = pickPlace(raw);
  const content = await readContent(raw.fields, memoize(keys));
  if (!content.ok) return fail(content.error.map((error) => ({ ...place, ...error })));
  return succeed({ ...place, ...content.value });
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
