/** Every request, accepted or refused, in the order it was decided. Never holds a secret or a ciphertext. */
import type { Store } from './store.ts';

export interface BoundKey {
  readonly kind: 'tip' | 'spend';
  /** 64 hex characters. */
  readonly public_key: string;
}

/** An account that a request created: a network user was bought, or a person signed up. */
export interface CreatedAccount {
  readonly kind: 'network' | 'person';
  readonly user_id: string;
}

/** The account that signed in with a code, and its new session. */
export interface SignIn {
  readonly user_id: string;
  readonly session_id: string;
}

export interface LedgerEntry {
  readonly id: number;
  /** ISO time of the server, without any clock_skew. */
  readonly at: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** As the token claims; a refusal with code 401 proves nothing about who sent it. */
  readonly user_id?: string;
  readonly request_id?: string;
  /** What the server decided, whether or not the answer arrived. */
  readonly outcome: 'accepted' | 'refused';
  /** The HTTP status; 0 when a fault left the request without an answer. */
  readonly status: number;
  readonly code?: number;
  /** Why it was refused, in words that the client does not see. */
  readonly reason?: string;
  /** Names of the faults that hit this request, joined by '+'. */
  readonly fault?: string;
  /** The key that this request set. It can never be changed. */
  readonly bound?: BoundKey;
  /** The account that this request created; the request's own `user_id` pays for it. */
  readonly created?: CreatedAccount;
  readonly signed_in?: SignIn;
}

export interface Ledger {
  add(entry: Omit<LedgerEntry, 'id'>): void;
  list(after?: number): LedgerEntry[];
  /** Every key that was set through the API; keys that createUser set are not among them. */
  listBound(): LedgerEntry[];
}

export const openLedger = ({ database }: Store): Ledger => {
  const insert = database.prepare('INSERT INTO ledger (document, bound) VALUES (?, ?)');
  const select = database.prepare('SELECT id, document FROM ledger WHERE id > ? ORDER BY id');
  const selectBound = database.prepare('SELECT id, document FROM ledger WHERE bound IS NOT NULL ORDER BY id');
  const parse = (row: unknown): LedgerEntry => {
    const { id, document } = row as { id: number; document: string };
    return { id, ...(JSON.parse(document) as Omit<LedgerEntry, 'id'>) };
  };
  return {
    add: (entry) => {
      insert.run(JSON.stringify(entry), entry.bound?.public_key ?? null);
    },
    list: (after = 0) => select.all(after).map(parse),
    listBound: () => selectBound.all().map(parse),
  };
};
