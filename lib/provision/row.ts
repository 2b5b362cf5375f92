/** One row's raw fields → a keystore, or every error of the row at once. Errors never quote a value. */
import { createHash } from 'node:crypto';
import { type Keystore, seedBytes } from '../keystore.ts';
import type { Keys } from '../services.ts';
import type { RawRow } from './list.ts';
import type { RowError } from './records.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SEED = /^[0-9a-f]{64}$/;
/** Seed and public key side by side, as some tools write a private key. */
const SEED_AND_PUBLIC = /^[0-9a-f]{128}$/;

export interface Row {
  readonly row: number;
  readonly line: number;
  readonly keystore: Keystore;
  /** Digest of the public halves: tells a changed row from the same row again. */
  readonly listing: string;
}

/** What a field must be: its normal form, or what is wrong and how to mend it. */
type Read = { readonly value: string } | { readonly message: string; readonly fix: string };

const text = (value: unknown) => (typeof value === 'string' ? value.trim().toLowerCase() : '');

const readUuid = (value: unknown): Read =>
  UUID.test(text(value))
    ? { value: text(value) }
    : { message: 'It is not a UUID.', fix: 'Copy it from the keystore as the dashboard shows it.' };

const readPoint = (value: unknown, keys: Keys): Read =>
  SEED.test(text(value)) && keys.isPublicKey(text(value))
    ? { value: text(value) }
    : {
        message: 'It is not an Ed25519 public key in hex.',
        fix: 'Copy the 64 hex characters the dashboard shows.',
      };

const readSeed = async (value: unknown, keys: Keys): Promise<Read> => {
  const hex = text(value);
  if (SEED.test(hex)) return { value: hex };
  if (!SEED_AND_PUBLIC.test(hex)) {
    return { message: 'It is not a private key in hex.', fix: 'Give the 32-byte seed as 64 hex characters.' };
  }
  const seed = hex.slice(0, 64);
  if ((await keys.publicKeyOf(seedBytes(seed))) === hex.slice(64)) return { value: seed };
  return {
    message: 'Its second half is not the public key of its first half.',
    fix: 'Give the 32-byte seed alone, as 64 hex characters.',
  };
};

type FieldName = keyof Keystore;

const required = ['app_id', 'session_id', 'server_public_key', 'session_private_key'] as const;
const optional = ['spend_private_key', 'tip_private_key'] as const;

const readField = (name: FieldName, value: unknown, keys: Keys): Read | Promise<Read> => {
  if (name === 'app_id' || name === 'session_id') return readUuid(value);
  return name === 'server_public_key' ? readPoint(value, keys) : readSeed(value, keys);
};

const isAbsent = (value: unknown) => value === undefined || value === null || value === '';

const oauthError = ({ row, line }: RawRow): RowError => ({
  row,
  line,
  field: 'authorization_id',
  code: 'oauth_keystore',
  message: 'This is an OAuth keystore: it cannot sign PINs.',
  fix: "Use the bot's own keystore from the dashboard.",
});

const missing = ({ row, line }: RawRow, field: string): RowError => ({
  row,
  line,
  field,
  code: 'missing_field',
  message: `${field} is missing.`,
  fix: 'Use a keystore in the dashboard format: app_id, session_id, server_public_key, session_private_key.',
});

/** The fields that are right, and the errors of those that are not. */
const readFields = async (raw: RawRow, keys: Keys) => {
  const { row, line, fields } = raw;
  const values: Partial<Record<FieldName, string>> = {};
  const errors: RowError[] = [];
  for (const field of [...required, ...optional]) {
    const given = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (isAbsent(given)) {
      if ((required as readonly string[]).includes(field)) errors.push(missing(raw, field));
      continue;
    }
    const read = await readField(field, given, keys);
    if ('value' in read) values[field] = read.value;
    else errors.push({ row, line, field, code: 'invalid_field', message: read.message, fix: read.fix });
  }
  if (!isAbsent(fields.authorization_id)) errors.push(oauthError(raw));
  return { values, errors };
};

const listingOf = async (keystore: Keystore, keys: Keys): Promise<string> => {
  const hash = createHash('sha256').update(keystore.session_id).update(keystore.server_public_key);
  for (const field of ['session_private_key', ...optional] as const) {
    const seed = keystore[field];
    hash.update(seed === undefined ? '-' : await keys.publicKeyOf(seedBytes(seed)));
  }
  return hash.digest('hex').slice(0, 32);
};

export const readRow = async (
  raw: RawRow,
  keys: Keys,
): Promise<Row | { readonly errors: readonly RowError[] }> => {
  const { values, errors } = await readFields(raw, keys);
  if (errors.length > 0) return { errors };
  const keystore = values as Keystore;
  return { row: raw.row, line: raw.line, keystore, listing: await listingOf(keystore, keys) };
};

/** Splits off the rows that name a bot which stands further up already. */
export const splitDuplicates = (rows: readonly Row[]) => {
  const first = new Map<string, Row>();
  const unique: Row[] = [];
  const duplicates: RowError[] = [];
  for (const row of rows) {
    const before = first.get(row.keystore.app_id);
    if (before === undefined) {
      first.set(row.keystore.app_id, row);
      unique.push(row);
      continue;
    }
    duplicates.push({
      row: row.row,
      line: row.line,
      field: 'app_id',
      code: 'duplicate',
      message: `The same bot stands in row ${before.row} (line ${before.line}) already; that row counts.`,
      fix: 'Remove one of the two rows.',
    });
  }
  return { unique, duplicates };
};
