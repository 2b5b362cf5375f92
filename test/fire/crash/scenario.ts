/** What a case of the crash matrix starts with: a task for a worker, and how everything it touches must end. */
import type { Task } from './steps.ts';

/** A row without an account. */
export interface ExpectedEnrolment {
  readonly bot_id: string;
  readonly kind: 'network_user' | 'sign_in';
}

/** Calls that must not be sent twice, and how often all rows together may send them. */
export interface PaidCall {
  readonly path: string;
  /** Who pays. */
  readonly user_id?: string;
  readonly rows: number;
}

export interface Scenario {
  readonly task: Task;
  /** Does its message come again by itself (`at_once`), does its caller ask again (after a minute), or neither? */
  readonly repeats: 'at_once' | 'after_a_minute' | 'never';
  /** Bots with an account, which must end registered with the one key that the vault keeps. */
  readonly bots: readonly string[];
  /** … or blocked with this reason. */
  readonly blocked?: Readonly<Record<string, string>>;
  /** How many of the PINs that are sent may be wrong. @default 0 */
  readonly wrong_pins?: number;
  readonly enrolments: readonly ExpectedEnrolment[];
  readonly paid: readonly PaidCall[];
  /** A batch that must end imported, with so many row errors. */
  readonly batch?: { readonly batch_id: string; readonly errors: number };
  /**
   * Replaces the list of the batch, at the crash or while the worker waits, by one whose cost nobody accepted. Then the
   * batch may end planned: the second list was the one that was read.
   */
  readonly replaceList?: () => Promise<void>;
  /** Minutes on the clock within which everything must be finished. */
  readonly withinMinutes: number;
}
