/**
 * Log lines are JSON objects, one a line, with a stable code for queries and a sentence for people. Only the fields of
 * LogFields can be logged, so no key, token or whole event can get into the log.
 */
export const logMessages = {
  bot_moved: 'A bot changed its state.',
  audit_finding: 'A finished bot was checked again, and an operator must act.',
  bot_unknown: 'A message names a bot that has no row; the message is dropped.',
  lost_race: 'Another worker was first; this one does nothing.',
  lease_held: 'Another worker makes PIN calls for this bot; the message comes back later.',
  batch_received: 'A list was received.',
  inbox_gone: 'A list in the inbox was removed before it was read: nothing of it is imported.',
  inbox_replaced:
    'A list in the inbox was replaced before it was read: the other list is imported, and nothing of this one.',
  reading_dropped: 'A list was read by two workers; the reading that was recorded first counts.',
  list_read: 'A list was read and validated.',
  code_requested: 'Mixin was asked to send a code to a phone.',
  account_not_recorded:
    'Mixin created an account and the table could not store it: the row will become unsure.',
  plan_confirmed: 'An operator accepted the cost of a list.',
  list_rejected: 'A list cannot be read at all.',
  chunk_imported: 'A chunk of a list was imported.',
  swept: 'The sweep queued the bots that are due.',
  record_crashed: 'A message crashed its step; it comes back, or goes to the dead-letter queue.',
  aws_unavailable:
    'AWS throttles, fails or does not answer; the message comes back, or the request may be sent again.',
  aws_denied:
    'AWS denies access that Enlist needs; the message comes back, and work goes on once access is given back.',
  request_failed: 'An HTTP request failed with an unexpected error.',
} as const;
/** Stable: queries, metrics and alarms use it. */
export type LogCode = keyof typeof logMessages;

export interface LogFields {
  readonly step?: string;
  readonly bot_id?: string;
  readonly batch_id?: string;
  readonly request_id?: string;
  readonly message_id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  /** Code or name of an error (findErrorCode), never its text. */
  readonly error?: string;
  readonly count?: number;
  readonly receive_count?: number;
}

type Level = 'info' | 'warn' | 'error';
export type Log = (level: Level, code: LogCode, fields?: LogFields) => void;

/** In the order in which a line has them. */
export const allowedFields: ReadonlyArray<keyof LogFields> = [
  'step',
  'bot_id',
  'batch_id',
  'request_id',
  'message_id',
  'from',
  'to',
  'reason',
  'error',
  'count',
  'receive_count',
];
