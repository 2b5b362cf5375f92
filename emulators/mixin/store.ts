/**
 * The server's whole memory is one SQLite database: in `dataDir`, or in RAM without one. A request is one
 * transaction, committed before its answer goes out, so a kill at any moment loses nothing that was answered.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** To be raised when a stored document changes its fields. */
const SCHEMA = 1;
const tables = `
  CREATE TABLE IF NOT EXISTS accounts (user_id TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS phones (phone TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS verifications (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, document TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS verifications_phone ON verifications (phone);
  CREATE TABLE IF NOT EXISTS tokens (session_id TEXT, jti TEXT, iat INTEGER, PRIMARY KEY (session_id, jti)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, document TEXT NOT NULL, bound TEXT);
  CREATE INDEX IF NOT EXISTS ledger_bound ON ledger (bound) WHERE bound IS NOT NULL;
  CREATE TABLE IF NOT EXISTS faults (position INTEGER PRIMARY KEY, document TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS fault_counts (
    position INTEGER, user_id TEXT, seen INTEGER NOT NULL, fired INTEGER NOT NULL, PRIMARY KEY (position, user_id)
  ) WITHOUT ROWID;
`;

const openFile = (dataDir: string): string => {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
  const file = join(dataDir, 'mixin.sqlite');
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  return file;
};

/** A prepared query of rows that have their value as JSON in the column `document`. */
export interface Query<T> {
  find(...parameters: readonly string[]): T | undefined;
  list(...parameters: readonly string[]): T[];
}

export interface Store {
  readonly database: DatabaseSync;
  query<T>(sql: string): Query<T>;
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Throws when the database was written by another schema; nothing in it is changed. */
const checkSchema = (database: DatabaseSync, dataDir: string | undefined): void => {
  const { user_version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const hasTables = database.prepare('SELECT 1 FROM sqlite_master').get() !== undefined;
  if (!hasTables || user_version === SCHEMA) return;
  database.close();
  throw new Error(
    `The folder ${dataDir} was not written by this version of the stand-in: use the version that wrote it, or another folder.`,
  );
};

export const openStore = (dataDir: string | undefined): Store => {
  const database = new DatabaseSync(dataDir === undefined ? ':memory:' : openFile(dataDir));
  // Exclusive: a second server on the same folder fails at once instead of answering from the same accounts.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
  checkSchema(database, dataDir);
  // One transaction: after a kill there are tables with their number, or neither.
  database.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${SCHEMA}; ${tables} COMMIT;`);
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  return {
    database,
    query: <T>(sql: string) => {
      const statement = database.prepare(sql);
      const parse = (row: { document?: unknown }) => JSON.parse(row.document as string) as T;
      return {
        find: (...parameters) => {
          const row = statement.get(...parameters);
          return row === undefined ? undefined : parse(row);
        },
        list: (...parameters) => statement.all(...parameters).map(parse),
      };
    },
    transaction: (work) => {
      begin.run();
      try {
        const result = work();
        commit.run();
        return result;
      } catch (error) {
        rollback.run();
        throw error;
      }
    },
    close: () => database.close(),
  };
};
